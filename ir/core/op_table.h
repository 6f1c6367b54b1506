// Op tables: every dialect lists its ops once, in data. Parser, printer, verifier, documentation and tests read these tables.
#pragma once

#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::ir {

enum class AttrKind : uint8_t { kBool, kInt, kFloat, kString, kSymbol, kInts, kFloats, kStrings };

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

struct OpDef {
  llvm::StringRef name;                     // "dialect.op"
  llvm::StringRef summary;                  // one line
  std::vector<ValueSpec> operands;          // kOptional only as the last ones
  std::vector<ValueSpec> results;
  std::vector<AttrSpec> attributes;
  std::vector<llvm::StringRef> constraints;  // numbered C1, C2, ... in the reference; cited by verifier and tests
  bool has_block = false;
  bool terminator = false;
  // Checks the constraints; the message cites their number ("C2: ..."). Null if the specs say all.
  absl::Status (*verify)(const Op& op) = nullptr;
};

// Registers a dialect's table; called by registerAllDialects() (ir/dialects.h) and by plugins. Re-registration is an error.
absl::Status registerDialect(llvm::StringRef dialect, std::vector<OpDef> ops);
const OpDef* findOpDef(llvm::StringRef name);
std::vector<const OpDef*> allOpDefs();  // sorted by name

}  // namespace lindero::ir
