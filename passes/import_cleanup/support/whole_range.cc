#include "passes/import_cleanup/support/whole_range.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "ir/core/op_table.h"
#include "ir/core/post_order.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/support/rewrite.h"
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

// Are there truth values in the function?
bool decides(llvm::StringRef function) {
  return llvm::any_of(
      llvm::ArrayRef<llvm::StringRef>{"where(", "greater", "less", "equal", "not(", "bool("},
      [&](llvm::StringRef word) { return function.contains(word); });
}

// Does the op add up what is open?
bool counts(const Op& op) {
  if (op.is("tensor.matmul")) return op.operand(0)->type().shape.back() > 1;
  return op.is("tensor.reduce_sum") || op.is("tensor.reduce_mean");
}

// Is the integer, as it is or negated, a truth value to one that reads it?
bool isTruth(const Value* integer) {
  std::set<const Value*> seen{integer};
  std::vector<const Value*> left{integer};
  while (!left.empty()) {
    const Value* value = left.back();
    left.pop_back();
    for (const Op* op : value->users()) {
      if (op->numResults() != 1) continue;
      if (op->result()->type().element == Element::kBool || counts(*op)) return true;
      // One minus it, times what closes a score.
      if (op->is("tensor.mul")) {
        for (const Value* factor : op->operands()) {
          const std::optional<double> number = scalarOf(factor);
          if (number && std::abs(*number) >= -kMasked) return true;
        }
      }
      // What is open for both a row and a key: the product of the two.
      const bool both = op->is("tensor.mul") && llvm::all_of(op->operands(), [&](const Value* v) {
                          return seen.contains(v);
                        });
      const bool follows = both || op->is("tensor.cast") || op->is("tensor.sub") ||
                           op->is("tensor.neg") || op->is("tensor.activation") ||
                           !moved(*op).empty();
      if (follows && seen.insert(op->result()).second) left.push_back(op->result());
      if (op->is("tensor.activation") && decides(op->stringAttr("function"))) return true;
    }
  }
  return false;
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

WholeRange ofArgument(const Value* argument) {
  const std::optional<int64_t> rows = rowsLookedUp(argument);
  if (rows) return {0, *rows - 1};
  const auto& shape = argument->type().shape;
  return {0, shape.empty() || isTruth(argument) ? 1 : std::max<int64_t>(shape.back() - 1, 1)};
}

std::optional<WholeRange> product(const WholeRange& a, const WholeRange& b, double times = 1) {
  auto corner = [&](int64_t x, int64_t y) {
    return static_cast<double>(x) * static_cast<double>(y) * times;
  };
  return hull(
      {corner(a.low, b.low), corner(a.low, b.high), corner(a.high, b.low), corner(a.high, b.high)});
}

}  // namespace

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
  const unsigned count = op.numOperands();
  const std::optional<WholeRange> first = known_[op.operand(op.is("tensor.where") ? 1 : 0)];
  if (!first) return std::nullopt;
  const WholeRange a = *first;
  if (op.is("tensor.cast") || op.is("tensor.round") || op.is("tensor.floor")) return a;
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
  if (op.is("tensor.matmul"))
    return product(a, b, static_cast<double>(op.operand(0)->type().shape.back()));
  return std::nullopt;
}

}  // namespace lindero::passes
