// Passes in a shared library, loaded by --load-pass-plugin=x.so; nothing of ours is built again for
// them.
//
//   #include "passes/plugin.h"
//   LINDERO_PASS_PLUGIN { return lindero::passes::registerPass(createMyPass); }
//
// The block may also register dialects (ir::registerDialect). A plugin links nothing: it takes our
// symbols, LLVM's and abseil's from the program that loads it. It must be compiled against the same
// headers as that program; the interface number catches the obvious mistakes only.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "llvm/ADT/StringRef.h"
#include "passes/pass.h"

namespace lindero::passes {

// Raised when an interface that plugins use changes.
inline constexpr uint32_t kPluginInterface = 1;

// Loads the library and registers its passes. It stays loaded until the program ends.
absl::Status loadPassPlugin(llvm::StringRef path);

}  // namespace lindero::passes

#define LINDERO_PASS_PLUGIN                                                                  \
  static absl::Status linderoRegisterPluginPasses();                                         \
  extern "C" uint32_t linderoPluginInterface() { return lindero::passes::kPluginInterface; } \
  extern "C" void linderoRegisterPasses(absl::Status* status) {                              \
    *status = linderoRegisterPluginPasses();                                                 \
  }                                                                                          \
  static absl::Status linderoRegisterPluginPasses()
