#include "ir/integer/crossing.h"

#include "llvm/ADT/StringSwitch.h"

namespace lindero::ir::integer {
namespace {

constexpr int64_t kLookedUpBits = 16;

bool isOwn(const Value* value) {
  const Op* op = sourceOf(value)->definingOp();
  return op == nullptr || op->is("integer.constant");
}

}  // namespace

const Value* sourceOf(const Value* value) {
  const Op* op = value->definingOp();
  while (op != nullptr && op->block() != nullptr && op->block()->terminator() != nullptr) {
    value = op->block()->terminator()->operand(value->index());
    op = value->definingOp();
  }
  return value;
}

std::string whyItStays(const Value* value) {
  const Op* op = sourceOf(value)->definingOp();
  if (op == nullptr) return value->type().element == Element::kFixed ? "" : "indices have no cells";
  if (op->is("integer.slice") || op->is("integer.select_rows")) return whyItStays(op->operand(0));
  if (op->is("integer.copy")) {
    for (const Value* x : op->operands()) {
      if (isOwn(x)) continue;
      if (std::string why = whyItStays(x); !why.empty()) return why;
    }
    return "";
  }
  if (op->is("integer.affine") && op->intAttr("bits") > kLookedUpBits) {
    return "no lookup proves the range of an exact sum of more than 16 bits";
  }
  return llvm::StringSwitch<const char*>(op->name())
      .Cases("integer.linear", "integer.scores", "integer.mix", "an accumulator has no cells")
      .Case("integer.softmax", "probabilities are bounded by their row's sum alone")
      .Case("integer.append_rows", "a window's rows are those of its step table")
      .Case("integer.constant", "a constant is fixed where it is read")
      .Cases("integer.embedding", "integer.layernorm", "integer.requantize", "integer.lookup",
             "integer.multiply", "integer.divide", "integer.affine", "integer.argmax", "")
      .Default("it is of no op of the integer dialect");
}

}  // namespace lindero::ir::integer
