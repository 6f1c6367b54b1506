// Files that must not outlive the work that makes them: temporary folders, and programs that it
// runs. They go when it succeeds, when it fails, and when its monitor is told so.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/monitor/monitor.h"

namespace lindero::runtime {

// A folder that is removed, with all it holds, by the destructor. The monitor must outlive it.
// Errors are kFile.
class Scratch {
 public:
  // Beside the file or folder that will be written, so that a result in it can be renamed into
  // place, and an output that cannot be written is an error before any work.
  static absl::StatusOr<Scratch> beside(const std::string& output, Monitor& monitor);
  // In the system's temporary folder.
  static absl::StatusOr<Scratch> temporary(Monitor& monitor);

  Scratch(Scratch&& other) noexcept;
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch();

  std::string path(absl::string_view name) const;

 private:
  Scratch(std::string folder, Monitor& monitor);
  std::string folder_;
  Monitor* monitor_;
};

// A program that `Monitor::cancel` ends while this object lives.
class RunningProgram {
 public:
  RunningProgram(pid_t pid, Monitor& monitor);
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

 private:
  pid_t pid_;
  Monitor& monitor_;
};

}  // namespace lindero::runtime
