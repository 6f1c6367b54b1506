#include "ir/proof/ops.h"

#include "absl/strings/str_cat.h"
#include "ir/core/text.h"
#include "ir/integer/crossing.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace lindero::ir::proof {

namespace {

using enum Arity;
using enum AttrKind;

const Function* calleeOf(const Op& segment) {
  const Module& module = *segment.parent()->function()->module();
  return module.findFunction(segment.symbolAttr("function"));
}

absl::Status sameType(const Op& op, unsigned constraint, llvm::StringRef what, unsigned i,
                      const Type& here, const Type& there) {
  if (here == there) return absl::OkStatus();
  return violates(
      op, constraint,
      llvm::formatv("{0} {1} is {2}, the function's {3}", what, i, toText(here), toText(there))
          .str());
}

absl::Status verifyTypes(const Op& op, const Function& callee) {
  const auto arguments = callee.body().arguments();
  const Op* end = callee.body().terminator();
  const size_t returned = end == nullptr ? 0 : end->numOperands();
  if (arguments.size() != op.numOperands() || returned != op.numResults()) {
    return violates(op, 2,
                    llvm::formatv("({0}) -> ({1}), the function ({2}) -> ({3})", op.numOperands(),
                                  op.numResults(), arguments.size(), returned)
                        .str());
  }
  absl::Status status;
  for (unsigned i = 0; i < op.numOperands(); ++i) {
    status.Update(sameType(op, 2, "operand", i, op.operand(i)->type(), arguments[i]->type()));
  }
  for (unsigned i = 0; i < op.numResults(); ++i) {
    status.Update(sameType(op, 2, "result", i, op.result(i)->type(), end->operand(i)->type()));
  }
  return status;
}

absl::Status verifySegment(const Op& op) {
  const Function* callee = calleeOf(op);
  if (callee == nullptr) {
    return violates(op, 1, "no function is named @" + op.symbolAttr("function"));
  }
  const Block& around = *op.parent();
  if (around.parentOp() != nullptr) return violates(op, 1, "it stands in a block");
  if (callee->body().terminator() == nullptr) {
    return violates(op, 1, "@" + callee->name() + " does not end in a return");
  }
  for (const Op& inner : callee->body().ops()) {
    if (inner.def().dialect() == op.def().dialect()) {
      return violates(op, 1, "@" + callee->name() + " has segments itself");
    }
  }
  if (absl::Status status = verifyTypes(op, *callee); !status.ok()) return status;
  for (const auto& [i, operand] : llvm::enumerate(op.operands())) {
    const Op* maker = operand->definingOp();
    if (maker == nullptr || maker->is("proof.link")) continue;
    return violates(op, 3, absl::StrCat("operand ", i, " is of ", describe(*maker)));
  }
  return absl::OkStatus();
}

absl::Status verifyLink(const Op& op) {
  const Value* x = op.operand(0);
  const Op* maker = x->definingOp();
  if (maker == nullptr || !maker->is("proof.segment")) {
    return violates(op, 1, maker == nullptr ? "it is an argument" : "it is of " + describe(*maker));
  }
  if (x->type() != op.result()->type()) {
    return violates(op, 1, toText(x->type()) + " and " + toText(op.result()->type()));
  }
  if (!x->hasOneUse()) return violates(op, 2, "its operand has another reader, too");
  const auto readers = op.result()->users();
  if (readers.size() != 1 || !readers[0]->is("proof.segment")) {
    return violates(op, 2,
                    absl::StrCat("its result has ", readers.size(), " readers",
                                 readers.empty() ? "" : ", one of which is ",
                                 readers.empty() ? "" : describe(*readers[0])));
  }
  if (const Function* callee = calleeOf(*maker)) {
    const std::string why = integer::whyItStays(callee->body().terminator()->operand(x->index()));
    if (!why.empty()) return violates(op, 3, "@" + callee->name() + ": " + why);
  }
  if (op.stringAttr("kind") == "challenge") return absl::OkStatus();
  return violates(op, 4, "kind = \"" + op.stringAttr("kind") + "\"");
}

}  // namespace

std::vector<OpDef> ops() {
  std::vector<OpDef> ops;
  ops.push_back({.name = "proof.segment",
                 .summary = "The work of one proof: what the function returns for these arguments",
                 .operands = {{"inputs", kVariadic, "public inputs, and what links bring"}},
                 .results = {{"outputs", kVariadic, "public outputs, and what links take"}},
                 .attributes = {{"function", kSymbol, true, "what the proof proves"}},
                 .constraints =
                     {"it stands in a function's body and names a function of the module without "
                      "segments of its own",
                      "operands and results have the types of the function's arguments and of what "
                      "it returns",
                      "an operand is an argument of the function around, or of proof.link"},
                 .verify = verifySegment});
  ops.push_back(
      {.name = "proof.link",
       .summary = "A tensor that leaves one proof and enters another: y = x",
       .operands = {{"x", kOne, "a result of proof.segment"}},
       .results = {{"y", kOne, "shape, scale and range are those of its type"}},
       .attributes = {{"from", kStrings, true, "ONNX nodes of the op that makes x"},
                      {"to", kStrings, true, "ONNX nodes of the ops that read y"},
                      {"kind", kString, true,
                       "how the two ends are compared. challenge: by sums under challenges that "
                       "both proofs share"}},
       .constraints = {"x is a result of proof.segment, and y has its type",
                       "nothing else reads x, and one operand of one proof.segment is y: each "
                       "element is given once and taken once",
                       "x stands in committed cells of a proven range", "kind is challenge"},
       .verify = verifyLink});
  return ops;
}

}  // namespace lindero::ir::proof
