// The text form of IR: printer and parser.
//
//   constant @w17 : f32[50257x768] sha256:9a4c…
//
//   func @main(%ids: tensor<16xi64>) -> tensor<16x768xf32> {
//     %wte = tensor.constant {value = @w17} : tensor<50257x768xf32>
//     %0 = tensor.gather(%wte, %ids) {axis = 0} : tensor<16x768xf32> loc("/wte/Gather")
//     tensor.return(%0) {names = ["hidden"]}
//   }
//
// An op is  results = name(operands) {attributes} (block arguments) { block } : result types
// loc("node", "node"), where every part but the name may be absent. Comments run from // to the end
// of the line. A name that is not an identifier is quoted: %"input.0/x". Constants are listed in
// the order of their first use; weights are never in the text, but a test may write small ones out:
// constant @table : i32[4] = [1, 2, 3, 4].
//
// What is printed parses back to the same module, and prints as the same text. Values are named by
// their hints, with a suffix where two hints clash, or numbered in order of definition. Both
// directions are linear: about a microsecond per op.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "llvm/Support/raw_ostream.h"

namespace lindero::ir {

struct PrintOptions {
  bool locations = true;
  // Of constants; the first time that a constant is printed reads all of its bytes.
  bool digests = true;
};

void print(const Module& module, llvm::raw_ostream& os, const PrintOptions& options = {});
std::string toText(const Module& module, const PrintOptions& options = {});
std::string toText(const Type& type);
std::string toText(const Attribute& attribute);

// Gives a declared constant (name, scalar, shape, digest) its bytes.
using ConstantLoader = std::function<absl::StatusOr<Constant>(const Constant& declared)>;

struct ParseOptions {
  std::string file = "<text>";  // for messages
  // Without it, constants stay declared only: passes that need no values work.
  ConstantLoader load = {};
};

// Names are resolved and every op is in its table, but nothing else is verified: see verifier.h.
// Errors: "file:line:column: expected …, found …".
absl::StatusOr<std::unique_ptr<Module>> parse(llvm::StringRef text,
                                              const ParseOptions& options = {});
absl::StatusOr<Type> parseType(llvm::StringRef text);

}  // namespace lindero::ir
