#include "passes/import_cleanup/merge_duplicates/merge_duplicates.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/text.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Parallel.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

// A text that two ops share exactly if they compute the same.
std::string keyOf(const Op& op, llvm::DenseMap<const Value*, size_t>& numbers) {
  std::string key = op.name().str();
  if (const ir::Constant* constant = constantOf(op.result())) {
    return absl::StrCat(key, " ", constant->sha256(), " ", ir::scalarName(constant->scalar).str(),
                        " ", ir::toText(op.result()->type()));
  }
  for (const Value* operand : op.operands()) {
    absl::StrAppend(&key, " ", numbers.try_emplace(operand, numbers.size()).first->second);
  }
  std::vector<std::string> attributes;
  for (const auto& [name, value] : op.attributes())
    attributes.push_back(absl::StrCat(" ", name.str(), "=", ir::toText(value)));
  std::sort(attributes.begin(), attributes.end());
  for (const std::string& attribute : attributes) key += attribute;
  return key;
}

absl::StatusOr<bool> merge(ir::Function& function) {
  bool changed = false;
  // Of gigabytes of weights on all cores.
  const auto constants = function.module()->constants().constants();
  llvm::parallelForEach(constants, [](const ir::Constant* constant) { constant->sha256(); });
  llvm::StringMap<Op*> first;
  llvm::DenseMap<const Value*, size_t> numbers;
  for (Op& op : llvm::make_early_inc_range(function.body().ops())) {
    if (!op.def().pure || op.block() || op.numResults() != 1) continue;
    auto [entry, fresh] = first.try_emplace(keyOf(op, numbers), &op);
    if (fresh) continue;
    // A constant shared by all layers came from everywhere: its first node says as much as all of
    // them.
    if (!op.is("tensor.constant")) entry->second->addLocation(op.location());
    op.result()->replaceAllUsesWith(entry->second->result());
    op.erase();
    changed = true;
  }
  if (changed) eraseUnusedConstants(*function.module());
  return changed;
}

}  // namespace

std::unique_ptr<Pass> createMergeDuplicates() {
  return makeFunctionPass("merge-duplicates", "Keeps one of several ops that compute the same",
                          merge);
}
absl::Status registerMergeDuplicates() { return registerPass(createMergeDuplicates); }

}  // namespace lindero::passes
