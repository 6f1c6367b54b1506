#include "runtime/monitor/monitor.h"

#include <signal.h>

#include <filesystem>
#include <system_error>

#include "runtime/error/error.h"

namespace lindero::runtime {

void Monitor::endPrograms() {
  for (pid_t pid : programs_) ::kill(pid, SIGTERM);
}

void Monitor::cancel() {
  cancelled_ = true;
  std::lock_guard lock(mutex_);
  endPrograms();
}

void Monitor::abandon() {
  cancelled_ = true;
  mutex_.lock();  // and never unlocked: nothing new is to be made
  endPrograms();
  std::error_code code;
  for (const std::string& folder : folders_) std::filesystem::remove_all(folder, code);
}

absl::Status Monitor::checkCancelled() const {
  return cancelled_ ? failure(Error::kCancelled, "cancelled") : absl::OkStatus();
}

}  // namespace lindero::runtime
