#include "passes/import_cleanup/verify_canonical/verify_canonical.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/problems.h"
#include "ir/core/status_macros.h"
#include "ir/core/text.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/quantize/general.h"
#include "passes/quantize/masks.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

absl::Status refuse(const Op& op, const std::string& why) {
  return absl::UnimplementedError(absl::StrCat(ir::describe(op), ": ", why));
}

absl::Status checkFinite(const Op& op, const Value& weights) {
  const ir::Constant* constant = constantOf(&weights);
  if (constant == nullptr)
    return refuse(op, "its weights are computed from the inputs; they must be constants");
  if (constant->scalar != ir::Scalar::kF32) return absl::OkStatus();
  for (float value : constant->as<float>()) {
    if (!std::isfinite(value)) {
      return absl::DataLossError(absl::StrCat(ir::describe(op), ": constant @", constant->name,
                                              " holds ", value, ": weights must be finite"));
    }
  }
  return absl::OkStatus();
}

absl::Status checkOutputs(const Op& op) {
  ir::Problems problems;
  const ir::Attribute* given = op.find("names");
  const auto* names = given ? std::get_if<std::vector<std::string>>(given) : nullptr;
  for (unsigned i = 0; i < op.numOperands(); ++i) {
    const std::string name = names ? absl::StrCat("'", (*names)[i], "'") : absl::StrCat(i);
    if (op.operand(i)->type().elements() == 0) {
      problems.add(absl::UnimplementedError(
          absl::StrCat("output ", name,
                       " has no elements, and there is nothing to prove about it; "
                       "pick others with --output-name")));
      continue;
    }
    const ir::Constant* constant = constantOf(op.operand(i));
    if (constant == nullptr) continue;
    problems.add(absl::UnimplementedError(absl::StrCat(
        "output ", name, " is the constant @", constant->name,
        ": it does not depend on the inputs, and there is nothing to prove about it; pick others "
        "with --output-name")));
  }
  return problems.status();
}

// Why an op is still here.
std::string reasonFor(const Op& op) {
  if (op.numResults() == 1 && op.result()->type().element != ir::Element::kFloat)
    return absl::StrCat("it computes ", ir::toText(op.result()->type()),
                        " from the inputs, by an op that has no exact form in integers, or "
                        "beyond 2^26");
  return llvm::StringSwitch<std::string>(op.name())
      .Case("tensor.gather",
            "elements are picked by a computed index whose range is not known, or from too many")
      .Cases("tensor.reduce_max", "tensor.reduce_min", "tensor.max", "tensor.min",
             "a maximum of values that are too large for exact differences")
      .Cases("tensor.sqrt", "tensor.pow", "tensor.reciprocal", "tensor.erf", "tensor.tanh",
             "an elementwise function of several tensors, or with constants that differ from "
             "element to element")
      .Case("tensor.where", "it chooses by a condition that has no exact form in integers")
      .Default("not an op that has a form in integers");
}

bool readsNothing(const Op& op) {
  if (isCopy(op) || op.result()->type().elements() == 0) return false;
  return llvm::any_of(op.operands(),
                      [](const Value* operand) { return operand->type().elements() == 0; });
}

absl::Status checkOp(const Op& op) {
  if (op.is("tensor.constant")) return absl::OkStatus();
  if (op.is("tensor.return")) return checkOutputs(op);
  if (readsNothing(op))
    return refuse(op, "it is computed from no elements; leave it out, or give its axes a size");
  if (op.is("tensor.embedding") || op.is("tensor.linear") || op.is("tensor.layernorm")) {
    for (const Value* weights : op.operands().drop_front())
      IR_RETURN_IF_ERROR(checkFinite(op, *weights));
    return absl::OkStatus();
  }
  if (op.is("tensor.argmax")) {
    const auto rank = static_cast<int64_t>(op.operand(0)->type().shape.size());
    if (op.intAttrOr("axis", -1) != -1 && op.intAttr("axis") != rank - 1)
      return refuse(op, "it is not taken over the last axis");
    return absl::OkStatus();
  }
  if (op.is("tensor.attention") || op.is("tensor.activation") || op.is("tensor.select_rows"))
    return absl::OkStatus();
  const bool product = op.is("tensor.mul") && !isConstant(op.operand(0)) &&
                       !isConstant(op.operand(1)) &&
                       op.result()->type().element == ir::Element::kFloat;
  if (product) return absl::OkStatus();
  if (!isGeneral(op)) return refuse(op, reasonFor(op));
  if (isAffine(op) && !hasAffineForm(op)) {
    return absl::DataLossError(absl::StrCat(
        ir::describe(op), ": its constants must be finite, or -inf where they mask scores"));
  }
  if (op.is("tensor.mask") && !isScores(*op.result()) && !isChoiceMask(op))
    return refuse(op, "something else than a softmax or an ArgMax reads its masked scores");
  if (op.is("tensor.softmax") && !hasOpenScores(op))
    return refuse(op, "constants mask all scores of a row; leave one of them open");
  return absl::OkStatus();
}

// All that is wrong, so that nobody mends a model node by node.
absl::StatusOr<bool> verify(ir::Function& function) {
  if (function.name() != "main") return false;
  ir::Problems problems;
  for (const Op& op : function.body().ops()) problems.add(checkOp(op));
  if (absl::Status status = problems.status(); !status.ok()) return status;
  return false;
}

}  // namespace

std::unique_ptr<Pass> createVerifyCanonical() {
  return makeFunctionPass("verify-canonical",
                          "Refuses what is not in the canonical form of import cleanup", verify);
}
absl::Status registerVerifyCanonical() { return registerPass(createVerifyCanonical); }

}  // namespace lindero::passes
