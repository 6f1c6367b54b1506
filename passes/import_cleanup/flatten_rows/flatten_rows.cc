#include "passes/import_cleanup/flatten_rows/flatten_rows.h"

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using Ints = std::vector<int64_t>;

// All but the last axis as one.
Ints flatShape(const Value& value) {
  const int64_t width = value.type().shape.back();
  return {value.type().elements() / width, width};
}

bool hasShape(const Value* value, llvm::ArrayRef<int64_t> shape) {
  return llvm::ArrayRef<int64_t>(value->type().shape) == shape;
}

// The matrix that the value is a reshape of, or null.
Value* matrixOf(const Value* value) {
  if (!isOp(value, "tensor.reshape")) return nullptr;
  Value* source = value->definingOp()->operand(0);
  return hasShape(source, flatShape(*value)) ? source : nullptr;
}

// Operands that have rows; those after them are parameters, one for each column.
unsigned operandsWithRows(const Op& op) {
  if (op.is("tensor.layernorm") || op.is("tensor.activation")) return 1;
  return op.is("tensor.add") || op.is("tensor.mul") ? 2 : 0;
}

bool flattens(const Op& op) {
  const unsigned count = operandsWithRows(op);
  if (count == 0) return false;
  const Value& result = *op.result();
  if (result.type().shape.size() < 3 || result.type().elements() == 0) return false;
  const auto operands = op.operands().take_front(count);
  if (!llvm::all_of(operands, [&](const Value* operand) {
        return !isConstant(operand) && operand->type() == result.type();
      }))
    return false;
  const Ints flat = flatShape(result);
  const bool was = !op.is("tensor.mul") && llvm::any_of(operands, matrixOf);
  return was || llvm::any_of(result.users(), [&](const Op* reader) {
           return reader->is("tensor.reshape") && hasShape(reader->result(), flat);
         });
}

absl::StatusOr<Value*> flattened(Op& op) {
  if (!flattens(op)) return nullptr;
  ir::Builder builder = ir::Builder::before(&op);
  builder.setLocation(op.location());
  const Ints flat = flatShape(*op.result());
  llvm::SmallVector<Value*, 3> operands(op.operands().begin(), op.operands().end());
  for (Value*& operand : llvm::MutableArrayRef(operands).take_front(operandsWithRows(op))) {
    Value* matrix = matrixOf(operand);
    if (matrix == nullptr) {
      IR_ASSIGN_OR_RETURN(
          matrix, ir::tensor::create(builder, "tensor.reshape", {operand}, {{"shape", flat}}));
    }
    operand = matrix;
  }
  const llvm::SmallVector<ir::NamedAttribute, 4> attributes(op.attributes().begin(),
                                                            op.attributes().end());
  IR_ASSIGN_OR_RETURN(Value * rows, ir::tensor::create(builder, op.name(), operands, attributes));
  const auto& shape = op.result()->type().shape;
  return ir::tensor::create(builder, "tensor.reshape", {rows},
                            {{"shape", Ints(shape.begin(), shape.end())}});
}

absl::StatusOr<bool> flattenRows(ir::Function& function) { return rewriteOps(function, flattened); }

}  // namespace

std::unique_ptr<Pass> createFlattenRows() {
  return makeFunctionPass("flatten-rows", "Computes on matrices what is computed row by row",
                          flattenRows);
}
absl::Status registerFlattenRows() { return registerPass(createFlattenRows); }

}  // namespace lindero::passes
