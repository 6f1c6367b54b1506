#include "passes/import_cleanup/verify_canonical/verify_canonical.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/core/text.h"
#include "llvm/ADT/StringSwitch.h"
#include "passes/import_cleanup/fuse_attention/attention_pattern.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

absl::Status refuse(const Op& op, const std::string& why) {
  return absl::UnimplementedError(absl::StrCat(ir::describe(op), ": ", why));
}

absl::Status checkFinite(const Op& op) {
  const ir::Constant* constant = constantOf(op.result());
  if (constant->scalar != ir::Scalar::kF32) return absl::OkStatus();
  for (float value : constant->as<float>()) {
    if (!std::isfinite(value)) {
      return absl::DataLossError(
          absl::StrCat("constant @", constant->name, " holds ", value, ": weights must be finite"));
    }
  }
  return absl::OkStatus();
}

absl::Status needConstants(const Op& op, llvm::ArrayRef<Value*> operands) {
  for (const Value* operand : operands) {
    if (!isConstant(operand))
      return refuse(op, "its weights are computed from the inputs; they must be constants");
  }
  return absl::OkStatus();
}

// Where the op reads what it computes on: weights aside, that depends on the inputs.
absl::Status needData(const Op& op) {
  const bool weighted =
      op.is("tensor.embedding") || op.is("tensor.linear") || op.is("tensor.layernorm");
  for (const Value* operand : weighted ? op.operands().take_front() : op.operands()) {
    const ir::Constant* constant = constantOf(operand);
    if (constant == nullptr) continue;
    if (op.is("tensor.return")) {
      return absl::UnimplementedError(
          absl::StrCat("output @", constant->name,
                       " does not depend on the inputs: there is nothing to prove about it"));
    }
    return refuse(op, absl::StrCat("it reads the constant @", constant->name, " (",
                                   ir::toText(operand->type()),
                                   ") like a computed value; a constant with another value for "
                                   "each row can only be added to an embedding"));
  }
  return absl::OkStatus();
}

absl::Status needMatrices(const Op& op) {
  IR_RETURN_IF_ERROR(needData(op));
  for (const Value* operand : op.operands()) {
    if (operand->type().shape.size() == 2 && operand->type().element == ir::Element::kFloat)
      continue;
    return refuse(op,
                  absl::StrCat("it works on ", ir::toText(operand->type()),
                               "; activations must be matrices [T, n] of f32 (with a batch of 1)"));
  }
  return absl::OkStatus();
}

// Why an op is still here.
std::string reasonFor(const Op& op) {
  if (op.is("tensor.softmax")) {
    auto pattern = matchAttention(op);
    return pattern.ok()
               ? "its heads are interleaved with others in a value that no linear layer makes"
               : absl::StrCat("not an attention: ", pattern.status().message());
  }
  return llvm::StringSwitch<std::string>(op.name())
      .Case("tensor.matmul", "a product of two computed values outside of an attention")
      .Case("tensor.gather",
            "rows are picked by computed indices; only token embeddings may do that")
      .Cases("tensor.reduce_mean", "tensor.sqrt", "tensor.pow", "tensor.reciprocal",
             "not part of a LayerNorm over the last axis")
      .Cases("tensor.erf", "tensor.tanh", "tensor.sigmoid", "tensor.exp",
             "an elementwise op of several tensors, or with constants that differ from element to "
             "element")
      .Cases("tensor.reshape", "tensor.transpose", "axes are rearranged outside of an attention")
      .Case("tensor.div", "a quotient of two computed values")
      .Default("not an op of a transformer that is supported");
}

absl::Status checkOp(const Op& op) {
  if (op.is("tensor.constant")) return checkFinite(op);
  if (op.is("tensor.return")) return needData(op);
  if (op.is("tensor.embedding") || op.is("tensor.linear")) {
    IR_RETURN_IF_ERROR(needConstants(op, op.operands().drop_front()));
    return needData(op);
  }
  if (op.is("tensor.layernorm")) {
    IR_RETURN_IF_ERROR(needData(op));
    IR_RETURN_IF_ERROR(needConstants(op, op.operands().drop_front()));
    return op.result()->type().shape.size() == 2
               ? absl::OkStatus()
               : refuse(op, "it does not work on a matrix [T, n]");
  }
  if (op.is("tensor.slice")) {
    if (op.intAttr("axis") != 1 || op.intAttrOr("step", 1) != 1)
      return refuse(op, "it does not take consecutive columns");
    return needMatrices(op);
  }
  if (op.is("tensor.argmax")) {
    if (op.intAttrOr("axis", 1) != 1 || op.result()->type().shape.size() != 1)
      return refuse(op, "it is not taken over the columns of a matrix");
    return needMatrices(op);
  }
  if (op.is("tensor.add") || op.is("tensor.mul")) {
    if (!(op.operand(0)->type() == op.operand(1)->type()))
      return refuse(op, "its operands differ in shape");
    return needMatrices(op);
  }
  if (op.is("tensor.attention") || op.is("tensor.activation") || op.is("tensor.select_rows"))
    return needMatrices(op);
  return refuse(op, reasonFor(op));
}

absl::StatusOr<bool> verify(ir::Function& function) {
  if (function.name() != "main") return false;
  // A softmax explains more than the products around it, so its complaint comes first.
  for (const Op& op : function.body().ops()) {
    if (op.is("tensor.softmax")) return refuse(op, reasonFor(op));
  }
  for (const Op& op : function.body().ops()) IR_RETURN_IF_ERROR(checkOp(op));
  return false;
}

}  // namespace

std::unique_ptr<Pass> createVerifyCanonical() {
  return makeFunctionPass("verify-canonical",
                          "Refuses what is not in the canonical form of import cleanup", verify);
}
absl::Status registerVerifyCanonical() { return registerPass(createVerifyCanonical); }

}  // namespace lindero::passes
