// Constants as files: a folder of <sha256>.bin, each the raw bytes of a constant. Text names
// constants by digest, so text and folder together are a whole module, and modules may share a
// folder.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "ir/core/text.h"

namespace lindero::ir {

// Writes those of the module's constants that the folder does not hold yet; makes the folder. Each
// file is written beside its place and then renamed. Declared constants are left out: they have no
// bytes.
absl::Status saveConstants(const Module& module, llvm::StringRef folder);

// Reads (maps, where large) what saveConstants wrote. Size and digest are checked: a read costs a
// pass over the bytes.
ConstantLoader loadConstantsFrom(std::string folder);

}  // namespace lindero::ir
