// Runs another program and watches it: its progress lines and its messages.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/monitor/monitor.h"
#include "runtime/monitor/scratch.h"

namespace lindero::runtime {

struct ProcessResult {
  int exit_code = 0;             // of a program that ended by itself
  int signal = 0;                // otherwise
  std::string output;            // what it wrote to stdout
  std::string errors;            // the last of what it wrote to stderr, about 64 KiB
  double processor_seconds = 0;  // of all its threads
};

// Gets a line, without its end.
using LineReader = std::function<void(absl::string_view)>;

// A program that runs, started without a shell. Cancelling the monitor ends it, and so does the
// destructor. Arguments equal to "{progress}" are replaced by the number of a descriptor:
// `progress` gets what the program writes there. Callbacks and monitor must outlive it.
class Process {
 public:
  // Fails only if the program cannot be started.
  static absl::StatusOr<std::unique_ptr<Process>> start(const std::string& program,
                                                        const std::vector<std::string>& arguments,
                                                        LineReader progress, Monitor& monitor);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  // Writes a line to its stdin and waits for the next line of its stdout; nothing if it ends
  // instead.
  std::optional<std::string> ask(absl::string_view line);
  // Lets it come to its end: there is nothing more to read on its stdin. Fails only if the program
  // cannot be watched.
  absl::StatusOr<ProcessResult> finish();

 private:
  struct Channels;
  Process(const std::string& program, pid_t pid, std::unique_ptr<Channels> channels,
          LineReader progress, Monitor& monitor);
  // Reads what it writes until it is done with that, or there is a line on its stdout.
  void watch(bool until_line);

  std::string program_;
  pid_t pid_;
  std::unique_ptr<Channels> channels_;
  LineReader progress_;
  RunningProgram running_;
  bool ended_ = false;
  ProcessResult result_;
};

// Runs a program that reads nothing from us. Errors: those of start and finish.
absl::StatusOr<ProcessResult> runProcess(const std::string& program,
                                         const std::vector<std::string>& arguments,
                                         const LineReader& progress, Monitor& monitor);

}  // namespace lindero::runtime
