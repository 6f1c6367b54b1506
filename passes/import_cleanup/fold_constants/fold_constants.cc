#include "passes/import_cleanup/fold_constants/fold_constants.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/interpreter.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

// By which all results together may exceed their operands. What a weight becomes is as large as it
// was; a mask may be made of a scalar, in a few bytes of a file: one of any size, any number of
// them.
constexpr int64_t kMostGrowth = int64_t{1} << 25;
// Multiplications that take as long as an element takes room.
constexpr int64_t kProductsPerElement = 64;

absl::Status checkGrowth(const Op& op, int64_t& room) {
  int64_t largest = 0;
  for (const Value* operand : op.operands())
    largest = std::max(largest, operand->type().elements());
  const int64_t elements = op.result()->type().elements();
  room -= std::max<int64_t>(0, elements - largest);
  if (op.is("tensor.matmul"))
    room -= elements / kProductsPerElement * op.operand(0)->type().shape.back();
  if (room >= 0) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(
      ir::describe(op), ": the constants that are computed from smaller ones have over ",
      kMostGrowth, " elements"));
}

// Which places of the axis the op takes from its first operand, if they are known.
std::optional<std::vector<int64_t>> placesTaken(const Op& op, int64_t axis) {
  const int64_t size = op.operand(0)->type().shape[axis];
  std::vector<int64_t> places;
  if (op.is("tensor.gather") && op.intAttr("axis") == axis) {
    const std::optional<Array> indices = arrayOf(op.operand(1));
    if (!indices) return std::nullopt;
    places = indices->integers;
  } else if (op.is("tensor.slice") && op.intAttr("axis") == axis) {
    for (int64_t i = 0; i < op.intAttr("size"); ++i)
      places.push_back(op.intAttr("start") + i * op.intAttrOr("step", 1));
  } else {
    return std::nullopt;
  }
  for (int64_t& place : places) place += place < 0 ? size : 0;
  return places;
}

// What the op takes of a concatenation whose other parts it leaves out, if all that it takes is
// constant: scattered constants that replace every element.
std::optional<Array> constantParts(const Op& op) {
  const Op* whole = op.numOperands() == 0 ? nullptr : op.operand(0)->definingOp();
  if (whole == nullptr || !whole->is("tensor.concat") ||
      llvm::none_of(whole->operands(), isConstant))
    return std::nullopt;
  const int64_t axis = whole->intAttr("axis");
  const std::optional<std::vector<int64_t>> places = placesTaken(op, axis);
  if (!places) return std::nullopt;
  std::vector<Array> parts;
  std::vector<const Array*> operands;
  int64_t first = 0;
  for (const Value* part : whole->operands()) {
    const int64_t end = first + part->type().shape[axis];
    const bool taken =
        llvm::any_of(*places, [&](int64_t place) { return place >= first && place < end; });
    first = end;
    if (taken && !isConstant(part)) return std::nullopt;
    std::optional<Array> array =
        taken ? arrayOf(part) : Array::zeros(part->type().element, part->type().shape);
    if (!array) return std::nullopt;
    parts.push_back(*std::move(array));
  }
  for (const Array& part : parts) operands.push_back(&part);
  absl::StatusOr<Array> all = ir::tensor::evaluate(*whole, operands);
  return all.ok() ? std::optional<Array>(*std::move(all)) : std::nullopt;
}

// The op's result as an array, if all that it reads is constant and at hand.
absl::StatusOr<std::optional<Array>> evaluateOnConstants(const Op& op, int64_t& room) {
  std::vector<Array> arrays;
  if (const std::optional<Array> parts = constantParts(op)) {
    std::optional<Array> indices;
    std::vector<const Array*> operands = {&*parts};
    if (op.numOperands() > 1) indices = arrayOf(op.operand(1)), operands.push_back(&*indices);
    IR_RETURN_IF_ERROR(checkGrowth(op, room));
    IR_ASSIGN_OR_RETURN(Array result, ir::tensor::evaluate(op, operands));
    return std::optional<Array>(std::move(result));
  }
  for (const Value* operand : op.operands()) {
    if (!isConstant(operand)) return std::optional<Array>();
  }
  IR_RETURN_IF_ERROR(checkGrowth(op, room));
  arrays.reserve(op.numOperands());
  for (const Value* operand : op.operands()) {
    std::optional<Array> array = arrayOf(operand);
    if (!array) return std::optional<Array>();
    arrays.push_back(*std::move(array));
  }
  std::vector<const Array*> operands;
  for (const Array& array : arrays) operands.push_back(&array);
  IR_ASSIGN_OR_RETURN(Array result, ir::tensor::evaluate(op, operands));
  return std::optional<Array>(std::move(result));
}

// Named after the operand with the most elements: the weight in the expression.
std::string nameFor(const Op& op) {
  const ir::Constant* largest = nullptr;
  for (const Value* operand : op.operands()) {
    const ir::Constant* constant = constantOf(operand);
    if (!largest || constant->elements() > largest->elements()) largest = constant;
  }
  return largest ? largest->name : std::string();
}

// True: every element; false: none; nothing: neither, or unknown.
std::optional<bool> uniform(const Value* condition) {
  std::optional<Array> array = arrayOf(condition);
  if (!array || array->integers.empty()) return std::nullopt;
  for (int64_t value : array->integers) {
    if (value != array->integers[0]) return std::nullopt;
  }
  return array->integers[0] != 0;
}

// The operand that an op only passes on, or null.
Value* passedOn(const Op& op) {
  if (op.is("tensor.cast") || op.is("tensor.reshape") || op.is("tensor.expand"))
    return op.operand(0);
  if (op.is("tensor.concat") && op.numOperands() == 1) return op.operand(0);
  if (op.is("tensor.slice") && op.intAttrOr("step", 1) == 1) return op.operand(0);
  if (op.is("tensor.where")) {
    std::optional<bool> condition = uniform(op.operand(0));
    return condition ? op.operand(*condition ? 1 : 2) : nullptr;
  }
  std::optional<WithConstant> parts = splitConstant(op);
  if (!parts) return nullptr;
  std::optional<double> scalar = scalarOf(parts->constant);
  const bool commutes = op.is("tensor.mul") || op.is("tensor.add");
  if (!scalar || (parts->constant_first && !commutes)) return nullptr;
  const bool product = op.is("tensor.mul") || op.is("tensor.div"),
             sum = op.is("tensor.add") || op.is("tensor.sub");
  return (product && *scalar == 1) || (sum && *scalar == 0) ? parts->value : nullptr;
}

absl::StatusOr<bool> fold(ir::Function& function) {
  bool changed = false;
  int64_t room = kMostGrowth;
  for (Op& op : llvm::make_early_inc_range(function.body().ops())) {
    if (op.def().terminator || op.is("tensor.constant") || op.numResults() != 1) continue;
    IR_ASSIGN_OR_RETURN(std::optional<Array> array, evaluateOnConstants(op, room));
    if (array) {
      ir::Builder builder = ir::Builder::before(&op);
      builder.setLocation(op.location());
      replaceOp(&op, makeConstant(builder, *array, nameFor(op)));
      changed = true;
    } else if (Value* same = passedOn(op); same && same->type() == op.result()->type()) {
      // The op computes nothing, so its node is not one that `same` came from.
      op.result()->replaceAllUsesWith(same);
      eraseDead(&op);
      changed = true;
    }
  }
  eraseUnusedConstants(*function.module());
  return changed;
}

}  // namespace

std::unique_ptr<Pass> createFoldConstants() {
  return makeFunctionPass("fold-constants",
                          "Evaluates constant expressions and drops ops that do nothing", fold);
}
absl::Status registerFoldConstants() { return registerPass(createFoldConstants); }

}  // namespace lindero::passes
