// How the command line reports failure: every error is an absl::Status whose message is one line,
// of a kind (runtime/error) that decides the exit code. Codes are stable; the table is the only
// place that lists them, and README.md is tested against it.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/error/error.h"

namespace lindero::cli {

using runtime::Error;
using runtime::errorOf;
using runtime::failure;
using runtime::withError;

struct ExitInfo {
  Error kind;                 // its name is that of JSON
  int code;                   // of the process
  absl::string_view meaning;  // in README.md
};

// In ascending order of codes. A cancelled command has none: it ends by a signal.
absl::Span<const ExitInfo> exitTable();
const ExitInfo& exitInfo(Error kind);

}  // namespace lindero::cli
