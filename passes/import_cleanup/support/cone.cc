#include "passes/import_cleanup/support/cone.h"

#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

std::optional<Cone> findCone(Value* output, Value* input, llvm::function_ref<bool(const Op&)> admit,
                             size_t most) {
  Cone cone{input, output, {}};
  llvm::DenseSet<Op*> done;
  // Post-order by an explicit stack: an op is placed when it is met for the second time, after its
  // operands.
  llvm::SmallVector<std::pair<Value*, bool>, 16> stack = {{output, false}};
  while (!stack.empty()) {
    auto [value, visited] = stack.pop_back_val();
    if (value == input || isConstant(value)) continue;
    Op* op = value->definingOp();
    if (!op || done.size() > most) return std::nullopt;
    if (visited) {
      if (done.insert(op).second) cone.ops.push_back(op);
      continue;
    }
    if (done.contains(op)) continue;
    if (!admit(*op) || stack.size() > 4 * most) return std::nullopt;
    stack.push_back({value, true});
    for (Value* operand : llvm::reverse(op->operands())) stack.push_back({operand, false});
  }
  if (cone.ops.empty() || cone.ops.size() > most) return std::nullopt;
  return cone;
}

absl::StatusOr<Array> evaluateCone(const Cone& cone, const Array& input) {
  // Constants come in as arguments, so that the copy needs no pool of its own.
  ir::Module module;
  ir::Function* function = module.addFunction("cone");
  ir::Builder builder(&function->body());
  llvm::DenseMap<Value*, Value*> copies;
  std::vector<Array> inputs = {input};
  copies[cone.input] = function->body().addArgument(input.type(), "x");
  for (const Op* op : cone.ops) {
    llvm::SmallVector<Value*, 3> operands;
    for (Value* operand : op->operands()) {
      Value*& copy = copies[operand];
      if (!copy) {
        std::optional<Array> constant = arrayOf(operand);
        if (!constant) return absl::FailedPreconditionError("a constant has no values at hand");
        copy = function->body().addArgument(constant->type(), "c");
        inputs.push_back(*std::move(constant));
      }
      operands.push_back(copy);
    }
    IR_ASSIGN_OR_RETURN(copies[op->result()],
                        ir::tensor::create(builder, op->name(), operands, op->attributes()));
  }
  builder.create("tensor.return", {copies[cone.output]}, {});
  IR_ASSIGN_OR_RETURN(std::vector<Array> results, ir::tensor::interpret(*function, inputs));
  return std::move(results[0]);
}

}  // namespace lindero::passes
