#include "ir/region/ops.h"

#include "ir/core/text.h"
#include "ir/region/segment.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"

namespace lindero::ir::region {

namespace {

using enum Arity;
using enum AttrKind;

absl::Status verifyRegion(const Op& op) {
  const bool nested = op.parent()->parentOp() != nullptr;
  const std::string& kind = op.stringAttr("kind");
  const bool known =
      llvm::StringSwitch<bool>(kind)
          .Cases("embedding", "attention", "normalization", "linear", "lookup", "decode", !nested)
          .Cases("views", "compare", "normalize", "mix",
                 nested && op.parent()->parentOp()->is("region.region") &&
                     op.parent()->parentOp()->stringAttr("kind") == "attention")
          .Default(false);
  if (!known) {
    return violates(op, 1, "kind = \"" + kind + "\"" + (nested ? " in another region" : ""));
  }
  const Op& yield = op.block()->ops().back();
  if (yield.numOperands() != op.numResults()) {
    return violates(
        op, 2,
        llvm::formatv("{0} results, {1} values yielded", op.numResults(), yield.numOperands())
            .str());
  }
  for (unsigned i = 0; i < op.numResults(); ++i) {
    if (op.result(i)->type() == yield.operand(i)->type()) continue;
    return violates(op, 2,
                    llvm::formatv("result {0} is {1}, the value {2}", i,
                                  toText(op.result(i)->type()), toText(yield.operand(i)->type()))
                        .str());
  }
  const std::string wrong = wrongSegment(op);
  return wrong.empty() ? absl::OkStatus() : violates(op, 3, wrong);
}

}  // namespace

std::vector<OpDef> ops() {
  std::vector<OpDef> ops;
  ops.push_back(
      {.name = "region.region",
       .summary = "Ops that do one kind of work; values from outside are visible inside",
       .results = {{"yielded", kVariadic, "what region.yield hands out, in its order"}},
       .attributes = {{"kind", kString, true,
                       "embedding, attention, normalization, linear, lookup or decode; within "
                       "attention also views, compare, normalize and mix"},
                      {"label", kString, true, "\"layer0/attention\": names costs and errors"},
                      {"segment", kInt, false,
                       "the proof that all ops within belong to (place-proof-boundaries)"}},
       .constraints = {"kind is one of those listed; views, compare, normalize and mix stand in an "
                       "attention region, the others in no region",
                       "the results have the types of region.yield's operands",
                       "segment >= 0, and no region around it has one"},
       .has_block = true,
       .block_terminator = "region.yield",
       .pure = true,
       .verify = verifyRegion});
  ops.push_back({.name = "region.yield",
                 .summary = "The values that a region hands out",
                 .operands = {{"values", kVariadic, ""}},
                 .terminator = true});
  return ops;
}

}  // namespace lindero::ir::region
