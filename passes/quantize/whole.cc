#include "passes/quantize/whole.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <string>

#include "ir/core/op_table.h"
#include "ir/tensor/array.h"
#include "ir/tensor/expression.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringSwitch.h"
#include "passes/quantize/general.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

// What 12 bits hold with a margin.
constexpr double kMostHeld = 1 << 10;

bool isWhole(double x) { return x == std::floor(x); }

bool isWholeConstant(const Value& value) {
  const ir::Constant* constant = constantOf(value);
  if (constant == nullptr) return false;
  absl::StatusOr<ir::tensor::Array> array = ir::tensor::readConstant(*constant);
  return array.ok() && llvm::all_of(array->reals, isWhole);
}

// Of the whole numbers that a table's keys hold.
constexpr int kMostKey = 1 << 13;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool isWholeFunction(llvm::StringRef text) {
  absl::StatusOr<ir::tensor::Expression> function = ir::tensor::Expression::parse(text);
  return function.ok() && llvm::all_of(llvm::seq_inclusive(-kMostKey, kMostKey), [&](int x) {
           const double y = (*function)(x);
           return !std::isfinite(y) || isWhole(y);
         });
}

bool keepsWhole(const Op& op) {
  return isCopy(op) || llvm::StringSwitch<bool>(op.name())
                           .Cases("tensor.add", "tensor.sub", "tensor.mul", "tensor.neg", true)
                           .Cases("tensor.reduce_sum", "tensor.matmul", "tensor.linear", true)
                           .Cases("tensor.high_limb", "tensor.low_limb", true)
                           .Cases("tensor.select_rows", "tensor.whole_quotient", true)
                           .Default(false);
}

}  // namespace

bool isLimb(const Op& op) { return op.is("tensor.high_limb") || op.is("tensor.low_limb"); }

llvm::DenseSet<const Value*> wholeValues(const ir::Function& function) {
  llvm::DenseSet<const Value*> whole;
  for (const Op& op : function.body().ops()) {
    if (op.numResults() != 1) continue;
    const bool given = (op.is("tensor.embedding") && op.has("exact")) || isNumber(op);
    const bool kept =
        llvm::any_of(op.operands(), [&](const Value* v) { return whole.contains(v); }) &&
        (op.is("tensor.activation") ? isWholeFunction(op.stringAttr("function"))
                                    : keepsWhole(op)) &&
        llvm::all_of(op.operands(), [&](const Value* operand) {
          return whole.contains(operand) || isWholeConstant(*operand) ||
                 operand->type().element != ir::Element::kFloat;
        });
    if (given || kept) whole.insert(op.result());
  }
  return whole;
}

namespace {

DoubleInterval sumOf(const DoubleInterval& a, const DoubleInterval& b) {
  return {a.low + b.low, a.high + b.high};
}

DoubleInterval productOf(const DoubleInterval& a, const DoubleInterval& b) {
  const auto [low, high] =
      std::minmax({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
  return {low, high};
}

DoubleInterval times(double count, const DoubleInterval& a) {
  return {count * a.low, count * a.high};
}

class Ranges {
 public:
  llvm::DenseMap<const Value*, DoubleInterval> known;

  DoubleInterval rangeOf(const Op& op) const {
    if (op.is("tensor.embedding")) {
      DoubleInterval sum = of(*op.operand(1));
      for (const Value* addend : op.operands().drop_front(2)) sum = sumOf(sum, of(*addend));
      return sum;
    }
    if (isNumber(op)) {
      return {static_cast<double>(op.intAttr("low")), static_cast<double>(op.intAttr("high"))};
    }
    if (op.is("tensor.activation")) {
      absl::StatusOr<ir::tensor::Expression> function =
          ir::tensor::Expression::parse(op.stringAttr("function"));
      return function.ok() ? valuesAt(*function, of(*op.operand(0))) : DoubleInterval();
    }
    if (isCopy(op) || op.is("tensor.select_rows")) {
      const llvm::ArrayRef<Value*> from =
          op.is("tensor.concat") ? op.operands() : op.operands().take_front();
      DoubleInterval all = of(*from.front());
      for (const Value* one : from.drop_front()) all = hull(all, of(*one));
      return all;
    }
    const DoubleInterval a = of(*op.operand(0));
    if (isLimb(op)) {
      const double unit = std::ldexp(1, static_cast<int>(op.intAttr("shift")));
      if (op.is("tensor.low_limb")) return {-unit / 2, unit / 2 - 1};
      return {std::floor(a.low / unit + 0.5), std::floor(a.high / unit + 0.5)};
    }
    if (op.is("tensor.neg")) return times(-1, {a.high, a.low});
    if (op.is("tensor.reduce_sum")) return times(static_cast<double>(reducedElements(op)), a);
    const DoubleInterval b = of(*op.operand(1));
    if (isWholeQuotient(op)) {
      const double most = std::max(-a.low, a.high);
      return {a.low >= 0 && b.low >= 0 ? 0 : -most - 1, most};
    }
    if (std::optional<DoubleInterval> both = ofChoice(op)) return *both;
    if (op.is("tensor.add")) return sumOf(a, b);
    if (op.is("tensor.sub")) return sumOf(a, {-b.high, -b.low});
    if (op.is("tensor.mul")) return productOf(a, b);
    // A product of matrices, or a linear.
    const auto terms = static_cast<double>(op.operand(0)->type().shape.back());
    const DoubleInterval product =
        isOneHot(*op.operand(0)) ? hull(b, {0, 0}) : times(terms, productOf(a, b));
    return op.numOperands() > 2 ? sumOf(product, of(*op.operand(2))) : product;
  }

 private:
  // b + c (a - b), of c in [0, 1]; a + relu(b - a), and a - relu(a - b): of both, or one of them.
  std::optional<DoubleInterval> ofChoice(const Op& op) const {
    if (!op.is("tensor.add") && !op.is("tensor.sub")) return std::nullopt;
    for (unsigned i : {1u, 0u}) {
      const Op* excess = op.operand(i)->definingOp();
      const Value* first = op.operand(1 - i);
      if (excess == nullptr || (op.is("tensor.sub") && i == 0)) continue;
      if (op.is("tensor.add") && excess->is("tensor.mul")) {
        for (unsigned j : {0u, 1u}) {
          const DoubleInterval c = of(*excess->operand(j));
          const auto [a, b] = differenceOf(*excess->operand(1 - j));
          if (c.low >= 0 && c.high <= 1 && b == first) return hull(of(*a), of(*b));
        }
      }
      if (!excess->is("tensor.activation") || excess->stringAttr("function") != "relu(x)") continue;
      const auto [a, b] = differenceOf(*excess->operand(0));
      if ((op.is("tensor.add") ? b : a) == first) return hull(of(*a), of(*b));
    }
    return std::nullopt;
  }

  static std::pair<const Value*, const Value*> differenceOf(const Value& value) {
    const Op* op = value.definingOp();
    if (op == nullptr || !op->is("tensor.sub")) return {nullptr, nullptr};
    return {op->operand(0), op->operand(1)};
  }

  // Of the function where it has values, of whole numbers.
  static DoubleInterval valuesAt(const ir::tensor::Expression& function, const DoubleInterval& x) {
    if (!(x.high - x.low < 2 * kMostKey)) return valuesOn(function, x);
    DoubleInterval all = {kInfinity, -kInfinity};
    for (double i = x.low; i <= x.high; ++i) {
      const double y = function(i);
      if (std::isfinite(y)) all = {std::min(all.low, y), std::max(all.high, y)};
    }
    return all.low <= all.high ? all : DoubleInterval();
  }

  // Is at most one element of each row 1, and all others zero? So it is where a number is compared
  // with constants.
  bool isOneHot(const Value& rows) const {
    const Op* function = rows.definingOp();
    if (function != nullptr && function->is("tensor.mul")) {
      const DoubleInterval factor = of(*function->operand(1));
      return factor.low >= 0 && factor.high <= 1 && isOneHot(*function->operand(0));
    }
    if (function == nullptr || !function->is("tensor.activation")) return false;
    const Op* difference = function->operand(0)->definingOp();
    if (difference == nullptr || !difference->is("tensor.sub")) return false;
    const Value &x = *difference->operand(0), &numbers = *difference->operand(1);
    const ir::Constant* constant = constantOf(numbers);
    const auto& shape = x.type().shape;
    if (constant == nullptr || shape.empty() || shape.back() != 1 ||
        numbers.type().elements() != rows.type().shape.back())
      return false;
    const DoubleInterval range = of(x), distances = of(*function->operand(0));
    absl::StatusOr<ir::tensor::Array> array = ir::tensor::readConstant(*constant);
    absl::StatusOr<ir::tensor::Expression> hit =
        ir::tensor::Expression::parse(function->stringAttr("function"));
    if (!array.ok() || !hit.ok() || !(distances.high - distances.low < 2 * kMostKey)) return false;
    std::vector<double> hits;  // distances
    for (double d = distances.low; d <= distances.high; ++d) {
      const double y = (*hit)(d);
      if (y != 0 && y != 1) return false;
      if (y == 1) hits.push_back(d);
    }
    std::set<double> found;  // x
    for (double number : array->reals) {
      for (double d : hits) {
        if (range.contains(number + d) && !found.insert(number + d).second) return false;
      }
    }
    return true;
  }

  // All reals where nothing is known.
  DoubleInterval of(const Value& value) const {
    if (auto it = known.find(&value); it != known.end()) return it->second;
    const ir::Constant* constant = constantOf(value);
    if (constant == nullptr) return {};
    absl::StatusOr<ir::tensor::Array> array = ir::tensor::readConstant(*constant);
    if (!array.ok() || array->reals.empty()) return {};
    const auto [low, high] = std::minmax_element(array->reals.begin(), array->reals.end());
    return {*low, *high};
  }
};

}  // namespace

llvm::DenseMap<const Value*, DoubleInterval> wholeRanges(const ir::Function& function) {
  const llvm::DenseSet<const Value*> whole = wholeValues(function);
  Ranges ranges;
  for (const Op& op : function.body().ops()) {
    if (op.numResults() != 1 || !whole.contains(op.result())) continue;
    ranges.known[op.result()] = ranges.rangeOf(op);
  }
  return std::move(ranges.known);
}

namespace {

// Can more than 16 bits hold the op's result?
bool holdsWide(const Op& op) {
  return op.is("tensor.embedding") || isNumber(op) ||
         (standsAlone(op) && (isAffine(op) || isCopy(op)));
}

// Does all that reads the value take it exactly, or what it makes of it?
bool isReadExactly(const Value& value, const llvm::DenseSet<const Value*>& exact) {
  return llvm::all_of(value.users(), [&](const Op* reader) {
    return reader->def().terminator || reader->is("tensor.argmax") ||
           (reader->numResults() == 1 && exact.contains(reader->result()));
  });
}

}  // namespace

llvm::DenseMap<const Value*, int> exactBits(const ir::Function& function) {
  llvm::DenseMap<const Value*, DoubleInterval> ranges = wholeRanges(function);
  llvm::DenseMap<const Value*, int> bits;
  llvm::DenseSet<const Value*> exact;
  for (const Op& op : llvm::reverse(function.body().ops())) {
    if (op.numResults() != 1) continue;
    const auto found = ranges.find(op.result());
    if (found == ranges.end() || !isReadExactly(*op.result(), exact)) continue;
    exact.insert(op.result());
    const double largest = std::max(-found->second.low, found->second.high);
    const bool keyed = llvm::any_of(
        op.result()->users(), [](const Op* reader) { return reader->is("tensor.activation"); });
    if (!(largest > kMostHeld && largest < kMostExact) || keyed) continue;
    const int bits_of_largest = std::ilogb(largest) + 2;
    const int needed = isLimb(op) ? std::min(16, bits_of_largest) : bits_of_largest;
    if (needed <= 16 ? !op.is("tensor.linear") && !op.is("tensor.activation") : holdsWide(op))
      bits[op.result()] = needed;
  }
  return bits;
}

namespace {

// The functions that are tabulated of other values than these. All that share a table have keys of
// one exponent.
std::set<std::string> functionsOfOthers(const ir::Function& function,
                                        const llvm::DenseMap<const Value*, DoubleInterval>& whole) {
  std::set<std::string> functions;
  for (const Op& op : function.body().ops()) {
    if (op.is("tensor.activation") && !whole.contains(op.operand(0)))
      functions.insert(op.stringAttr("function"));
  }
  return functions;
}

}  // namespace

Calibration withWholeRanges(const ir::Function& function, Calibration calibration) {
  const llvm::DenseMap<const Value*, DoubleInterval> whole = wholeRanges(function);
  if (whole.empty()) return calibration;
  const std::set<std::string> others = functionsOfOthers(function, whole);
  for (auto [value, range] : llvm::zip(exponentSites(function), calibration.ranges)) {
    const auto found = whole.find(value);
    if (found == whole.end()) continue;
    const double largest = std::max(-found->second.low, found->second.high);
    const bool shares = llvm::any_of(value->users(), [&](const Op* reader) {
      return reader->is("tensor.activation") && others.contains(reader->stringAttr("function"));
    });
    if (largest <= kMostHeld && !shares) range.largest = std::max(range.largest, largest);
  }
  return calibration;
}

}  // namespace lindero::passes
