// Which Lindero this is, for people and for bug reports.
#ifndef LINDERO_RUNTIME_VERSION_VERSION_H_
#define LINDERO_RUNTIME_VERSION_VERSION_H_

#include <string>

#include "absl/strings/string_view.h"

namespace lindero::runtime {

absl::string_view version();  // "0.1.0"
// Of the source tree, abbreviated; "unknown" where it was built without git.
absl::string_view commit();

// "<program> 0.1.0 (commit 0123456789ab)" and a line with all formats that it reads and writes.
std::string describeVersion(absl::string_view program);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_VERSION_VERSION_H_
