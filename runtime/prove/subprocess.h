// Runs another program and watches it: its progress lines and its messages.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/monitor/monitor.h"

namespace lindero::runtime {

struct ProcessResult {
  int exit_code = 0;             // of a program that ended by itself
  int signal = 0;                // otherwise
  std::string output;            // what it wrote to stdout
  std::string errors;            // the last of what it wrote to stderr, about 64 KiB
  double processor_seconds = 0;  // of all its threads
};

// The program is started without a shell and reads nothing from us; cancelling the monitor ends it.
// Arguments equal to "{progress}" are replaced by the number of a descriptor: `line` gets what the
// program writes there, line by line. Fails only if the program cannot be started or watched.
absl::StatusOr<ProcessResult> runProcess(const std::string& program,
                                         const std::vector<std::string>& arguments,
                                         const std::function<void(absl::string_view)>& line,
                                         Monitor& monitor);

}  // namespace lindero::runtime
