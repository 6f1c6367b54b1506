// Between long work and whoever waits for it: how far it is, what it has to say, and a way to end
// it.
//
// One monitor serves any number of calls, one after another, and must outlive them. Whatever a call
// makes that must not outlive it (folders, programs that run) is known to its monitor, so that a
// program about to end can clear up from another thread.
#ifndef LINDERO_RUNTIME_MONITOR_MONITOR_H_
#define LINDERO_RUNTIME_MONITOR_MONITOR_H_

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lindero::runtime {

class Monitor {
 public:
  // `stage` is a short phrase ("run the model"); `fraction` of it is done, in [0, 1], or negative
  // where that is unknown.
  using Progress = std::function<void(absl::string_view stage, double fraction)>;
  // A sentence that a user should see, and that is no error.
  using Note = std::function<void(absl::string_view text)>;

  // Both may be empty. They are called from the thread that does the work; each may call `cancel`.
  explicit Monitor(Progress progress = nullptr, Note note = nullptr)
      : progress_(std::move(progress)), note_(std::move(note)) {}
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // Ends work that this monitors, from any thread, for good: the call returns an error of kind
  // kCancelled after its current step, a prover is told to end at once. Nothing half-written stays.
  void cancel();
  bool cancelled() const { return cancelled_; }

  // For a program that ends before its calls return (a signal): ends programs and removes folders
  // now. Whoever wants to make another one waits for ever.
  void abandon();

  // What work calls.
  void progress(absl::string_view stage, double fraction = -1) const {
    if (progress_) progress_(stage, fraction);
  }
  void note(absl::string_view text) const {
    if (note_) note_(text);
  }
  // An error of kind kCancelled if it is.
  absl::Status checkCancelled() const;

 private:
  friend class Scratch;
  friend class RunningProgram;

  void endPrograms();  // with the mutex held

  Progress progress_;
  Note note_;
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;
  std::set<std::string> folders_;
  std::set<pid_t> programs_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_MONITOR_MONITOR_H_
