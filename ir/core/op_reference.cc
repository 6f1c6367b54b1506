#include "ir/core/op_reference.h"

#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace lindero::ir {

namespace {

// Words in lines of at most 120 bytes; those that follow the first start with `indent` spaces, and
// none with a sign, which would begin a list.
void printWrapped(llvm::StringRef text, unsigned indent, llvm::raw_ostream& os) {
  constexpr size_t kWidth = 118;  // and a sign
  size_t column = 0;
  while (!text.empty()) {
    const auto [word, rest] = text.split(' ');
    const bool sign = word == "-" || word == "+" || word == "*";
    if (column > 0 && column + 1 + word.size() > kWidth && !sign) {
      os << "\n";
      os.indent(indent);
      column = indent;
    } else if (column > 0) {
      os << " ";
      ++column;
    }
    os << word;
    column += word.size();
    text = rest;
  }
  os << "\n";
}

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
    if (spec.doc.empty()) continue;
    printWrapped(llvm::formatv("- `%{0}`: {1}", spec.name, spec.doc).str(), 2, os);
  }
}

void printOp(const OpDef& def, llvm::raw_ostream& os) {
  os << "\n### " << def.name << "\n\n    ";
  printForm(def, os);
  os << "\n\n";
  printWrapped((def.summary + (def.terminator ? ". Ends its block." : ".")).str(), 0, os);
  os << "\n";
  printValues(def.operands, os);
  printValues(def.results, os);
  for (const AttrSpec& spec : def.attributes) {
    printWrapped(llvm::formatv("- `{0}` ({1}){2}{3}", spec.name, attrKindName(spec.kind),
                               spec.doc.empty() ? "" : ": ", spec.doc)
                     .str(),
                 2, os);
  }
  for (const auto& [index, constraint] : llvm::enumerate(def.constraints)) {
    printWrapped(llvm::formatv("- C{0}: {1}", index + 1, constraint).str(), 2, os);
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
      os << "\n## " << dialect << "\n\n";
      printWrapped(dialectSummary(dialect), 0, os);
    }
    printOp(*def, os);
  }
}

}  // namespace lindero::ir
