#include "passes/quantize/general.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "ir/core/op_table.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "passes/quantize/masks.h"
#include "passes/quantize/storage.h"
#include "passes/quantize/whole.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

bool isFloat(const Value& value) { return value.type().element == ir::Element::kFloat; }

std::optional<Array> arrayOf(const Value& value) {
  const ir::Constant* constant = constantOf(value);
  if (constant == nullptr) return std::nullopt;
  absl::StatusOr<Array> array = ir::tensor::readConstant(*constant);
  if (!array.ok()) return std::nullopt;
  return *std::move(array);
}

// Operands that are sums themselves, and which no other op reads: in their place their terms may be
// added. By the value that is the sum.
using InnerForms = std::map<const Value*, AffineForm>;

// A sum under construction. Factors and constant have the shape of its constants, which is
// broadcast to the result's in the end: a sum without constants has one of each.
class Sum {
 public:
  Sum(const Op& op, const InnerForms& inner) : result_(*op.result()), inner_(inner) {
    for (const Value* operand : op.operands()) {
      auto it = inner.find(operand);
      if (constantOf(*operand) != nullptr) {
        widen(operand->type().shape);
      } else if (it != inner.end()) {
        widen(it->second.constant.shape);
      }
    }
    if (op.is("tensor.trilu")) widen(result_.type().shape);
    form_.constant = Array::zeros(ir::Element::kFloat, shape_);
  }

  llvm::ArrayRef<int64_t> shape() const { return shape_; }

  // Adds weight * operand, the weight by element. False if the operand is no float.
  bool add(Value* operand, const Array& weight) {
    if (!isFloat(*operand)) return false;
    if (std::optional<Array> constant = arrayOf(*operand)) {
      addConstant(spread(*constant, shape_), weight);
    } else if (auto it = inner_.find(operand); it != inner_.end()) {
      for (const AffineForm::Term& term : it->second.terms) {
        Array factor = spread(term.factor, shape_);
        for (size_t i = 0; i < factor.reals.size(); ++i) factor.reals[i] *= weight.reals[i];
        add(term.value, factor);
      }
      addConstant(spread(it->second.constant, shape_), weight);
    } else if (auto term = llvm::find_if(form_.terms, [&](auto& t) { return t.value == operand; });
               term != form_.terms.end()) {
      for (size_t i = 0; i < weight.reals.size(); ++i) term->factor.reals[i] += weight.reals[i];
    } else {
      form_.terms.push_back({operand, weight});
    }
    return true;
  }

  Array all(double value) const {
    Array array = form_.constant;
    array.reals.assign(array.reals.size(), value);
    return array;
  }

  std::optional<AffineForm> finish() {
    if (form_.terms.empty() || form_.terms.size() > 2) return std::nullopt;
    auto finite = [](const Array& array) {
      return llvm::all_of(array.reals, [](double x) { return std::isfinite(x); });
    };
    if (!finite(form_.constant)) return std::nullopt;
    for (const AffineForm::Term& term : form_.terms) {
      if (!finite(term.factor)) return std::nullopt;
    }
    return std::move(form_);
  }

 private:
  void widen(llvm::ArrayRef<int64_t> shape) {
    if (auto wider = ir::tensor::broadcast(shape_, shape))
      shape_.assign(wider->begin(), wider->end());
  }

  void addConstant(const Array& constant, const Array& weight) {
    for (size_t i = 0; i < weight.reals.size(); ++i) {
      if (weight.reals[i] == 0) continue;  // not even of infinity
      const double value = constant.reals[i] * weight.reals[i];
      if (value > kMasked || !ofScores()) {
        form_.constant.reals[i] += value;
        continue;
      }
      if (form_.masks.empty()) form_.masks.assign(weight.reals.size(), 0);
      form_.masks[i] += value;
    }
  }

  // Elsewhere a large constant masks nothing.
  bool ofScores() {
    if (!scores_) scores_ = isScores(result_);
    return *scores_;
  }

  const Value& result_;
  std::vector<int64_t> shape_;
  std::optional<bool> scores_;
  const InnerForms& inner_;
  AffineForm form_;
};

std::optional<AffineForm> selection(const Op& op, const InnerForms& inner) {
  std::optional<Array> condition = arrayOf(*op.operand(0));
  if (!condition) return std::nullopt;
  Sum sum(op, inner);
  const Array chosen = spread(*condition, sum.shape());
  Array other = chosen;
  for (double& value : other.reals) value = 1 - value;
  if (!sum.add(op.operand(1), chosen) || !sum.add(op.operand(2), other)) return std::nullopt;
  return sum.finish();
}

std::optional<AffineForm> scaled(const Op& op, const InnerForms& inner) {
  for (unsigned i : {1u, 0u}) {
    std::optional<Array> factor = arrayOf(*op.operand(i));
    if (!factor || !factor->isReal() || (i == 0 && op.is("tensor.div"))) continue;
    if (op.is("tensor.div")) {
      for (double& value : factor->reals) value = 1 / value;
    }
    Sum sum(op, inner);
    if (!sum.add(op.operand(1 - i), spread(*factor, sum.shape()))) continue;
    return sum.finish();
  }
  return std::nullopt;
}

// The triangle, of a matrix of ones.
std::optional<AffineForm> triangle(const Op& op, const InnerForms& inner) {
  Sum sum(op, inner);
  const Array ones = sum.all(1);
  absl::StatusOr<Array> mask = ir::tensor::evaluate(op, {&ones});
  if (!mask.ok() || !sum.add(op.operand(0), *mask)) return std::nullopt;
  return sum.finish();
}

}  // namespace

Array spread(const Array& array, llvm::ArrayRef<int64_t> shape) {
  Array out = Array::zeros(ir::Element::kFloat, shape);
  const std::vector<int64_t> from = ir::tensor::broadcastElements(array.shape, shape);
  for (auto [value, at] : llvm::zip(out.reals, from))
    value = array.isReal() ? array.reals[at] : static_cast<double>(array.integers[at]);
  return out;
}

bool isCopy(const Op& op) {
  if (op.numResults() != 1 || !isFloat(*op.result())) return false;
  if (op.is("tensor.gather")) return constantOf(*op.operand(1)) != nullptr;
  return llvm::StringSwitch<bool>(op.name())
      .Cases("tensor.transpose", "tensor.reshape", "tensor.expand", "tensor.slice", "tensor.concat",
             "tensor.within", true)
      .Default(false);
}

llvm::ArrayRef<Value*> copiedOperands(const Op& op) {
  return op.is("tensor.gather") ? op.operands().take_front() : op.operands();
}

bool copiesOne(const Op& op) { return isCopy(op) && copiedOperands(op).size() == 1; }

bool isReadOnlyBy(const Value& value, llvm::function_ref<bool(const Op&)> such) {
  llvm::SmallVector<const Value*> copies = {&value};
  while (!copies.empty()) {
    const Value& copy = *copies.pop_back_val();
    if (copy.users().empty()) return false;
    for (const Op* reader : copy.users()) {
      if (such(*reader)) continue;
      if (!copiesOne(*reader)) return false;
      copies.push_back(reader->result());
    }
  }
  return true;
}

absl::StatusOr<std::vector<int64_t>> copiedElements(const Op& op) {
  std::vector<Array> arrays;
  double next = 0;
  for (const Value* operand : copiedOperands(op)) {
    Array numbers = Array::zeros(ir::Element::kFloat, operand->type().shape);
    std::iota(numbers.reals.begin(), numbers.reals.end(), next);
    next += static_cast<double>(numbers.reals.size());
    arrays.push_back(std::move(numbers));
  }
  for (const Value* operand : op.operands().drop_front(arrays.size())) {
    absl::StatusOr<Array> constant = ir::tensor::readConstant(*constantOf(*operand));
    if (!constant.ok()) return constant.status();
    arrays.push_back(*std::move(constant));
  }
  std::vector<const Array*> operands;
  for (const Array& array : arrays) operands.push_back(&array);
  absl::StatusOr<Array> moved = ir::tensor::evaluate(op, operands);
  if (!moved.ok()) return moved.status();
  return std::vector<int64_t>(moved->reals.begin(), moved->reals.end());
}

double AffineForm::largestFactor(size_t term) const {
  double largest = 0;
  for (double x : terms[term].factor.reals) largest = std::max(largest, std::abs(x));
  return largest;
}

double AffineForm::largestConstant() const {
  double largest = 0;
  for (double x : constant.reals) largest = std::max(largest, std::abs(x));
  return largest;
}

namespace {

std::optional<AffineForm> formWith(const Op& op, const InnerForms& inner) {
  if (op.is("tensor.where")) return selection(op, inner);
  if (op.is("tensor.mul") || op.is("tensor.div")) return scaled(op, inner);
  if (op.is("tensor.trilu")) return triangle(op, inner);
  Sum sum(op, inner);
  const bool difference = op.is("tensor.sub");
  if (op.is("tensor.neg")) {
    if (!sum.add(op.operand(0), sum.all(-1))) return std::nullopt;
  } else if (op.is("tensor.add") || difference) {
    if (!sum.add(op.operand(0), sum.all(1))) return std::nullopt;
    if (!sum.add(op.operand(1), sum.all(difference ? -1 : 1))) return std::nullopt;
  } else {
    return std::nullopt;
  }
  return sum.finish();
}

// The most sums that become one: a chain may be long.
constexpr size_t kMostInner = 16;

// The sum that an operand is, if nothing but its reader's sum needs it.
const Op* innerSum(const Value& operand) {
  const Op* op = operand.definingOp();
  return op && operand.hasOneUse() && isAffine(*op) && standsAlone(*op) ? op : nullptr;
}

// May the sum, with all that may be part of it, be part of another?
bool isSmall(const Op& sum) {
  llvm::SmallVector<const Op*, kMostInner + 1> sums = {&sum};
  for (size_t i = 0; i < sums.size(); ++i) {
    for (const Value* operand : sums[i]->operands()) {
      if (const Op* inner = innerSum(*operand)) sums.push_back(inner);
    }
    if (sums.size() > kMostInner) return false;
  }
  return true;
}

std::optional<AffineForm> compactForm(const Op& op);

// The operand as a sum in place of which its terms may stand.
std::optional<AffineForm> innerForm(const Value& operand) {
  const Op* op = innerSum(operand);
  if (op == nullptr || !isSmall(*op)) return std::nullopt;
  std::optional<AffineForm> form = compactForm(*op);
  // A constant that might be taken for a mask stays apart.
  if (form && (!form->masks.empty() || form->largestConstant() >= -kMasked)) return std::nullopt;
  return form;
}

// The affine form, of the shape that Sum gives it.
std::optional<AffineForm> compactForm(const Op& op) {
  if (op.numResults() != 1 || !isFloat(*op.result())) return std::nullopt;
  InnerForms inner;
  for (const Value* operand : op.operands()) {
    if (std::optional<AffineForm> form = innerForm(*operand)) inner[operand] = *std::move(form);
  }
  // As many of the operands as leave two terms.
  std::optional<AffineForm> form = formWith(op, inner);
  for (auto it = inner.begin(); !form && it != inner.end(); ++it) form = formWith(op, {*it});
  if (!form && !inner.empty()) form = formWith(op, {});
  return form;
}

}  // namespace

bool hasAffineForm(const Op& op) { return compactForm(op).has_value(); }

std::optional<AffineForm> affineForm(const Op& op) {
  std::optional<AffineForm> form = compactForm(op);
  if (!form) return form;
  const llvm::ArrayRef<int64_t> shape = op.result()->type().shape;
  if (llvm::ArrayRef<int64_t>(form->constant.shape) == shape) return form;
  for (AffineForm::Term& term : form->terms) term.factor = spread(term.factor, shape);
  if (!form->masks.empty())
    form->masks = spread(Array::real(form->constant.shape, form->masks), shape).reals;
  form->constant = spread(form->constant, shape);
  return form;
}

bool isPartOfSum(const Op& op) {
  if (op.numResults() != 1 || !op.result()->hasOneUse()) return false;
  const Op& reader = *op.result()->users().front();
  if (!isAffine(reader) || !standsAlone(reader) || !innerForm(*op.result())) return false;
  const std::optional<AffineForm> form = compactForm(reader);
  return form && llvm::none_of(form->terms, [&](const AffineForm::Term& term) {
           return term.value == op.result();
         });
}

std::vector<int64_t> reducedAxes(const Op& op) {
  std::vector<int64_t> axes = op.intsAttr("axes").vec();
  llvm::sort(axes);
  return axes;
}

int64_t reducedElements(const Op& op) {
  int64_t count = 1;
  for (int64_t axis : op.intsAttr("axes")) count *= op.operand(0)->type().shape[axis];
  return count;
}

bool isAffine(const Op& op) {
  if (op.numResults() != 1 || !isFloat(*op.result())) return false;
  if (op.is("tensor.neg") || op.is("tensor.trilu")) return true;
  auto constant = [&](unsigned i) { return constantOf(*op.operand(i)) != nullptr; };
  if (op.is("tensor.add") || op.is("tensor.sub")) return !constant(0) || !constant(1);
  if (op.is("tensor.mul")) return constant(0) != constant(1);
  if (op.is("tensor.div")) return constant(1) && !constant(0);
  return op.is("tensor.where") && constant(0) && !(constant(1) && constant(2));
}

bool isNumber(const Op& op) { return op.is("tensor.cast") && op.has("low"); }

bool isWholeQuotient(const Op& op) { return op.is("tensor.whole_quotient"); }

bool isQuotient(const Op& op) {
  return op.is("tensor.div") && isFloat(*op.result()) && constantOf(*op.operand(1)) == nullptr;
}

bool isGeneral(const Op& op) {
  if (op.numResults() != 1 || !isFloat(*op.result())) return false;
  if (op.is("tensor.softmax") || op.is("tensor.mask") || isLimb(op)) return true;
  if (op.is("tensor.matmul") || isCopy(op) || isNumber(op) || isWholeQuotient(op)) return true;
  if (op.is("tensor.reduce_sum") || op.is("tensor.reduce_mean")) return true;
  return isQuotient(op) || isAffine(op);
}

}  // namespace lindero::passes
