#include "ir/core/op_reference.h"

#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::ir {

namespace {

// `%a, [%b], %c...`, as many as there are.
void printNames(llvm::ArrayRef<ValueSpec> specs, llvm::raw_ostream& os) {
  llvm::interleaveComma(specs, os, [&](const ValueSpec& spec) {
    if (spec.arity == Arity::kOptional) {
      os << "[%" << spec.name << "]";
    } else {
      os << "%" << spec.name << (spec.arity == Arity::kVariadic ? "..." : "");
    }
  });
}

// The op as it is written, optional parts in brackets: `%y = tensor.gather(%data, %indices)
// {axis}`.
void printForm(const OpDef& def, llvm::raw_ostream& os) {
  printNames(def.results, os);
  os << (def.results.empty() ? "" : " = ") << def.name;
  if (!def.operands.empty()) {
    os << "(";
    printNames(def.operands, os);
    os << ")";
  }
  if (!def.attributes.empty()) {
    os << " {";
    llvm::interleaveComma(def.attributes, os, [&](const AttrSpec& spec) {
      os << (spec.required ? "" : "[") << spec.name << (spec.required ? "" : "]");
    });
    os << "}";
  }
  if (!def.has_block) return;
  os << " { ... " << def.block_terminator << (def.block_terminator.empty() ? "}" : " }");
}

// Values are listed only if there is something to say beyond their name.
void printValues(llvm::ArrayRef<ValueSpec> specs, llvm::raw_ostream& os) {
  for (const ValueSpec& spec : specs) {
    if (!spec.doc.empty()) os << "- `%" << spec.name << "`: " << spec.doc << "\n";
  }
}

void printOp(const OpDef& def, llvm::raw_ostream& os) {
  os << "\n### " << def.name << "\n\n    ";
  printForm(def, os);
  os << "\n\n" << def.summary << "." << (def.terminator ? " Ends its block." : "") << "\n\n";
  printValues(def.operands, os);
  printValues(def.results, os);
  for (const AttrSpec& spec : def.attributes) {
    os << "- `" << spec.name << "` (" << attrKindName(spec.kind) << ")"
       << (spec.doc.empty() ? "" : ": ") << spec.doc << "\n";
  }
  for (const auto& [index, constraint] : llvm::enumerate(def.constraints)) {
    os << "- C" << index + 1 << ": " << constraint << "\n";
  }
}

}  // namespace

void printOpReference(llvm::raw_ostream& os) {
  os << "# Op reference\n\n"
        "Written by `lindero-opt --emit-op-reference` from the op tables; do not edit. "
        "`core/ir.h` explains types,\n"
        "`core/text.h` the text form. A constraint is cited by its number in messages of the "
        "verifier and in tests.\n";
  llvm::StringRef dialect;
  for (const OpDef* def : allOpDefs()) {
    if (def->dialect() != dialect) {
      dialect = def->dialect();
      os << "\n## " << dialect << "\n\n" << dialectSummary(dialect) << "\n";
    }
    printOp(*def, os);
  }
}

}  // namespace lindero::ir
