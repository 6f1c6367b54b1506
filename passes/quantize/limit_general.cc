#include "passes/quantize/limit_general.h"

#include <algorithm>
#include <cmath>

#include "ir/core/field.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/DenseMap.h"
#include "passes/quantize/masks.h"
#include "passes/quantize/storage.h"
#include "passes/quantize/whole.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

constexpr int kMostShift = 16;
constexpr int kMostSteps = 256;  // by which an exponent falls: more than single precision has
constexpr double kAccumulator = 0x1p30;
// By how many bits a result may be finer than what it is computed of.
constexpr int kGuardBits = 2;
// A division with remainder by 2^s, to 16 bits, of an accumulator below 2^30.
constexpr int kMostAccumulatorShift = 14;

bool fits(double bound, int shift, int bits) {
  return std::ldexp(1, bits - 1 + shift) + std::ldexp(0.5, shift) + bound <
         static_cast<double>(ir::kFieldModulus);
}

int ceilLog2(int64_t count) {
  int bits = 0;
  while ((int64_t{1} << bits) < count) ++bits;
  return bits;
}

// What a bit less leaves: the type of a rounded value is a power of two.
double halved(double magnitude) { return std::exp2(std::ceil(std::log2(magnitude)) - 1); }

class Limiter {
 public:
  Limiter(const ir::Function& function, Exponents& exponents)
      : exponents_(exponents), whole_(wholeValues(function)), exact_(exactBits(function)) {
    for (const Value* value : exponentSites(function)) site_.try_emplace(value, site_.size());
  }

  bool visit(const Op& op) {
    if (!standsAlone(op)) return false;
    if (op.is("tensor.softmax") || exact_.contains(op.result())) return false;
    auto& values = exponents_.sites[site_.find(op.result())->second].values;
    if (!values.contains("exponent")) return false;
    int64_t& exponent = values["exponent"];
    const int64_t before = exponent;
    if (isCopy(op)) {
      for (const Value* operand : copiedOperands(op)) {
        if (constantOf(*operand) == nullptr)
          exponent = std::min<int64_t>(exponent, stored(operand).exponent);
      }
      copied_[op.result()] = copiedMagnitude(op, static_cast<int>(exponent));
      return exponent != before;
    }
    const auto bits = static_cast<int>(values["bits"]);
    const int64_t least = before - kMostSteps;
    while (exponent > least && !possible(op, static_cast<int>(exponent), bits)) --exponent;
    // None is: the lowering refuses the op.
    if (exponent == least) exponent = before;
    return exponent != before;
  }

 private:
  bool possible(const Op& op, int exponent, int bits) {
    if (op.is("tensor.matmul")) {
      const auto input_bits = static_cast<int>(
          exponents_.sites[site_.find(op.result())->second].values.at("input_bits"));
      const StoredOperand operands[] = {factor(*op.operand(0), input_bits),
                                        factor(*op.operand(1), input_bits)};
      return planMatmul(operands, op.operand(0)->type().shape.back(), sumsByProbabilities(op),
                        input_bits, exponent, bits)
          .has_value();
    }
    if (isQuotient(op)) {
      constexpr int kStoredBits = 16;
      const StoredOperand operands[] = {factor(*op.operand(0), kStoredBits),
                                        factor(*op.operand(1), kStoredBits)};
      return planQuotient(operands, exponent, bits).has_value();
    }
    if (op.is("tensor.reduce_sum") || op.is("tensor.reduce_mean"))
      return planReduction(op, stored(op.operand(0)), exponent, bits).has_value();
    auto it = needs_.find(&op);
    if (it == needs_.end()) {
      Need need;
      if (std::optional<AffineForm> form = scoresForm(op, masks_)) {
        need.need = needOf(*form, whole_.contains(op.result()));
        for (const AffineForm::Term& term : form->terms) need.values.push_back(term.value);
      }
      it = needs_.try_emplace(&op, std::move(need)).first;
    }
    std::vector<StoredOperand> operands;
    for (const Value* value : it->second.values) operands.push_back(stored(value));
    return operands.empty() ||
           affineExponent(it->second.need, operands, exponent, bits).has_value();
  }

  // A copy is as wide as what it copies, whatever its own readers would take.
  double copiedMagnitude(const Op& op, int exponent) const {
    double magnitude = 1;
    for (const Value* operand : copiedOperands(op)) {
      if (constantOf(*operand) != nullptr) continue;
      const StoredOperand source = stored(operand);
      magnitude = std::max(magnitude, std::ldexp(source.magnitude, exponent - source.exponent));
    }
    return magnitude;
  }

  StoredOperand stored(const Value* value) const {
    while (value->definingOp() != nullptr && value->definingOp()->is("tensor.select_rows"))
      value = value->definingOp()->operand(0);
    const auto& values = exponents_.sites[site_.find(value)->second].values;
    const bool copied = values.contains("copy_exponent");
    auto number = [&](const char* name, int64_t fallback) {
      auto it = values.find(name);
      return static_cast<int>(it == values.end() ? fallback : it->second);
    };
    const int bits = number(copied ? "copy_bits" : "bits", 16);
    StoredOperand stored = {std::ldexp(1, bits - 1),
                            number(copied ? "copy_exponent" : "exponent", 0)};
    if (auto it = copied_.find(value); it != copied_.end())
      stored.magnitude = std::max(stored.magnitude, it->second);
    return stored;
  }

  // A stored value, or a constant rounded to that number of bits.
  StoredOperand factor(const Value& value, int bits) const {
    const ir::Constant* constant = constantOf(value);
    if (constant == nullptr) return stored(&value);
    absl::StatusOr<ir::tensor::Array> array = ir::tensor::readConstant(*constant);
    return array.ok() ? constantOperand(*array, bits) : StoredOperand{};
  }

  struct Need {
    AffineNeed need;
    std::vector<const Value*> values;
  };
  Exponents& exponents_;
  const llvm::DenseSet<const Value*> whole_;
  const llvm::DenseMap<const Value*, int> exact_;
  Masks masks_;
  llvm::DenseMap<const Value*, size_t> site_;
  llvm::DenseMap<const Op*, Need> needs_;
  llvm::DenseMap<const Value*, double> copied_;  // magnitudes
};

}  // namespace

StoredOperand constantOperand(const ir::tensor::Array& constant, int bits) {
  double largest = 1e-30;
  for (double x : constant.reals) largest = std::max(largest, std::abs(x));
  const double limit = std::ldexp(1, bits - 1);
  return {limit, std::min(24, static_cast<int>(std::floor(std::log2((limit - 1) / largest))))};
}

AffineNeed needOf(const AffineForm& form, bool whole) {
  AffineNeed need;
  need.whole = whole;
  for (size_t i = 0; i < form.terms.size(); ++i) need.factors.push_back(form.largestFactor(i));
  need.constant = form.largestConstant();
  need.masks = !form.masks.empty();
  return need;
}

namespace {

// The largest magnitude of what is not masked.
double largestSum(const AffineNeed& need, llvm::ArrayRef<StoredOperand> operands) {
  double largest = need.constant;
  for (size_t i = 0; i < operands.size(); ++i)
    largest += need.factors[i] * std::ldexp(operands[i].magnitude, -operands[i].exponent);
  return largest;
}

}  // namespace

double maskedConstant(const AffineNeed& need, llvm::ArrayRef<StoredOperand> operands) {
  return -(2 * largestSum(need, operands) + kMaskGap);
}

std::optional<int> affineExponent(const AffineNeed& need, llvm::ArrayRef<StoredOperand> operands,
                                  int exponent, int bits) {
  const double largest = largestSum(need, operands);
  double constant = need.constant;
  if (need.masks) {
    constant = std::max(constant, 2 * largest + kMaskGap);
    if (std::ldexp(3 * largest + kMaskGap + 1, exponent) >= std::ldexp(1, bits - 1))
      return std::nullopt;
  }
  // A sum finer than its terms are known holds noise: where they cancel, it would not fit.
  for (size_t i = 0; i < operands.size(); ++i) {
    if (need.factors[i] > 0 && !need.whole &&
        exponent > operands[i].exponent - std::floor(std::log2(need.factors[i])) + kGuardBits)
      return std::nullopt;
  }
  for (int shift = kMostShift; shift >= 0; --shift) {
    double bound = std::ldexp(constant, exponent + shift) + 1;
    for (size_t i = 0; i < operands.size(); ++i) {
      const double factor = std::ldexp(need.factors[i], exponent + shift - operands[i].exponent);
      bound += operands[i].magnitude * (factor + 1);
    }
    if (fits(bound, shift, bits)) return exponent + shift;
  }
  return std::nullopt;
}

std::optional<ReductionPlan> planReduction(const Op& op, StoredOperand operand, int exponent,
                                           int bits) {
  const int64_t count = reducedElements(op);
  ReductionPlan plan;
  plan.divided = op.is("tensor.reduce_mean") ? ceilLog2(count) : 0;
  if (exponent > operand.exponent + plan.divided + kGuardBits) return std::nullopt;
  int shift = operand.exponent + plan.divided - exponent;
  if (shift < 1) plan.raised = 1 - shift;
  if (shift > kMostAccumulatorShift) plan.dropped = shift - kMostAccumulatorShift;
  double bound =
      std::ldexp(operand.magnitude * static_cast<double>(count), plan.raised - plan.dropped);
  while (bound >= kAccumulator / 2 && plan.raised == 0) ++plan.dropped, bound /= 2, --shift;
  if (bound >= kAccumulator / 2 || bits > 16 || shift + plan.raised < 1) return std::nullopt;
  return plan;
}

// a 2^shift / b: where the shift is too small, a is finer than the quotient needs it; where it is
// too large, b is finer than a knows it.
std::optional<QuotientPlan> planQuotient(const StoredOperand (&operands)[2], int exponent,
                                         int bits) {
  constexpr double kDenominator = 0x1p15;
  QuotientPlan plan;
  double a = operands[0].magnitude, b = operands[1].magnitude;
  plan.shift = exponent - operands[0].exponent + operands[1].exponent;
  while (b > kDenominator) b = halved(b), ++plan.dropped[1], --plan.shift;
  while (plan.shift < 0 && a >= 4) a = halved(a), ++plan.dropped[0], ++plan.shift;
  const double bound = std::ldexp(a, plan.shift + 1) + std::ldexp(b, bits) + b + 0x1p16;
  if (a < 4 || plan.shift > 29 || bits > kQuotientBits ||
      bound >= static_cast<double>(ir::kFieldModulus))
    return std::nullopt;
  return plan;
}

std::optional<MatmulPlan> planMatmul(const StoredOperand (&operands)[2], int64_t inner,
                                     bool probabilities, int input_bits, int exponent, int bits) {
  MatmulPlan plan;
  double magnitude[2];
  for (int i : {0, 1}) {
    magnitude[i] = operands[i].magnitude;
    while (!(probabilities && i == 0) && magnitude[i] > std::ldexp(1, input_bits - 1))
      magnitude[i] = halved(magnitude[i]), ++plan.dropped[i];
  }
  auto shift = [&] {
    return operands[0].exponent + operands[1].exponent - plan.dropped[0] - plan.dropped[1] -
           exponent;
  };
  auto bound = [&] {
    const double terms = probabilities ? 1 : static_cast<double>(inner);
    return magnitude[0] * magnitude[1] * terms;
  };
  while (bound() >= kAccumulator || shift() > kMostAccumulatorShift) {
    const int i = probabilities || magnitude[1] > magnitude[0] ? 1 : 0;
    if (magnitude[i] < 16) return std::nullopt;
    magnitude[i] = halved(magnitude[i]), ++plan.dropped[i];
  }
  if (shift() < 1 || !fits(bound(), shift(), bits)) return std::nullopt;
  return plan;
}

bool sumsByProbabilities(const Op& matmul) {
  const Value& left = *matmul.operand(0);
  const auto& right = matmul.operand(1)->type().shape;
  const int64_t width = right.size() > 1 ? right.back() : 1;
  return left.definingOp() != nullptr && left.definingOp()->is("tensor.softmax") &&
         left.type().elements() * width ==
             matmul.result()->type().elements() * left.type().shape.back();
}

int factorBits(const Op& matmul, int least) {
  constexpr int kMostBits = 14;
  int bits = std::max(least, kMostBits);
  if (sumsByProbabilities(matmul)) return bits;  // which sum up to 2^16
  const auto inner = static_cast<double>(matmul.operand(0)->type().shape.back());
  while (bits > least && std::ldexp(inner, 2 * (bits - 1)) >= kAccumulator) --bits;
  return bits;
}

bool limitGeneral(const ir::Function& function, Exponents& exponents) {
  Limiter limiter(function, exponents);
  bool changed = false;
  for (const Op& op : function.body().ops()) changed |= limiter.visit(op);
  return changed;
}

}  // namespace lindero::passes
