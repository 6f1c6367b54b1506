#include "passes/import_cleanup/support/closed_parts.h"

#include <algorithm>
#include <cmath>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/quantize/general.h"
#include "passes/quantize/masks.h"

namespace lindero::passes {
namespace {

using ir::Element;
using ir::Op;
using ir::Value;
using ir::tensor::Array;
using Parts = ClosedParts;

constexpr int kDeepest = 64, kMostVisits = 1024;

Side opposite(Side side) { return side == Side::kBelow ? Side::kAbove : Side::kBelow; }

// The number as it is on the side below.
double seen(double x, Side side) { return side == Side::kBelow ? x : -x; }

}  // namespace

PartsFinder::Result PartsFinder::partsOf(Value* value, Side side, int depth) {
  const Parts leaf{.rest = value};
  if (isConstant(value)) return ofConstant(value, side);
  Op* op = value->definingOp();
  if (op == nullptr || depth > kDeepest || value->type().element != Element::kFloat) return leaf;
  if (++visits_ > kMostVisits) return leaf;  // not a tree: what many read is visited as often
  IR_ASSIGN_OR_RETURN(Parts parts, ofTruth(value, side, depth));
  if (parts.closes()) return parts;
  parts = leaf;
  if (op->is("tensor.add") || op->is("tensor.sub")) {
    IR_ASSIGN_OR_RETURN(parts, ofSum(*op, side, depth));
  } else if (op->is("tensor.where")) {
    IR_ASSIGN_OR_RETURN(parts, ofChoice(*op, side, depth));
  } else if (op->is("tensor.mul") || op->is("tensor.div")) {
    IR_ASSIGN_OR_RETURN(parts, ofProduct(*op, side, depth));
  } else if (op->is("tensor.neg")) {
    IR_ASSIGN_OR_RETURN(parts, ofNegative(*op, side, depth));
  } else if (op->is("tensor.min") || op->is("tensor.max")) {
    const bool limits = op->is("tensor.max") == (side == Side::kBelow);
    IR_ASSIGN_OR_RETURN(parts, limits ? ofLimit(*op, side, depth) : ofBound(*op, side, depth));
  } else if (op->is("tensor.concat")) {
    IR_ASSIGN_OR_RETURN(parts, ofJoined(*op, side, depth));
  } else if (copiesOne(*op)) {
    IR_ASSIGN_OR_RETURN(parts, ofCopy(*op, side, depth));
  }
  return parts.closes() ? parts : leaf;
}

PartsFinder::Result PartsFinder::ofConstant(Value* value, Side side) {
  Parts parts{.rest = value};
  std::optional<Array> array = arrayOf(value);
  if (!array || !array->isReal()) return parts;
  Array closed = Array::zeros(Element::kBool, array->shape);
  bool any = false, all = true, zero = true;
  std::optional<double> first;
  for (size_t i = 0; i < array->reals.size(); ++i) {
    double& x = array->reals[i];
    const double level = seen(x, side);
    closed.integers[i] = level <= kMasked;
    any |= level <= kMasked;
    all &= level <= kMasked;
    if (level <= kMasked) {
      parts.exact &= level == first.value_or(level);
      first = level;
      parts.level = std::max(parts.level, level);
      x = 0;
    }
    zero &= x == 0;
  }
  if (zero) parts.rest = nullptr;
  if (!any) return parts;
  parts.added = parts.exact;
  if (!zero) parts.rest = constant(*array);
  parts.everything = all;
  if (!all) parts.closed = constant(closed);
  return parts;
}

// A function of one truth value that masks in one of the two cases.
PartsFinder::Result PartsFinder::ofTruth(Value* value, Side side, int depth) {
  IR_ASSIGN_OR_RETURN(const Truth truth, truthOf(value, depth));
  return ofTwo(truth, value, side);
}

PartsFinder::Result PartsFinder::ofTwo(const Truth& truth, Value* value, Side side) {
  const auto [at_zero, at_one] = truth.numbers;
  const double zero = seen(at_zero, side), one = seen(at_one, side);
  const double open = zero <= kMasked ? one : zero;
  const bool closes =
      truth.value != nullptr && (zero <= kMasked) != (one <= kMasked) && std::abs(open) < -kMasked;
  if (!closes) return Parts{.rest = value};
  Parts parts;
  parts.level = std::min(zero, one);
  parts.computed = true;
  parts.added = open == 0;
  if (open != 0) parts.rest = constant(Array::real({}, {seen(open, side)}));
  parts.closed = truth.value;
  if (truth.value->type().element != Element::kBool) {
    IR_ASSIGN_OR_RETURN(Value * real, asReal(truth.value));
    IR_ASSIGN_OR_RETURN(parts.closed,
                        emit("tensor.greater", {real, constant(Array::real({}, {0}))}));
  }
  if (zero <= kMasked) {
    IR_ASSIGN_OR_RETURN(parts.closed, emit("tensor.not", {parts.closed}));
  }
  return parts;
}

// Values within 0 and 1 are what other numbers are functions of.
absl::StatusOr<PartsFinder::Truth> PartsFinder::truthOf(Value* value, int depth) {
  if (isConstant(value) || depth > kDeepest) return Truth();
  const std::optional<WholeRange> range = ranges_.of(value);
  if (range && range->low >= 0 && range->high <= 1) return Truth{.value = value};
  Op* op = value->definingOp();
  if (op == nullptr || (!range && value->type().element != Element::kFloat)) return Truth();
  Value* only = nullptr;
  for (Value* operand : op->operands()) {
    if (isConstant(operand)) continue;
    if (only != nullptr) return Truth();
    only = operand;
  }
  const bool copies = copiesOne(*op) && only == op->operand(0);
  if (only == nullptr || !(copies || isElementwise(*op))) return Truth();
  IR_ASSIGN_OR_RETURN(Truth truth, truthOf(only, depth + 1));
  if (truth.value == nullptr) return truth;
  if (copies) {
    llvm::SmallVector<Value*, 2> operands(op->operands().begin(), op->operands().end());
    IR_ASSIGN_OR_RETURN(operands[0], expanded(truth.value, only->type().shape));
    IR_ASSIGN_OR_RETURN(truth.value, emit(op->name(), operands, op->attributes()));
    return truth;
  }
  const std::optional<TwoNumbers> numbers =
      twoNumbersOf(*op, [&](const Value* operand) -> std::optional<TwoNumbers> {
        return operand == only ? std::optional(truth.numbers) : std::nullopt;
      });
  if (!numbers) return Truth();
  truth.numbers = *numbers;
  IR_ASSIGN_OR_RETURN(truth.value, expanded(truth.value, value->type().shape));
  return truth;
}

// Terms of a sum that mask together only, wherever they stand in it: s - 1e4 + m * 1e4. Numbers
// beside which single precision drops what is added to them are no terms of such.
PartsFinder::Result PartsFinder::ofTerms(Op& sum, Side side, int depth) {
  constexpr double kKeeps = 65536;
  struct Term {
    Value* value;
    bool negated;
  };
  Truth truth;
  std::vector<Term> left = {{sum.result(), false}}, others;
  double constants = 0, most = 0;
  bool has_constants = false;
  while (!left.empty()) {
    const Term term = left.back();
    left.pop_back();
    const double sign = term.negated ? -1 : 1;
    if (const std::optional<double> number = scalarOf(term.value)) {
      constants += sign * *number;
      most = std::max(most, std::abs(*number));
      has_constants = true;
      continue;
    }
    IR_ASSIGN_OR_RETURN(const Truth one, truthOf(term.value, depth + 1));
    const double range = std::abs(one.numbers.at_one - one.numbers.at_zero);
    if (one.value != nullptr && range >= -kMasked) {
      if (truth.value != nullptr) return Parts{.rest = sum.result()};
      truth = one;
      most = std::max({most, std::abs(one.numbers.at_zero), std::abs(one.numbers.at_one)});
      truth.numbers = {sign * one.numbers.at_zero, sign * one.numbers.at_one};
      continue;
    }
    Op* op = term.value->definingOp();
    const bool adds = isOp(term.value, "tensor.add"), subtracts = isOp(term.value, "tensor.sub");
    if ((adds || subtracts) && left.size() + others.size() < kDeepest) {
      left.push_back({op->operand(1), term.negated != subtracts});
      left.push_back({op->operand(0), term.negated});
    } else {
      others.push_back(term);
    }
  }
  if (truth.value == nullptr || !has_constants || others.empty() || !(most <= kKeeps))
    return Parts{.rest = sum.result()};
  truth.numbers.at_zero += constants;
  truth.numbers.at_one += constants;
  IR_ASSIGN_OR_RETURN(const Parts mask, ofTwo(truth, sum.result(), side));
  if (!mask.closes()) return mask;
  Value* rest = nullptr;
  for (const Term& term : others) {
    if (rest != nullptr) {
      IR_ASSIGN_OR_RETURN(rest,
                          emit(term.negated ? "tensor.sub" : "tensor.add", {rest, term.value}));
    } else if (term.negated) {
      IR_ASSIGN_OR_RETURN(rest, emit("tensor.neg", {term.value}));
    } else {
      rest = term.value;
    }
  }
  IR_ASSIGN_OR_RETURN(const Parts parts, partsOf(rest, side, depth + 1));
  return sumOf(parts, mask, "tensor.add");
}

PartsFinder::Result PartsFinder::ofSum(Op& op, Side side, int depth) {
  IR_ASSIGN_OR_RETURN(const Parts terms, ofTerms(op, side, depth));
  if (terms.closes()) return terms;
  const bool difference = op.is("tensor.sub");
  IR_ASSIGN_OR_RETURN(const Parts a, partsOf(op.operand(0), side, depth + 1));
  IR_ASSIGN_OR_RETURN(const Parts b,
                      partsOf(op.operand(1), difference ? opposite(side) : side, depth + 1));
  return sumOf(a, b, op.name());
}

PartsFinder::Result PartsFinder::sumOf(const Parts& a, const Parts& b, llvm::StringRef name) {
  const bool difference = name == "tensor.sub";
  IR_ASSIGN_OR_RETURN(Parts sum, either(a, b));
  const bool both = a.closes() && b.closes();
  sum.exact &= !both && sum.level <= kAbsorbs;
  sum.added = !both && (a.closes() ? a : b).added;
  if (a.rest == nullptr && !difference) {
    sum.rest = b.rest;
  } else if (b.rest == nullptr) {
    sum.rest = a.rest;
  } else if (a.rest != nullptr) {
    IR_ASSIGN_OR_RETURN(sum.rest, emit(name, {a.rest, b.rest}));
  } else {
    IR_ASSIGN_OR_RETURN(sum.rest, emit("tensor.neg", {b.rest}));
  }
  return sum;
}

// Closed where one of them is; not yet what the rest is.
PartsFinder::Result PartsFinder::either(const Parts& a, const Parts& b) {
  Parts parts;
  parts.exact = a.exact && b.exact;
  parts.everything = a.everything || b.everything;
  parts.computed = a.computed || b.computed;
  parts.level = std::max(a.level, b.level);
  IR_ASSIGN_OR_RETURN(parts.closed, disjunction(a.closed, b.closed));
  return parts;
}

PartsFinder::Result PartsFinder::ofChoice(Op& op, Side side, int depth) {
  Value* condition = op.operand(0);
  IR_ASSIGN_OR_RETURN(const Parts a, partsOf(op.operand(1), side, depth + 1));
  IR_ASSIGN_OR_RETURN(const Parts b, partsOf(op.operand(2), side, depth + 1));
  if (!a.closes() && !b.closes()) return Parts{.rest = op.result()};
  IR_ASSIGN_OR_RETURN(Parts parts, either(a, b));
  parts.exact &= !(a.closes() && b.closes()) || a.level == b.level;
  parts.everything = a.everything && b.everything;
  parts.computed |= !isConstant(condition);
  IR_ASSIGN_OR_RETURN(Value * inverse, emit("tensor.not", {condition}));
  // condition and a closed, or neither condition nor b open
  Value *first = condition, *second = inverse;
  if (!a.everything) {
    first = nullptr;
    if (a.closed != nullptr) {
      IR_ASSIGN_OR_RETURN(first, emit("tensor.and", {condition, a.closed}));
    }
  }
  if (!b.everything) {
    second = nullptr;
    if (b.closed != nullptr) {
      IR_ASSIGN_OR_RETURN(second, emit("tensor.and", {inverse, b.closed}));
    }
  }
  IR_ASSIGN_OR_RETURN(parts.closed, disjunction(first, second));
  if (a.everything || b.everything) {
    parts.rest = a.everything ? b.rest : a.rest;
  } else if (a.rest != nullptr || b.rest != nullptr) {
    Value* zero = constant(Array::real({}, {0}));
    IR_ASSIGN_OR_RETURN(parts.rest, emit("tensor.where", {condition, a.rest ? a.rest : zero,
                                                          b.rest ? b.rest : zero}));
  }
  parts.added = parts.rest == nullptr && parts.exact;
  return parts;
}

PartsFinder::Result PartsFinder::ofProduct(Op& op, Side side, int depth) {
  std::optional<WithConstant> split = splitConstant(op);
  std::optional<double> factor = split ? scalarOf(split->constant) : std::nullopt;
  if (!factor || !std::isfinite(*factor) || (op.is("tensor.div") && split->constant_first))
    return Parts{.rest = op.result()};
  if (op.is("tensor.div")) factor = 1 / *factor;
  IR_ASSIGN_OR_RETURN(Parts parts, ofMultiple(split->value, *factor, side));
  if (parts.closes()) return parts;
  if (!std::isfinite(*factor) || *factor == 0) return Parts{.rest = op.result()};
  IR_ASSIGN_OR_RETURN(parts, partsOf(split->value, *factor > 0 ? side : opposite(side), depth + 1));
  parts.level *= std::abs(*factor);
  if (!parts.closes() || parts.level > kMasked) return Parts{.rest = op.result()};
  if (parts.rest == nullptr) return parts;
  llvm::SmallVector<Value*, 2> operands = {parts.rest, split->constant};
  if (split->constant_first) std::swap(operands[0], operands[1]);
  IR_ASSIGN_OR_RETURN(parts.rest, emit(op.name(), operands));
  return parts;
}

// A factor times what is a whole number and not negative: closed where it is not 0.
PartsFinder::Result PartsFinder::ofMultiple(Value* value, double factor, Side side) {
  const Parts none{.rest = value};
  if (value->type().element != Element::kFloat) return none;
  if (isOp(value, "tensor.mul")) {
    std::optional<WithConstant> split = splitConstant(*value->definingOp());
    std::optional<double> more = split ? scalarOf(split->constant) : std::nullopt;
    if (more) return ofMultiple(split->value, factor * *more, side);
  }
  const std::optional<WholeRange> range = ranges_.of(value);
  if (!(seen(factor, side) <= kMasked) || !std::isfinite(factor) || !range || range->low < 0 ||
      isConstant(value))
    return none;
  Parts parts;
  parts.level = seen(factor, side);
  parts.exact = range->high <= 1;
  parts.added = parts.exact;
  parts.computed = true;
  IR_ASSIGN_OR_RETURN(parts.closed,
                      emit("tensor.greater", {value, constant(Array::real({}, {0}))}));
  return parts;
}

PartsFinder::Result PartsFinder::ofNegative(Op& op, Side side, int depth) {
  IR_ASSIGN_OR_RETURN(Parts parts, partsOf(op.operand(0), opposite(side), depth + 1));
  if (!parts.closes() || parts.rest == nullptr) return parts;
  IR_ASSIGN_OR_RETURN(parts.rest, emit("tensor.neg", {parts.rest}));
  return parts;
}

// A floor far below: where it takes the place of an element, that is closed.
PartsFinder::Result PartsFinder::ofLimit(Op& op, Side side, int depth) {
  std::optional<WithConstant> split = splitConstant(op);
  std::optional<double> limit = split ? scalarOf(split->constant) : std::nullopt;
  if (!limit || seen(*limit, side) > kMasked) return Parts{.rest = op.result()};
  const double floor = seen(*limit, side);
  IR_ASSIGN_OR_RETURN(Parts parts, partsOf(split->value, side, depth + 1));
  // A rest above zero lifts what absorbs nothing above the floor.
  parts.exact |= parts.level <= std::min(floor, kAbsorbs);
  parts.level = std::max(parts.level, floor);
  parts.added = false;
  return parts;
}

// A bound on the other side, which what closes elements does not reach: the rest has it. Else
// masks.
PartsFinder::Result PartsFinder::ofBound(Op& op, Side side, int depth) {
  std::optional<WithConstant> split = splitConstant(op);
  std::optional<double> bound = split ? scalarOf(split->constant) : std::nullopt;
  if (!bound || !(seen(*bound, side) >= 0)) return ofMasks(op, side, depth);
  IR_ASSIGN_OR_RETURN(Parts parts, partsOf(split->value, side, depth + 1));
  if (!parts.closes()) return Parts{.rest = op.result()};
  parts.added = parts.added && parts.rest == nullptr;
  if (parts.rest == nullptr) return parts;
  IR_ASSIGN_OR_RETURN(parts.rest, emit(op.name(), {parts.rest, split->constant}));
  return parts;
}

// The farther one of masks alone.
PartsFinder::Result PartsFinder::ofMasks(Op& op, Side side, int depth) {
  IR_ASSIGN_OR_RETURN(const Parts a, partsOf(op.operand(0), side, depth + 1));
  IR_ASSIGN_OR_RETURN(const Parts b, partsOf(op.operand(1), side, depth + 1));
  if (!a.closes() || !b.closes() || a.rest != nullptr || b.rest != nullptr)
    return Parts{.rest = op.result()};
  IR_ASSIGN_OR_RETURN(Parts parts, either(a, b));
  parts.exact &= a.level == b.level;
  parts.added = parts.exact;
  return parts;
}

PartsFinder::Result PartsFinder::ofCopy(Op& op, Side side, int depth) {
  Value* operand = op.operand(0);
  IR_ASSIGN_OR_RETURN(Parts parts, partsOf(operand, side, depth + 1));
  if (!parts.closes()) return parts;
  for (Value** part : {&parts.rest, &parts.closed}) {
    if (*part == nullptr) continue;
    IR_ASSIGN_OR_RETURN(Value * whole, expanded(*part, operand->type().shape));
    llvm::SmallVector<Value*, 2> operands(op.operands().begin(), op.operands().end());
    operands[0] = whole;
    IR_ASSIGN_OR_RETURN(*part, emit(op.name(), operands, op.attributes()));
  }
  return parts;
}

// Beside each other: of keys that are always open, say, and those that a mask is about.
PartsFinder::Result PartsFinder::ofJoined(Op& op, Side side, int depth) {
  std::vector<Parts> list;
  Parts joined;
  joined.everything = joined.added = true;
  bool rests = false;
  for (Value* operand : op.operands()) {
    IR_ASSIGN_OR_RETURN(const Parts parts, partsOf(operand, side, depth + 1));
    rests |= parts.rest != nullptr;
    joined.everything &= parts.everything;
    joined.computed |= parts.computed;
    if (parts.closes()) joined.level = std::max(joined.level, parts.level);
    list.push_back(parts);
  }
  if (llvm::none_of(list, [](const Parts& parts) { return parts.closes(); }))
    return Parts{.rest = op.result()};
  llvm::SmallVector<Value*, 4> rest, closed;
  for (auto [parts, operand] : llvm::zip(list, op.operands())) {
    const auto& shape = operand->type().shape;
    if (parts.closes()) {
      joined.exact &= parts.exact && parts.level == joined.level;
      joined.added &= parts.added && parts.level == joined.level;
    }
    Array all = Array::zeros(Element::kBool, {});
    all.integers[0] = parts.everything;
    Value* which = parts.everything || !parts.closed ? constant(all) : parts.closed;
    IR_ASSIGN_OR_RETURN(which, expanded(which, shape));
    closed.push_back(which);
    if (!rests) continue;
    Value* score = parts.rest ? parts.rest : constant(Array::real({}, {0}));
    IR_ASSIGN_OR_RETURN(score, expanded(score, shape));
    rest.push_back(score);
  }
  if (!joined.everything) {
    IR_ASSIGN_OR_RETURN(joined.closed, emit("tensor.concat", closed, op.attributes()));
  }
  if (rests) {
    IR_ASSIGN_OR_RETURN(joined.rest, emit("tensor.concat", rest, op.attributes()));
  }
  return joined;
}

absl::StatusOr<Value*> PartsFinder::disjunction(Value* a, Value* b) {
  if (a == nullptr || b == nullptr) return a != nullptr ? a : b;
  return emit("tensor.or", {a, b});
}

absl::StatusOr<Value*> PartsFinder::asReal(Value* value) {
  if (value->type().element == Element::kFloat) return value;
  return emit("tensor.cast", {value}, {{"to", std::string("float")}});
}

absl::StatusOr<Value*> PartsFinder::expanded(Value* value, llvm::ArrayRef<int64_t> shape) {
  if (llvm::ArrayRef<int64_t>(value->type().shape) == shape) return value;
  return emit("tensor.expand", {value}, {{"shape", shape.vec()}});
}

absl::StatusOr<Value*> PartsFinder::emit(llvm::StringRef name, llvm::ArrayRef<Value*> operands,
                                         llvm::ArrayRef<ir::NamedAttribute> attributes) {
  IR_ASSIGN_OR_RETURN(Value * value, ir::tensor::create(builder_, name, operands, attributes));
  made_.push_back(value->definingOp());
  return value;
}

Value* PartsFinder::constant(const Array& array) {
  Value* value = makeConstant(builder_, array, "mask");
  made_.push_back(value->definingOp());
  return value;
}

void PartsFinder::eraseUnread() {
  for (Op* op : llvm::reverse(made_)) {
    if (op->result()->users().empty()) op->erase();
  }
  made_.clear();
}

}  // namespace lindero::passes
