#include "runtime/prove/prove_run.h"

#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/strings/str_cat.h"
#include "runtime/error/error.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/files.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"
#include "runtime/prove/job.h"

namespace lindero::runtime {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostKey = uint64_t{1} << 31;

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

absl::Status copyFile(const std::string& from, const std::string& to) {
  if (to.empty()) return absl::OkStatus();
  absl::StatusOr<std::string> bytes = readFile(from, kMostKey);
  if (!bytes.ok()) return withError(bytes.status(), Error::kFile);
  return withError(writeFile(to, *bytes), Error::kFile);
}

absl::Status moveFile(const std::string& from, const std::string& to) {
  return withError(renamePath(from, to), Error::kFile);
}

absl::StatusOr<ProvenRun> proveJob(const Run& run, const Prover& prover, const ClaimOptions& claim,
                                   const ProveFiles& files, Monitor& monitor) {
  if (files.key.empty()) {
    return failure(Error::kUsage, absl::StrCat("the job ", files.job,
                                               " needs a key: `lindero compile MODEL -o PACKAGE` "
                                               "makes one, with the package"));
  }
  LINDERO_ASSIGN_OR_RETURN(const Job job, Job::enter(files.job, run, claim, files.key));
  ProvenRun proven;
  const Clock::time_point start = Clock::now();
  LINDERO_ASSIGN_OR_RETURN(TracedRun traced,
                           traceJob(job, run, claim, files.key, prover.options().threads, monitor));
  proven.trace_seconds = secondsSince(start);
  proven.statement = std::move(traced.statement);
  if (files.proof.empty()) return proven;
  const std::string openings = claim.digests.empty() ? "" : openingsOf(files.job);
  LINDERO_ASSIGN_OR_RETURN(proven.report, prover.prove(run.opened.path, files.key,
                                                       {.traces = std::move(traced.traces),
                                                        .claim = claimOf(files.job),
                                                        .openings = openings,
                                                        .proof = files.proof,
                                                        .parts = partsOf(files.job)},
                                                       monitor));
  LINDERO_RETURN_IF_ERROR(copyFile(files.key, files.key_out));
  if (!openings.empty()) LINDERO_RETURN_IF_ERROR(copyFile(openings, files.openings));
  return proven;
}

// Makes the proof from files in the scratch folder.
using MakeProof = absl::AnyInvocable<absl::StatusOr<Report>(const RunFiles&)>;

absl::Status proveTraced(const Run& run, TracedRun traced, const ClaimOptions& claim,
                         const ProveFiles& files, const Scratch& scratch, MakeProof make,
                         ProvenRun& proven) {
  RunFiles made{.traces = std::move(traced.traces),
                .claim = scratch.path("claim.json"),
                .openings = claim.digests.empty() ? "" : scratch.path("run.openings"),
                .proof = scratch.path("run.proof")};
  LINDERO_RETURN_IF_ERROR(writeClaim(claim, run.opened, traced.statement, run.decode.rule(),
                                     {files.key, made.claim, made.openings}));
  LINDERO_ASSIGN_OR_RETURN(proven.report, make(made));
  LINDERO_RETURN_IF_ERROR(copyFile(files.key, files.key_out));
  if (!made.openings.empty()) LINDERO_RETURN_IF_ERROR(moveFile(made.openings, files.openings));
  LINDERO_RETURN_IF_ERROR(moveFile(made.proof, files.proof));
  proven.statement = std::move(traced.statement);
  return absl::OkStatus();
}

absl::StatusOr<TracedRun> traceTimed(const Run& run, const Scratch& scratch, int threads,
                                     Monitor& monitor, ProvenRun& proven) {
  const Clock::time_point start = Clock::now();
  LINDERO_ASSIGN_OR_RETURN(TracedRun traced, traceRun(run, scratch.path("."), threads, monitor));
  proven.trace_seconds = secondsSince(start);
  return traced;
}

}  // namespace

absl::StatusOr<ProvenRun> proveRun(const Run& run, const Prover& prover, const ClaimOptions& claim,
                                   const ProveFiles& files, Monitor& monitor) {
  if (!files.job.empty()) return proveJob(run, prover, claim, files, monitor);
  LINDERO_ASSIGN_OR_RETURN(const Scratch scratch, Scratch::beside(files.proof, monitor));
  ProvenRun proven;
  LINDERO_ASSIGN_OR_RETURN(TracedRun traced,
                           traceTimed(run, scratch, prover.options().threads, monitor, proven));
  ProveFiles used = files;
  if (used.key.empty()) {
    const Clock::time_point start = Clock::now();
    used.key = scratch.path(kKeyFile);
    LINDERO_RETURN_IF_ERROR(prover.setup(run.opened.path, used.key, monitor).status());
    proven.key_made = true;
    proven.setup_seconds = secondsSince(start);
  }
  auto make = [&](const RunFiles& made) {
    return prover.prove(run.opened.path, used.key, made, monitor);
  };
  LINDERO_RETURN_IF_ERROR(proveTraced(run, std::move(traced), claim, used, scratch, make, proven));
  return proven;
}

absl::StatusOr<ProvenRun> proveRun(const Run& run, ProverSession& session,
                                   const ClaimOptions& claim, const ProveFiles& files,
                                   Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(const Scratch scratch, Scratch::beside(files.proof, monitor));
  ProvenRun proven;
  LINDERO_ASSIGN_OR_RETURN(TracedRun traced,
                           traceTimed(run, scratch, session.threads(), monitor, proven));
  ProveFiles used = files;
  used.key = session.key();
  auto make = [&](const RunFiles& made) { return session.prove(made); };
  LINDERO_RETURN_IF_ERROR(proveTraced(run, std::move(traced), claim, used, scratch, make, proven));
  return proven;
}

absl::StatusOr<TracedRun> saveRun(const Run& run, TracedRun traced, const ClaimOptions& claim,
                                  const std::string& key, const std::string& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) {
    return withError(systemError(absl::StrCat("cannot make ", folder), code.value()), Error::kFile);
  }
  auto inFolder = [&](const std::string& path) {
    return (fs::path(folder) / fs::path(path).filename()).string();
  };
  for (std::string& trace : traced.traces) {
    LINDERO_RETURN_IF_ERROR(moveFile(trace, inFolder(trace)));
    trace = inFolder(trace);
  }
  LINDERO_RETURN_IF_ERROR(
      withError(writeStatement(inFolder("statement.pb"), traced.statement), Error::kFile));
  if (key.empty()) return traced;
  LINDERO_RETURN_IF_ERROR(writeClaim(
      claim, run.opened, traced.statement, run.decode.rule(),
      {key, inFolder("claim.json"), claim.digests.empty() ? "" : inFolder("run.openings")}));
  return traced;
}

}  // namespace lindero::runtime
