// Files that must not outlive the command: temporary folders, and programs that it runs. They go
// when it succeeds, when it fails, and when it is interrupted.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lindero::cli {

// A folder that is removed, with all it holds, by the destructor.
class Scratch {
 public:
  // Beside the file or folder that will be written, so that a result in it can be renamed into
  // place, and an output that cannot be written is an error before any work.
  static absl::StatusOr<Scratch> beside(const std::string& output);
  // In the system's temporary folder.
  static absl::StatusOr<Scratch> temporary();

  Scratch(Scratch&& other) noexcept;
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch();

  std::string path(absl::string_view name) const;

 private:
  explicit Scratch(std::string folder);
  std::string folder_;
};

// From here on SIGINT, SIGTERM and SIGHUP end the program only after scratch folders and running
// programs are gone, and SIGPIPE does not. Called once, before other threads exist.
void cleanUpWhenInterrupted();

// A program to be ended then, while this object lives.
class RunningProgram {
 public:
  explicit RunningProgram(pid_t pid);
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

 private:
  pid_t pid_;
};

}  // namespace lindero::cli
