// Lowering of masks that no sum sets (masks.h): a softmax sets those of what it reads.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/quantize/lowering.h"

namespace lindero::passes {

using ir::Op;
using ir::Type;
using ir::Value;
using ir::tensor::Array;

namespace {

// Finer ones gain nothing, and leave no room for the gap in a sum of kMostBits.
constexpr int kFinestScores = 16;
constexpr int kMostBits = 27;
constexpr int kConstantBits = 16;

int64_t magnitude(const Value& value) { return std::max(-value.type().low, value.type().high); }

// kMaskGap in the units of x.
int64_t gapOf(const Value& x) {
  return static_cast<int64_t>(std::ceil(std::ldexp(kMaskGap, x.type().exponent)));
}

// A masked score of the model is at most its mask + |s|, an open one at least -|s|.
absl::Status checkLevel(double level, double most) {
  const double needed = 2 * most + kMaskGap;
  if (level <= -needed) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("its mask puts scores at ", level, ", and others may reach ", most,
                   ": masked ones would count unless the mask is ", -needed,
                   " or less; export the model with -inf, or with the lowest number of its type"));
}

}  // namespace

absl::StatusOr<double> Lowering::reach(const Value& scores) {
  if (auto it = reach_.find(&scores); it != reach_.end()) return it->second;
  double reach = 0;
  if (const ir::Constant* constant = constantOf(scores)) {
    absl::StatusOr<Array> array = ir::tensor::readConstant(*constant);
    if (!array.ok()) return array.status();
    for (double x : withoutMasks(*std::move(array)).reals) reach = std::max(reach, std::abs(x));
  } else if (masks_.of(scores).empty()) {
    absl::StatusOr<const Stored*> form = plain(scores);
    if (!form.ok()) return form.status();
    reach = std::ldexp(static_cast<double>(magnitude(*(*form)->value)),
                       -*llvm::min_element((*form)->exponents));
  } else if (const Op& op = *scores.definingOp(); isCopy(op)) {
    for (const Value* operand : copiedOperands(op)) {
      absl::StatusOr<double> one = this->reach(*operand);
      if (!one.ok()) return one.status();
      reach = std::max(reach, *one);
    }
  } else {
    const std::optional<AffineForm> form = affineForm(op);
    reach = form->largestConstant();
    for (size_t i = 0; i < form->terms.size(); ++i) {
      absl::StatusOr<double> one = this->reach(*form->terms[i].value);
      if (!one.ok()) return one.status();
      reach += form->largestFactor(i) * *one;
    }
  }
  return reach_[&scores] = reach;
}

absl::StatusOr<Value*> Lowering::masked(const Op& softmax, Value* scores) {
  const Value& read = *softmax.operand(0);
  const std::vector<double>& levels = masks_.of(read);
  if (levels.empty()) return scores;
  absl::StatusOr<double> most = reach(read);
  if (!most.ok()) return most.status();
  double level = -std::numeric_limits<double>::infinity();
  for (double masked : levels) level = std::max(level, masked < 0 ? masked : level);
  if (absl::Status status = checkLevel(level, *most); !status.ok()) return status;
  if (haveMasksSet(read, masks_)) return scores;
  Value* x = narrowed(scores, scores->type().exponent - kFinestScores);
  const auto below = static_cast<int32_t>(magnitude(*x) + gapOf(*x));
  std::vector<int32_t> factors, addends;
  for (double level : levels) {
    factors.push_back(level < 0 ? 0 : 1);
    addends.push_back(level < 0 ? -below : 0);
  }
  const llvm::ArrayRef<int64_t> shape = read.type().shape;
  return exactSum({x, narrowConstant("open", shape, factors, 0, kExact),
                   narrowConstant("masked", shape, addends, x->type().exponent, kExact)},
                  magnitude(*x) + below);
}

absl::StatusOr<Value*> Lowering::exactSum(llvm::ArrayRef<Value*> operands, int64_t bound) {
  int64_t bits = 17;
  while (bound >= int64_t{1} << (bits - 1)) ++bits;
  if (bits > kMostBits) {
    return absl::OutOfRangeError(absl::StrCat("its scores may reach ", magnitude(*operands[0]),
                                              ", which leaves no room for masked ones below them"));
  }
  const Type& type = operands[0]->type();
  return builder_.value("integer.affine", operands,
                        Type::fixed(type.shape, type.exponent, -bound, bound),
                        {{"shift", int64_t{0}}, {"bits", bits}});
}

// What a choice takes, by a mask: x where it is open and x - below elsewhere, exact. Of what it
// adds no more is kept than puts all that is closed below all that is open.
absl::Status Lowering::lowerChoiceMask(const Op& op) {
  absl::StatusOr<Value*> x = factor(*op.operand(0), kConstantBits);
  if (!x.ok()) return x.status();
  const int exponent = (*x)->type().exponent;
  int64_t below = 2 * magnitude(**x) + 1;
  if (op.has("added") && op.boolAttr("added")) {
    const double level = std::floor(std::ldexp(-op.floatAttr("masked"), exponent) + 0.5);
    below = static_cast<int64_t>(std::min(level, static_cast<double>(below)));
  } else if (op.has("masked")) {
    absl::StatusOr<double> most = reach(*op.operand(0));
    if (!most.ok()) return most.status();
    // Of numbers that single precision leaves nothing of beside the mask, all are one (kAbsorbs).
    const double counted = op.floatAttr("masked") <= kAbsorbs ? *most * 0x1p24 : *most;
    if (absl::Status status = checkLevel(op.floatAttr("masked"), counted); !status.ok())
      return status;
  }
  const int64_t bound = magnitude(**x) + below;
  if (bound >= int64_t{1} << (kMostBits - 1))
    return absl::OutOfRangeError("its values have no room for closed ones below them");
  const llvm::ArrayRef<int64_t> shape = op.result()->type().shape;
  Value* one = narrowConstant("one", {1}, {1}, 0, kExact);
  absl::StatusOr<Value*> sum;
  if (const ir::Constant* constant = constantOf(*op.operand(1))) {
    absl::StatusOr<Array> open = ir::tensor::readConstant(*constant);
    if (!open.ok()) return open.status();
    std::vector<int32_t> addends;
    for (double is : lindero::passes::spread(*open, shape).reals)
      addends.push_back(is != 0 ? 0 : -static_cast<int32_t>(below));
    sum = exactSum({*x, one, narrowConstant("masked", shape, addends, exponent, kExact)}, bound);
  } else {
    absl::StatusOr<Value*> open = form(*op.operand(1));
    if (!open.ok()) return open.status();
    Value* bits = spread(narrowed(*open, (*open)->type().exponent), shape);
    const auto gap = static_cast<int32_t>(below);
    sum = exactSum({*x, one, narrowConstant("masked", {1}, {-gap}, exponent, kExact), bits,
                    narrowConstant("open", {1}, {gap}, exponent, kExact)},
                   magnitude(**x) + (1 + magnitude(*bits)) * below);
  }
  if (!sum.ok()) return sum.status();
  keep(*op.result(), storedAs(*sum), kChoice);
  return absl::OkStatus();
}

// Of a value that choices read with masks that are as far as this allows.
absl::Status Lowering::checkWithin(const Op& op) {
  absl::StatusOr<double> most = reach(*op.operand(0));
  if (!most.ok()) return most.status();
  if (*most <= op.floatAttr("most")) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("a mask closes some of what is chosen from, which may reach ", *most,
                   ", and it is known to hide no more than ", op.floatAttr("most"),
                   "; export the model with -inf, or with the lowest number of its type, or scale "
                   "the values down"));
}

// x + below * open - below: exact, and below all others where nothing is open.
absl::Status Lowering::lowerMask(const Op& op) {
  if (isChoiceMask(op)) return lowerChoiceMask(op);
  absl::StatusOr<Value*> scores = factor(*op.operand(0), kConstantBits),
                         open = form(*op.operand(1));
  if (!scores.ok()) return scores.status();
  if (!open.ok()) return open.status();
  absl::StatusOr<double> most = reach(*op.operand(0));
  if (!most.ok()) return most.status();
  if (op.has("masked")) {
    if (absl::Status status = checkLevel(op.floatAttr("masked"), *most); !status.ok())
      return status;
  }
  Value* x = narrowed(*scores, (*scores)->type().exponent - kFinestScores);
  const int64_t below = 2 * magnitude(*x) + gapOf(*x);
  if (below > std::numeric_limits<int32_t>::max())
    return absl::OutOfRangeError("its scores are too fine");
  const int exponent = x->type().exponent;
  Value* bits = spread(narrowed(*open, (*open)->type().exponent), op.result()->type().shape);
  absl::StatusOr<Value*> sum =
      exactSum({x, narrowConstant("one", {1}, {1}, 0, kExact),
                narrowConstant("masked", {1}, {-static_cast<int32_t>(below)}, exponent, kExact),
                bits, narrowConstant("open", {1}, {static_cast<int32_t>(below)}, exponent, kExact)},
               magnitude(*x) + (1 + magnitude(*bits)) * below);
  if (!sum.ok()) return sum.status();
  keep(*op.result(), storedAs(*sum), "score");
  return absl::OkStatus();
}

}  // namespace lindero::passes
