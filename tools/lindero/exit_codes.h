// How the command line reports failure: every error is an absl::Status whose message is one line,
// and a tag that decides the exit code. Codes are stable; the table below is the only place that
// lists them, and README.md is tested against it.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace lindero::cli {

enum class Exit : int {
  kOk = 0,
  kInternal = 1,
  kUsage = 2,
  kModel = 3,
  kUnsupported = 4,
  kUnboundDimension = 5,
  kNotFinite = 6,
  kOverBound = 7,
  kInput = 8,
  kToken = 9,
  kOutOfRange = 10,
  kProverMissing = 11,
  kProverFailed = 12,
  kRejected = 13,
  kCheckFailed = 14,
  kFile = 15,
  kPackage = 16,
  kUnopened = 17,
};

struct ExitInfo {
  Exit code;
  absl::string_view name;     // in JSON
  absl::string_view meaning;  // in README.md
};

// In ascending order of codes.
absl::Span<const ExitInfo> exitTable();
const ExitInfo& exitInfo(Exit code);

// Tags a status; one that is OK, or has a tag already, stays as it is.
absl::Status withExit(absl::Status status, Exit code);
absl::Status failure(Exit code, absl::string_view message);
// The tag, kInternal without one.
Exit exitOf(const absl::Status& status);

// Tag an error by its status code, as the headers of the parts that made it promise: import and
// cleanup; quantization and lowering; reading a package; running one.
absl::Status withLoadExit(absl::Status status);
absl::Status withModelExit(absl::Status status);
absl::Status withPackageExit(absl::Status status);
absl::Status withRunExit(absl::Status status);

}  // namespace lindero::cli
