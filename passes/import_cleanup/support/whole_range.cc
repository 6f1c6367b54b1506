#include "passes/import_cleanup/support/whole_range.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <vector>

#include "ir/core/op_table.h"
#include "ir/core/post_order.h"
#include "ir/tensor/expression.h"
#include "ir/tensor/scalar_functions.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/quantize/double_interval.h"
#include "passes/quantize/masks.h"

namespace lindero::passes {
namespace {

using ir::Element;
using ir::Op;
using ir::Value;
using ir::tensor::Array;

constexpr double kMost = 0x1p53;

// Of the corners of an operation that is monotonic in each operand.
std::optional<WholeRange> hull(std::initializer_list<double> values) {
  const auto [low, high] = std::minmax(values);
  if (!(-kMost <= low && high <= kMost)) return std::nullopt;
  return WholeRange{static_cast<int64_t>(low), static_cast<int64_t>(high)};
}

std::optional<WholeRange> hull(const WholeRange& a, const WholeRange& b) {
  return WholeRange{std::min(a.low, b.low), std::max(a.high, b.high)};
}

std::optional<WholeRange> ofConstant(const Value* value) {
  const ir::Constant* constant = constantOf(value);
  if (constant == nullptr) return std::nullopt;
  // Weights are not copied: their first element tells.
  const absl::StatusOr<Array> array = ir::tensor::viewConstant(*constant);
  if (!array.ok() || array->elements() == 0) return std::nullopt;
  double low = kMost, high = -kMost;
  auto add = [&](double x) { low = std::min(low, x), high = std::max(high, x); };
  auto isWhole = [&](double x) { return x == std::floor(x) && (add(x), true); };
  if (!llvm::all_of(array->reals, isWhole) || !llvm::all_of(array->floats, isWhole))
    return std::nullopt;
  for (int64_t x : array->integers) add(static_cast<double>(x));
  return hull({low, high});
}

// The operands of which the result has elements, in other places.
llvm::ArrayRef<Value*> moved(const Op& op) {
  if (op.is("tensor.gather")) return op.operands().take_front();
  const bool moves = movesElements(op) || op.is("tensor.reduce_max") || op.is("tensor.reduce_min");
  return moves ? op.operands() : llvm::ArrayRef<Value*>();
}

// Does the op add up what is open?
bool counts(const Op& op) {
  if (op.is("tensor.matmul")) return op.operand(0)->type().shape.back() > 1;
  return op.is("tensor.reduce_sum") || op.is("tensor.reduce_mean");
}

bool compares(const Op& op) {
  return op.is("tensor.equal") || op.is("tensor.less") || op.is("tensor.less_or_equal") ||
         op.is("tensor.greater") || op.is("tensor.greater_or_equal");
}

// Is the comparison one with 0 or 1?
bool comparesTruth(const Op& op) {
  return llvm::any_of(op.operands(), [](const Value* operand) {
    const std::optional<WholeRange> range = ofConstant(operand);
    return range && range->low >= 0 && range->high <= 1;
  });
}

// The rows of the smallest table in which the integers, or some of them, are looked up as they are.
std::optional<int64_t> rowsLookedUp(const Value* integers) {
  std::optional<int64_t> rows;
  std::set<const Value*> seen{integers};
  std::vector<const Value*> left{integers};
  while (!left.empty()) {
    const Value* value = left.back();
    left.pop_back();
    for (const Op* op : value->users()) {
      const unsigned table = op->is("tensor.embedding") ? 1 : 0;
      const bool looked_up =
          op->is("tensor.embedding") || (op->is("tensor.gather") && op->intAttr("axis") == 0 &&
                                         op->operand(1) == value && isConstant(op->operand(0)));
      if (looked_up) {
        const int64_t size = op->operand(table)->type().shape[0];
        rows = std::min(size, rows.value_or(size));
      } else if (movesElements(*op) && llvm::is_contained(moved(*op), value) &&
                 seen.insert(op->result()).second) {
        left.push_back(op->result());
      }
    }
  }
  return rows;
}

bool indexes(const Op& op, const Value* value) {
  return op.is("tensor.gather") && op.operand(1) == value;
}

// Are integers that are functions of the input alone read by what reads other values, too, and is
// none of them an index?
bool feedsArithmetic(const Value* argument) {
  std::set<const Value*> seen{argument};
  std::vector<const Value*> left{argument};
  while (!left.empty()) {
    const Value* value = left.back();
    left.pop_back();
    for (const Op* op : value->users()) {
      const bool of_it = llvm::all_of(op->operands(), [&](const Value* operand) {
        return seen.contains(operand) || isConstant(operand);
      });
      if (op->numResults() == 1 && of_it &&
          (isElementwise(*op) || movesElements(*op) || indexes(*op, value))) {
        if (seen.insert(op->result()).second) left.push_back(op->result());
      } else if (value->type().element == Element::kInt && !indexes(*op, value)) {
        return true;
      }
    }
  }
  return false;
}

bool rounds(const Op& op) {
  return op.is("tensor.round") || op.is("tensor.floor") || op.is("tensor.ceil");
}

// Of a function that has whole values wherever it has any: it rounds all that it is made of.
std::optional<WholeRange> ofFunction(llvm::StringRef text, const std::optional<WholeRange>& x) {
  using ir::tensor::ScalarOp;
  const absl::StatusOr<ir::tensor::Expression> function = ir::tensor::Expression::parse(text);
  if (!function.ok()) return std::nullopt;
  std::vector<bool> whole;
  for (const auto& node : function->nodes()) {
    if (node.function == nullptr) {
      whole.push_back(node.is_variable ? x.has_value() : node.number == std::floor(node.number));
      continue;
    }
    const ScalarOp op = node.function->op;
    const bool of_whole = llvm::all_of(node.operands, [&](size_t i) { return whole[i]; });
    const bool keeps =
        llvm::is_contained({ScalarOp::kAdd, ScalarOp::kSub, ScalarOp::kMul, ScalarOp::kMin,
                            ScalarOp::kMax, ScalarOp::kNeg, ScalarOp::kAbs, ScalarOp::kRelu},
                           op);
    const bool choice =
        op == ScalarOp::kWhere && whole[node.operands[1]] && whole[node.operands[2]];
    const bool made = llvm::is_contained(
        {ScalarOp::kRound, ScalarOp::kFloor, ScalarOp::kCeil, ScalarOp::kSign, ScalarOp::kFloat},
        op);
    whole.push_back(made || choice || (keeps && of_whole));
  }
  if (!whole.back()) return std::nullopt;
  const WholeRange from = x.value_or(WholeRange{-kMostRounded, kMostRounded});
  const DoubleInterval range =
      valuesOn(*function, {static_cast<double>(from.low), static_cast<double>(from.high)});
  return hull(
      {std::max(range.low, double(-kMostRounded)), std::min(range.high, double(kMostRounded))});
}

// What is known of an input from what it is compared with, and what it picks elements of.
struct Uses {
  std::optional<int64_t> size;         // of the smallest axis of computed values
  bool as_it_is = false;               // it picks elements itself, not what is computed of it
  std::optional<WholeRange> compared;  // with these constants
};

Uses usesOf(const Value* argument) {
  Uses uses;
  std::set<const Value*> seen{argument}, moved_alone{argument};
  std::vector<const Value*> left{argument};
  while (!left.empty()) {
    const Value* value = left.back();
    left.pop_back();
    for (const Op* op : value->users()) {
      if (op->numResults() != 1) continue;
      const bool moves = (movesElements(*op) || op->is("tensor.wrap")) && !indexes(*op, value);
      if (indexes(*op, value) && !isConstant(op->operand(0))) {
        const int64_t size = op->operand(0)->type().shape[op->intAttr("axis")];
        uses.size = std::min(size, uses.size.value_or(size));
        uses.as_it_is |= moved_alone.contains(value);
        continue;
      }
      if (moved_alone.contains(value) && compares(*op)) {
        for (const Value* operand : op->operands()) {
          const std::optional<WholeRange> range = ofConstant(operand);
          if (range) uses.compared = uses.compared ? hull(*uses.compared, *range) : range;
        }
      }
      const bool of_it = llvm::all_of(op->operands(), [&](const Value* operand) {
        return seen.contains(operand) || isConstant(operand);
      });
      if (!moves && !(of_it && (isElementwise(*op) || indexes(*op, value)))) continue;
      if ((moves || op->is("tensor.cast")) && moved_alone.contains(value))
        moved_alone.insert(op->result());
      if (seen.insert(op->result()).second) left.push_back(op->result());
    }
  }
  return uses;
}

// Does it multiply by what closes a score?
bool closesBy(const Op& op) {
  const bool divides = op.is("tensor.div");
  if (!divides && !op.is("tensor.mul")) return false;
  return llvm::any_of(op.operands(), [&](const Value* factor) {
    const std::optional<double> number = scalarOf(factor);
    const bool divisor = divides && factor == op.operand(1);
    if (!number || (divides && !divisor)) return false;
    return static_cast<float>(divisor ? 1 / std::abs(*number) : std::abs(*number)) >= -kMasked;
  });
}

// Does it add one, or take one from it?
bool addsOne(const Op& op) {
  return op.is("tensor.add") && llvm::any_of(op.operands(), [](const Value* term) {
           const std::optional<double> number = scalarOf(term);
           return number && std::abs(*number) == 1;
         });
}

// Is the integer, as it is or negated, a truth value to one that reads it?
bool isTruth(const Value* integer) {
  std::set<const Value*> seen{integer};
  std::vector<const Value*> left{integer};
  if (const Uses uses = usesOf(integer);
      uses.compared && (uses.compared->low < 0 || uses.compared->high > 1))
    return false;
  while (!left.empty()) {
    const Value* value = left.back();
    left.pop_back();
    for (const Op* op : value->users()) {
      if (op->numResults() != 1) continue;
      if (counts(*op)) return true;
      if (op->result()->type().element == Element::kBool && (!compares(*op) || comparesTruth(*op)))
        return true;
      if (closesBy(*op)) return true;
      // What is open for both a row and a key: the product of the two.
      const bool both = op->is("tensor.mul") && llvm::all_of(op->operands(), [&](const Value* v) {
                          return seen.contains(v);
                        });
      const bool follows = both || op->is("tensor.cast") || op->is("tensor.sub") || addsOne(*op) ||
                           op->is("tensor.wrap") || op->is("tensor.neg") ||
                           op->is("tensor.activation") || !moved(*op).empty();
      if (follows && seen.insert(op->result()).second) left.push_back(op->result());
      if (op->is("tensor.activation") && decides(op->stringAttr("function"))) return true;
    }
  }
  return false;
}

// Is the integer, as it is, read only by what holds it against one number: an id that is to be
// below a limit, or is brought within limits? (A length is held against all positions.)
bool isMeasured(const Value* integer) {
  bool measured = false;
  std::vector<const Value*> left{integer};
  while (!left.empty()) {
    const Value* value = left.back();
    left.pop_back();
    for (const Op* op : value->users()) {
      if (op->numResults() != 1) return false;
      if ((movesElements(*op) && op->numOperands() == 1) || op->is("tensor.wrap")) {
        left.push_back(op->result());
        continue;
      }
      const bool limits = compares(*op) || op->is("tensor.min") || op->is("tensor.max");
      if (!limits || llvm::none_of(op->operands(), [](const Value* operand) {
            return isConstant(operand) && operand->type().elements() == 1;
          }))
        return false;
      measured = true;
    }
  }
  return measured;
}

std::optional<WholeRange> ofType(const Op& wrap) {
  const int64_t bits = std::min<int64_t>(wrap.intAttr("bits"), 62);  // more than any range has
  const int64_t count = int64_t{1} << bits;
  return wrap.boolAttr("signed") ? WholeRange{-count / 2, count / 2 - 1} : WholeRange{0, count - 1};
}

// What the file's type allows, where the importer has stated that.
std::optional<WholeRange> ofArgumentType(const Value* argument) {
  std::optional<WholeRange> type;
  std::vector<const Value*> left{argument};
  while (!left.empty()) {
    const Value* value = left.back();
    left.pop_back();
    if (value->users().empty()) return std::nullopt;
    for (const Op* op : value->users()) {
      if (op->is("tensor.wrap")) {
        type = ofType(*op);
      } else if (movesElements(*op) && op->numOperands() == 1) {
        left.push_back(op->result());
      } else {
        return std::nullopt;
      }
    }
  }
  return type;
}

std::optional<WholeRange> product(const WholeRange& a, const WholeRange& b, double times = 1) {
  auto corner = [&](int64_t x, int64_t y) {
    return static_cast<double>(x) * static_cast<double>(y) * times;
  };
  return hull(
      {corner(a.low, b.low), corner(a.low, b.high), corner(a.high, b.low), corner(a.high, b.high)});
}

// All bits below the highest one of either.
std::optional<WholeRange> sharedBits(const WholeRange& a, const WholeRange& b) {
  if (a.low >= 0 && b.low >= 0) return WholeRange{0, std::min(a.high, b.high)};
  if (a.low >= 0) return WholeRange{0, a.high};
  if (b.low >= 0) return WholeRange{0, b.high};
  int64_t low = -1;
  while (low > std::min(a.low, b.low)) low *= 2;
  return WholeRange{low, std::max(a.high, b.high)};
}

std::optional<WholeRange> power(const WholeRange& a, const WholeRange& b) {
  if (b.low < 0) return std::nullopt;
  auto corner = [](int64_t x, int64_t y) {
    return std::pow(static_cast<double>(x), static_cast<double>(y));
  };
  const double most = std::max(1.0, corner(std::max<int64_t>(mostOf(a), 1), b.high));
  return hull({a.low < 0 ? -most : 0, most});
}

// An input that is compared with constants need not go beyond the numbers next to them, and one
// that picks elements not beyond these.
std::optional<WholeRange> ofUses(const Value* argument) {
  const Uses uses = usesOf(argument);
  if (uses.size && uses.as_it_is) return WholeRange{-*uses.size, *uses.size - 1};
  if (!uses.size && (!uses.compared || uses.compared->high <= 1)) return std::nullopt;
  WholeRange range = {0, uses.size.value_or(1) - 1};
  if (uses.compared) range = *hull(range, {uses.compared->low, uses.compared->high + 1});
  return range;
}

}  // namespace

bool staysInPlace(const Op& op) {
  return isElementwise(op) || op.is("tensor.mask") || op.is("tensor.within");
}

bool decides(llvm::StringRef function) {
  return llvm::any_of(
      llvm::ArrayRef<llvm::StringRef>{"where(", "greater", "less", "equal", "not(", "bool("},
      [&](llvm::StringRef word) { return function.contains(word); });
}

bool isElementwise(const Op& op) {
  return op.is("tensor.cast") || op.is("tensor.activation") || op.is("tensor.bit_and") ||
         op.is("tensor.wrap") ||
         ir::tensor::findScalarFunction(op.name().drop_front(strlen("tensor."))) != nullptr;
}

bool isNumber(const Value* argument) {
  if (rowsLookedUp(argument)) return false;
  if (ofArgumentType(argument)) return true;
  if (const std::optional<WholeRange> uses = ofUses(argument); uses && uses->low < 0) return true;
  return !isTruth(argument) && (feedsArithmetic(argument) || isMeasured(argument));
}

WholeRange WholeRanges::ofArgument(const Value* argument) const {
  if (const std::optional<int64_t> rows = rowsLookedUp(argument)) return {0, *rows - 1};
  const bool number = isNumber(argument), truth = isTruth(argument);
  WholeRange most = {-most_, most_};
  if (const std::optional<WholeRange> type = ofArgumentType(argument))
    most = {std::max(most.low, type->low), std::min(most.high, type->high)};
  const std::optional<WholeRange> uses = ofUses(argument);
  if (uses && (uses->low < 0 || !number) && !truth) return *uses;
  if (number) return most;
  const auto& shape = argument->type().shape;
  return {0, shape.empty() || truth ? 1 : std::max<int64_t>(shape.back() - 1, 1)};
}

std::optional<WholeRange> WholeRanges::of(const Value* value) {
  if (auto it = known_.find(value); it != known_.end()) return it->second;
  auto operands = [this](const Value& of, llvm::SmallVectorImpl<const Value*>& needed) {
    if (of.definingOp() == nullptr) return;
    llvm::copy_if(of.definingOp()->operands(), std::back_inserter(needed),
                  [this](const Value* operand) { return !known_.contains(operand); });
  };
  for (const Value* next : ir::postOrder<Value>(value, operands)) known_[next] = compute(next);
  return known_[value];
}

std::optional<WholeRange> WholeRanges::compute(const Value* value) {
  if (isConstant(value)) return ofConstant(value);
  const Element element = value->type().element;
  if (value->definingOp() != nullptr && element != Element::kBool)
    return ofOperation(*value->definingOp());
  if (element == Element::kBool) return WholeRange{0, 1};
  if (element == Element::kInt) return ofArgument(value);
  return std::nullopt;
}

std::optional<WholeRange> WholeRanges::ofOperation(const Op& op) {
  if (op.is("tensor.argmax")) {
    const auto& shape = op.operand(0)->type().shape;
    return WholeRange{0, shape[op.intAttrOr("axis", static_cast<int64_t>(shape.size()) - 1)] - 1};
  }
  if (llvm::ArrayRef<Value*> from = moved(op); !from.empty()) {
    std::optional<WholeRange> all = known_[from[0]];
    for (const Value* operand : from.drop_front()) {
      const std::optional<WholeRange> one = known_[operand];
      all = all && one ? hull(*all, *one) : std::nullopt;
    }
    return all;
  }
  if (op.is("tensor.activation"))
    return ofFunction(op.stringAttr("function"), known_[op.operand(0)]);
  const unsigned count = op.numOperands();
  if (count == 1 && rounds(op) && !known_[op.operand(0)])
    return WholeRange{-kMostRounded, kMostRounded};
  const std::optional<WholeRange> first = known_[op.operand(op.is("tensor.where") ? 1 : 0)];
  if (!first) return std::nullopt;
  const WholeRange a = *first;
  if (op.is("tensor.cast") || op.is("tensor.within") || rounds(op)) return a;
  if (op.is("tensor.trilu")) return hull(a, {0, 0});
  if (op.is("tensor.wrap")) {
    const WholeRange type = *ofType(op);
    return type.low <= a.low && a.high <= type.high ? a : type;
  }
  if (op.is("tensor.abs")) return WholeRange{a.low > 0 ? a.low : 0, mostOf(a)};
  if (op.is("tensor.sign"))
    return WholeRange{a.low < 0 ? -1 : a.low > 0, a.high > 0 ? 1 : -(a.high < 0)};
  if (op.is("tensor.neg")) return WholeRange{-a.high, -a.low};
  if (op.is("tensor.relu"))
    return WholeRange{std::max<int64_t>(a.low, 0), std::max<int64_t>(a.high, 0)};
  if (op.is("tensor.reduce_sum")) {
    const double times = static_cast<double>(op.operand(0)->type().elements()) /
                         static_cast<double>(std::max<int64_t>(op.result()->type().elements(), 1));
    return product(a, {1, 1}, times);
  }
  if (count < 2) return std::nullopt;
  const std::optional<WholeRange> second = known_[op.operand(count - 1)];
  if (!second) return std::nullopt;
  const WholeRange b = *second;
  auto real = [](int64_t x) { return static_cast<double>(x); };
  if (op.is("tensor.where")) return hull(a, b);
  if (op.is("tensor.add")) return hull({real(a.low) + real(b.low), real(a.high) + real(b.high)});
  if (op.is("tensor.sub")) return hull({real(a.low) - real(b.high), real(a.high) - real(b.low)});
  if (op.is("tensor.mul")) return product(a, b);
  if (op.is("tensor.max")) return WholeRange{std::max(a.low, b.low), std::max(a.high, b.high)};
  if (op.is("tensor.min")) return WholeRange{std::min(a.low, b.low), std::min(a.high, b.high)};
  if (op.is("tensor.div") && op.result()->type().element == Element::kInt)
    return a.low >= 0 && b.low >= 0 ? WholeRange{0, a.high} : WholeRange{-mostOf(a), mostOf(a)};
  if (op.is("tensor.bit_and")) return sharedBits(a, b);
  if (op.is("tensor.pow")) return power(a, b);
  if (op.is("tensor.matmul"))
    return product(a, b, static_cast<double>(op.operand(0)->type().shape.back()));
  return std::nullopt;
}

}  // namespace lindero::passes
