#include "tools/lindero/scratch.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/package/files.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;

struct Registry {
  std::mutex mutex;
  std::set<std::string> folders;
  std::set<pid_t> programs;
};

// Never destroyed: the interrupt thread may use it while the program ends.
Registry& registry() {
  static auto* instance = new Registry;
  return *instance;
}

[[noreturn]] void interrupt(int signal) {
  Registry& all = registry();
  all.mutex.lock();  // and never unlocked: nothing new is to be made
  for (pid_t pid : all.programs) ::kill(pid, SIGTERM);
  std::error_code code;
  for (const std::string& folder : all.folders) fs::remove_all(folder, code);
  ::_exit(128 + signal);
}

}  // namespace

Scratch::Scratch(std::string folder) : folder_(std::move(folder)) {
  std::lock_guard lock(registry().mutex);
  registry().folders.insert(folder_);
}

Scratch::Scratch(Scratch&& other) noexcept : folder_(std::exchange(other.folder_, "")) {}

Scratch::~Scratch() {
  if (folder_.empty()) return;
  std::error_code code;
  fs::remove_all(folder_, code);
  std::lock_guard lock(registry().mutex);
  registry().folders.erase(folder_);
}

absl::StatusOr<Scratch> Scratch::beside(const std::string& output) {
  std::string folder = runtime::temporaryPath(output);
  if (::mkdir(folder.c_str(), 0777) != 0) {
    const int error = errno;
    const fs::path parent = fs::path(folder).parent_path();
    std::error_code code;
    if (!parent.empty() && !fs::is_directory(parent, code)) {
      return failure(Exit::kFile, absl::StrCat("cannot write ", output, ": there is no folder ",
                                               parent.string()));
    }
    return withExit(runtime::systemError(absl::StrCat("cannot write ", output), error),
                    Exit::kFile);
  }
  return Scratch(folder);
}

absl::StatusOr<Scratch> Scratch::temporary() {
  std::error_code code;
  std::string pattern = (fs::temp_directory_path(code) / "lindero-XXXXXX").string();
  if (code || ::mkdtemp(pattern.data()) == nullptr) {
    int error = code ? code.value() : errno;
    return withExit(runtime::systemError("cannot make a temporary folder (TMPDIR)", error),
                    Exit::kFile);
  }
  return Scratch(pattern);
}

std::string Scratch::path(absl::string_view name) const { return absl::StrCat(folder_, "/", name); }

void cleanUpWhenInterrupted() {
  // Who reads our output may go: what was begun is finished.
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals] {
    int signal = 0;
    while (sigwait(&signals, &signal) != 0) {
    }
    interrupt(signal);
  }).detach();
}

RunningProgram::RunningProgram(pid_t pid) : pid_(pid) {
  std::lock_guard lock(registry().mutex);
  registry().programs.insert(pid_);
}

RunningProgram::~RunningProgram() {
  std::lock_guard lock(registry().mutex);
  registry().programs.erase(pid_);
}

}  // namespace lindero::cli
