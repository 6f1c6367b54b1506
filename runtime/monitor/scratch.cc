#include "runtime/monitor/scratch.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/error/error.h"
#include "runtime/package/files.h"

namespace lindero::runtime {
namespace {

namespace fs = std::filesystem;

}  // namespace

Scratch::Scratch(std::string folder, Monitor& monitor)
    : folder_(std::move(folder)), monitor_(&monitor) {
  std::lock_guard lock(monitor_->mutex_);
  monitor_->folders_.insert(folder_);
}

Scratch::Scratch(Scratch&& other) noexcept
    : folder_(std::exchange(other.folder_, "")), monitor_(other.monitor_) {}

Scratch::~Scratch() {
  if (folder_.empty()) return;
  std::error_code code;
  fs::remove_all(folder_, code);
  std::lock_guard lock(monitor_->mutex_);
  monitor_->folders_.erase(folder_);
}

absl::StatusOr<Scratch> Scratch::beside(const std::string& output, Monitor& monitor) {
  std::string folder = temporaryPath(output);
  if (::mkdir(folder.c_str(), 0777) != 0) {
    const int error = errno;
    const fs::path parent = fs::path(folder).parent_path();
    std::error_code code;
    if (!parent.empty() && !fs::is_directory(parent, code)) {
      return failure(Error::kFile, absl::StrCat("cannot write ", output, ": there is no folder ",
                                                parent.string()));
    }
    return withError(systemError(absl::StrCat("cannot write ", output), error), Error::kFile);
  }
  return Scratch(folder, monitor);
}

absl::StatusOr<Scratch> Scratch::temporary(Monitor& monitor) {
  std::error_code code;
  std::string pattern = (fs::temp_directory_path(code) / "lindero-XXXXXX").string();
  if (code || ::mkdtemp(pattern.data()) == nullptr) {
    int error = code ? code.value() : errno;
    return withError(systemError("cannot make a temporary folder (TMPDIR)", error), Error::kFile);
  }
  return Scratch(pattern, monitor);
}

std::string Scratch::path(absl::string_view name) const { return absl::StrCat(folder_, "/", name); }

RunningProgram::RunningProgram(pid_t pid, Monitor& monitor) : pid_(pid), monitor_(monitor) {
  std::lock_guard lock(monitor_.mutex_);
  monitor_.programs_.insert(pid_);
  // Who cancelled before found no program to end.
  if (monitor_.cancelled()) ::kill(pid_, SIGTERM);
}

RunningProgram::~RunningProgram() {
  std::lock_guard lock(monitor_.mutex_);
  monitor_.programs_.erase(pid_);
}

}  // namespace lindero::runtime
