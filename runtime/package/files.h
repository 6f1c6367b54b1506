// Whole files, written so that no reader ever sees half of one.
#ifndef LINDERO_RUNTIME_PACKAGE_FILES_H_
#define LINDERO_RUNTIME_PACKAGE_FILES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lindero::runtime {

// "<what>: <text of the error>", with a remedy where there is an obvious one (full disk).
absl::Status systemError(absl::string_view what, int error);

// All bytes of a regular file; an error when it has more than `limit`.
absl::StatusOr<std::string> readFile(const std::string& path, uint64_t limit);

// Writes beside `path`, then renames over it. On an error nothing is left behind. What exists and
// is no regular file (a device) is an error.
absl::Status writeFile(const std::string& path, absl::string_view bytes);

// A name beside `path` that no other writer uses.
std::string temporaryPath(const std::string& path);

// Whether a file may be written there: nothing or a regular file stands there, in a folder that can
// be written. For a check before long work.
absl::Status checkFileDestination(const std::string& path);

// rename(2), with both names in the message.
absl::Status renamePath(const std::string& from, const std::string& to);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_FILES_H_
