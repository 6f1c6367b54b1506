// Op tables: every dialect lists its ops once, in data. Parser, printer, verifier, documentation
// and tests read these tables.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::ir {

// kConstant is a Symbol that names a constant of the module's pool; kSymbol names anything else (a
// table, a bus).
enum class AttrKind : uint8_t {
  kBool,
  kInt,
  kFloat,
  kString,
  kSymbol,
  kConstant,
  kInts,
  kFloats,
  kStrings
};
llvm::StringRef attrKindName(AttrKind kind);  // "int", "list of int", ...
bool isOfKind(const Attribute& attribute, AttrKind kind);

struct AttrSpec {
  llvm::StringRef name;
  AttrKind kind;
  bool required;
  llvm::StringRef doc;
};

// How often an operand or result may appear; kVariadic must be the last of its list.
enum class Arity : uint8_t { kOne, kOptional, kVariadic };

struct ValueSpec {
  llvm::StringRef name;
  Arity arity;
  llvm::StringRef doc;
};

using OpVerifier = std::function<absl::Status(const Op& op)>;

struct OpDef {
  llvm::StringRef name;                  // "dialect.op"
  llvm::StringRef summary;               // one line
  std::vector<ValueSpec> operands = {};  // kOptional only as the last ones
  std::vector<ValueSpec> results = {};
  std::vector<AttrSpec> attributes = {};
  // Numbered C1, C2, ... in the reference; cited by verifier and tests.
  std::vector<llvm::StringRef> constraints = {};
  bool has_block = false;
  bool terminator = false;
  // What the nested block ends in; empty: it has no terminator.
  llvm::StringRef block_terminator = {};
  // Without effect but its results: if nobody reads them, the op may go. Of an op with a block: if
  // all in the block is pure.
  bool pure = false;
  // Checks the constraints; the message cites their number ("C2: ..."). Null if the specs say all.
  absl::Status (*verify)(const Op& op) = nullptr;
  // The same, for constraints that depend on more than the op: what looks around in the module
  // once, when the first op that names this function is verified, and then checks all such ops.
  OpVerifier (*verifier_in)(const Function& function) = nullptr;

  const AttrSpec* attribute(llvm::StringRef name) const;  // null if there is none
  llvm::StringRef dialect() const { return name.split('.').first; }
};

// "integer.linear (/h.0/mlp/MatMul)": how messages name an op.
std::string describe(const Op& op);

// The error for a violated constraint, numbered from 1:
// "integer.requantize (/h.0/mlp/Add): C2: 1 <= shift <= 16; here shift = 17".
absl::Status violates(const Op& op, unsigned constraint, llvm::StringRef here);

// Registers a dialect's table; called by registerAllDialects() (ir/dialects.h) and by plugins.
// Re-registration is an error. The strings of the table must live as long as the program: use
// literals.
absl::Status registerDialect(llvm::StringRef dialect, std::vector<OpDef> ops,
                             llvm::StringRef summary = {});
llvm::StringRef dialectSummary(llvm::StringRef dialect);
const OpDef* findOpDef(llvm::StringRef name);
std::vector<const OpDef*> allOpDefs();  // sorted by name

}  // namespace lindero::ir
