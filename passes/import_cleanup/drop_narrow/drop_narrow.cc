#include "passes/import_cleanup/drop_narrow/drop_narrow.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/problems.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/whole_range.h"

namespace lindero::passes {
namespace {

// What a cast reads.
struct Narrowed {
  const ir::Value* value;
  std::string node;  // in words
  std::string type;
};

// The largest whole number up to which the type has all.
int64_t mostHeld(llvm::StringRef type) { return type == "f16" ? 2048 : 256; }

absl::StatusOr<bool> dropNarrow(ir::Function& function) {
  std::vector<Narrowed> narrowed;
  for (auto it = function.body().ops().begin(); it != function.body().ops().end();) {
    ir::Op& op = *it++;
    if (!op.is("tensor.narrow")) continue;
    narrowed.push_back({op.operand(0), ir::describe(op), op.stringAttr("type")});
    op.result()->replaceAllUsesWith(op.operand(0));
    op.erase();
  }
  // Of the graph without them: inputs are what their readers make of them.
  ir::Problems problems;
  WholeRanges ranges;
  for (const auto& [value, node, type] : narrowed) {
    const std::optional<WholeRange> range = ranges.of(value);
    // Reals that are rounded, of no known size, are as exact as reals are.
    if (!range || mostOf(*range) <= mostHeld(type) || mostOf(*range) >= kMostRounded) continue;
    problems.add(absl::UnimplementedError(
        absl::StrCat(node, ": it casts whole numbers, which may reach ", mostOf(*range),
                     ", to a type of 16 bits, ", "which holds all of them up to ", mostHeld(type),
                     " only; export the model with float32 here")));
  }
  if (absl::Status status = problems.status(); !status.ok()) return status;
  return !narrowed.empty();
}

}  // namespace

std::unique_ptr<Pass> createDropNarrow() {
  return makeFunctionPass("drop-narrow", "Takes reals of 16 bits for reals", dropNarrow);
}
absl::Status registerDropNarrow() { return registerPass(createDropNarrow); }

}  // namespace lindero::passes
