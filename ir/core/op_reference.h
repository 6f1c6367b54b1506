// The reference of all registered ops, in Markdown, from their tables: ir/OPS.md.
#pragma once

#include "llvm/Support/raw_ostream.h"

namespace lindero::ir {

void printOpReference(llvm::raw_ostream& os);

}  // namespace lindero::ir
