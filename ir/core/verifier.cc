#include "ir/core/verifier.h"

#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/text.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

namespace lindero::ir {

namespace {

absl::Status opError(const Op& op, std::string message) {
  return absl::InvalidArgumentError(absl::StrCat(describe(op), ": ", message));
}

absl::Status verifyCount(const Op& op, llvm::ArrayRef<ValueSpec> specs, size_t count,
                         llvm::StringRef what) {
  size_t least = llvm::count_if(specs, [](const ValueSpec& s) { return s.arity == Arity::kOne; });
  bool unbounded = !specs.empty() && specs.back().arity == Arity::kVariadic;
  if (count >= least && (unbounded || count <= specs.size())) return absl::OkStatus();
  std::string expected = unbounded               ? absl::StrCat("at least ", least)
                         : least == specs.size() ? absl::StrCat(least)
                                                 : absl::StrCat(least, " to ", specs.size());
  return opError(op, absl::StrCat("expected ", expected, " ", what.str(), ", found ", count));
}

absl::Status verifyAttributes(const Op& op) {
  for (const auto& [name, value] : op.attributes()) {
    const AttrSpec* spec = op.def().attribute(name);
    if (!spec) return opError(op, absl::StrCat("has no attribute '", name.str(), "'"));
    if (!isOfKind(value, spec->kind)) {
      return opError(op, absl::StrCat("attribute '", name.str(), "' is ", toText(value),
                                      ", not of kind ", attrKindName(spec->kind).str()));
    }
    if (spec->kind == AttrKind::kConstant) {
      const std::string& constant = std::get<Symbol>(value).name;
      if (!op.parent()->function()->module()->constants().find(constant)) {
        return opError(op, absl::StrCat("no constant of the module is named @", constant));
      }
    }
  }
  for (const AttrSpec& spec : op.def().attributes) {
    if (spec.required && !op.has(spec.name)) {
      return opError(op, absl::StrCat("attribute '", spec.name.str(), "' (",
                                      attrKindName(spec.kind).str(), ") is missing"));
    }
  }
  return absl::OkStatus();
}

// What a type's text cannot say, and the parser therefore rules out.
bool isWellFormed(const Type& type) {
  bool fixed = type.element == Element::kFixed;
  if (!fixed && (type.exponent || type.low || type.high)) return false;
  bool scalar = type.element == Element::kBase || type.element == Element::kExt;
  return type.low <= type.high && (!scalar || type.shape.empty()) &&
         llvm::all_of(type.shape, [](int64_t size) { return size >= 0; });
}

class FunctionVerifier {
 public:
  absl::Status verify(const Function& function) {
    const Block& body = function.body();
    std::string last_return;
    if (!body.empty()) {
      last_return = absl::StrCat(body.ops().back().def().dialect().str(), ".return");
      if (!findOpDef(last_return)) last_return.clear();
    }
    return verifyBlock(body, last_return);
  }

 private:
  // `terminator`: the op that must end the block, and may stand nowhere else; empty for none.
  absl::Status verifyBlock(const Block& block, llvm::StringRef terminator) {
    std::vector<const Value*> defined;
    auto define = [&](const Value* value) {
      visible_.insert(value);
      defined.push_back(value);
    };
    for (const auto& argument : block.arguments()) {
      define(argument.get());
      if (!isWellFormed(argument->type())) {
        return absl::InvalidArgumentError(absl::StrCat("argument %", argument->name().str(),
                                                       ": the type ", toText(argument->type()),
                                                       " is malformed"));
      }
    }
    for (const Op& op : block.ops()) {
      if (absl::Status status = verifyOp(op, &op == &block.ops().back(), terminator);
          !status.ok()) {
        return status;
      }
      for (unsigned i = 0; i < op.numResults(); ++i) define(op.result(i));
    }
    if (!terminator.empty() && block.empty()) {
      return opError(*block.parentOp(), absl::StrCat("its block must end in ", terminator.str()));
    }
    for (const Value* value : defined) visible_.erase(value);
    return absl::OkStatus();
  }

  absl::Status verifyOp(const Op& op, bool is_last, llvm::StringRef terminator) {
    const OpDef& def = op.def();
    bool fits = is_last && def.name == terminator;
    if (def.terminator && !fits) {
      return opError(op, "a terminator stands only at the end of a block of its kind");
    }
    if (is_last && !terminator.empty() && !fits) {
      return opError(op, absl::StrCat("after it, the block must end in ", terminator.str()));
    }
    for (const auto& [index, operand] : llvm::enumerate(op.operands())) {
      if (visible_.contains(operand)) continue;
      return opError(op,
                     absl::StrCat("operand ", index, operandName(def, index),
                                  " is not defined before its use, in this block or around it"));
    }
    absl::Status status = verifyCount(op, def.operands, op.numOperands(), "operands");
    status.Update(verifyCount(op, def.results, op.numResults(), "results"));
    status.Update(verifyAttributes(op));
    for (unsigned i = 0; i < op.numResults(); ++i) {
      const Type& type = op.result(i)->type();
      if (isWellFormed(type)) continue;
      status.Update(opError(op, absl::StrCat("the type ", toText(type), " is malformed")));
    }
    if (status.ok() && op.block()) status = verifyBlock(*op.block(), def.block_terminator);
    if (status.ok() && def.verify) status = def.verify(op);
    if (status.ok() && def.verifier_in) status = verifierOf(op)(op);
    return status;
  }

  const OpVerifier& verifierOf(const Op& op) {
    OpVerifier& verifier = verifiers_[op.def().verifier_in];
    if (!verifier) verifier = op.def().verifier_in(*op.parent()->function());
    return verifier;
  }

  static std::string operandName(const OpDef& def, size_t index) {
    if (def.operands.empty()) return "";
    const ValueSpec& spec = def.operands[std::min(index, def.operands.size() - 1)];
    return absl::StrCat(" (", spec.name.str(), ")");
  }

  llvm::DenseSet<const Value*> visible_;
  std::unordered_map<OpVerifier (*)(const Function&), OpVerifier> verifiers_;
};

}  // namespace

absl::Status verify(const Function& function) {
  absl::Status status = FunctionVerifier().verify(function);
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat("func @", function.name(), ": ", status.message()));
}

absl::Status verify(const Module& module) {
  llvm::StringSet<> names;
  for (const auto& function : module.functions()) {
    if (!names.insert(function->name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("func @", function->name(), " is defined twice"));
    }
    if (absl::Status status = verify(*function); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace lindero::ir
