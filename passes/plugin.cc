#include "passes/plugin.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"

namespace lindero::passes {

absl::Status loadPassPlugin(llvm::StringRef path) {
  std::string file = path.str();
  // Without a slash dlopen would search the system's folders instead of the current one.
  if (!path.contains('/')) file = "./" + file;
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* reason = dlerror();
    return absl::NotFoundError(
        absl::StrCat("the plugin cannot be loaded: ", reason ? reason : file));
  }
  auto interface = reinterpret_cast<uint32_t (*)()>(dlsym(library, "linderoPluginInterface"));
  auto registerPasses =
      reinterpret_cast<void (*)(absl::Status*)>(dlsym(library, "linderoRegisterPasses"));
  if (!interface || !registerPasses) {
    return absl::InvalidArgumentError(
        absl::StrCat(file,
                     " is not a plugin of passes: it defines no linderoRegisterPasses; see "
                     "LINDERO_PASS_PLUGIN"));
  }
  if (interface() != kPluginInterface) {
    return absl::FailedPreconditionError(
        absl::StrCat(file, " was built for plugin interface ", interface(), ", this program has ",
                     kPluginInterface, ": build it again with the current headers"));
  }
  absl::Status status;
  registerPasses(&status);
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(file, ": ", status.message()));
}

}  // namespace lindero::passes
