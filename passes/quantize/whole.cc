#include "passes/quantize/whole.h"

#include <algorithm>
#include <cmath>
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

bool isWhole(double x) { return x == std::floor(x); }

bool isWholeConstant(const Value& value) {
  const ir::Constant* constant = constantOf(value);
  if (constant == nullptr) return false;
  absl::StatusOr<ir::tensor::Array> array = ir::tensor::readConstant(*constant);
  return array.ok() && llvm::all_of(array->reals, isWhole);
}

// Of the whole numbers that a table's keys hold with their margin.
constexpr int kMostWhole = 1 << 11;

bool isWholeFunction(llvm::StringRef text) {
  absl::StatusOr<ir::tensor::Expression> function = ir::tensor::Expression::parse(text);
  return function.ok() && llvm::all_of(llvm::seq_inclusive(-kMostWhole, kMostWhole), [&](int x) {
           const double y = (*function)(x);
           return !std::isfinite(y) || isWhole(y);
         });
}

bool keepsWhole(const Op& op) {
  return isCopy(op) || llvm::StringSwitch<bool>(op.name())
                           .Cases("tensor.add", "tensor.sub", "tensor.mul", "tensor.neg", true)
                           .Cases("tensor.reduce_sum", "tensor.matmul", "tensor.linear", true)
                           .Case("tensor.select_rows", true)
                           .Default(false);
}

}  // namespace

llvm::DenseSet<const Value*> wholeValues(const ir::Function& function) {
  llvm::DenseSet<const Value*> whole;
  for (const Op& op : function.body().ops()) {
    if (op.numResults() != 1) continue;
    const bool given = op.is("tensor.embedding") && op.has("exact");
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
    if (op.is("tensor.activation")) {
      absl::StatusOr<ir::tensor::Expression> function =
          ir::tensor::Expression::parse(op.stringAttr("function"));
      return function.ok() ? valuesOn(*function, of(*op.operand(0))) : DoubleInterval();
    }
    if (isCopy(op) || op.is("tensor.select_rows")) {
      const llvm::ArrayRef<Value*> from =
          op.is("tensor.concat") ? op.operands() : op.operands().take_front();
      DoubleInterval all = of(*from.front());
      for (const Value* one : from.drop_front()) all = hull(all, of(*one));
      return all;
    }
    const DoubleInterval a = of(*op.operand(0));
    if (op.is("tensor.neg")) return times(-1, {a.high, a.low});
    if (op.is("tensor.reduce_sum")) return times(static_cast<double>(reducedElements(op)), a);
    const DoubleInterval b = of(*op.operand(1));
    if (op.is("tensor.add")) return sumOf(a, b);
    if (op.is("tensor.sub")) return sumOf(a, {-b.high, -b.low});
    if (op.is("tensor.mul")) return productOf(a, b);
    // A product of matrices, or a linear.
    const auto terms = static_cast<double>(op.operand(0)->type().shape.back());
    const DoubleInterval product = times(terms, productOf(a, b));
    return op.numOperands() > 2 ? sumOf(product, of(*op.operand(2))) : product;
  }

 private:
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
  constexpr double kMostHeld = 1 << 10;
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
