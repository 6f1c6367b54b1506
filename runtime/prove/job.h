// A folder for a proof in the making: the run's traces and claim, and what is proven so far. A
// process that was ended at any point leaves nothing half written, and the next one goes on.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/prove/claim_files.h"
#include "runtime/run/run.h"

namespace lindero::runtime {

class Job {
 public:
  // Makes the folder if it is missing. It is of one package, run, claim and key; one process at a
  // time, until the job goes out of scope or the process ends. Errors: kUsage for another's, or if
  // a process has it; kFile.
  static absl::StatusOr<Job> enter(const std::string& folder, const Run& run,
                                   const ClaimOptions& claim, const std::string& key);

  Job(Job&& other) noexcept;
  Job& operator=(Job&&) = delete;
  ~Job();

  const std::string& folder() const { return folder_; }

 private:
  Job(std::string folder, int lock) : folder_(std::move(folder)), lock_(lock) {}
  std::string folder_;
  int lock_ = -1;
};

// What there is in the folder of a job.
std::string claimOf(const std::string& job);
std::string openingsOf(const std::string& job);
std::string partsOf(const std::string& job);  // a folder, of the prover's
std::string traceOf(const std::string& job, int64_t block);

// Fills in what is missing of the traces, claim and openings.
absl::StatusOr<TracedRun> traceJob(const Job& job, const Run& run, const ClaimOptions& claim,
                                   const std::string& key, int threads, Monitor& monitor);

}  // namespace lindero::runtime
