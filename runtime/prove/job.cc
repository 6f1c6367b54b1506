#include "runtime/prove/job.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/error/error.h"
#include "runtime/package/bundle.h"
#include "runtime/package/digest.h"
#include "runtime/package/files.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

namespace fs = std::filesystem;

constexpr char kJobFile[] = "job";

absl::Status fileError(absl::string_view what, int error) {
  return withError(systemError(what, error), Error::kFile);
}

std::string within(const std::string& folder, const std::string& name) {
  return (fs::path(folder) / name).string();
}

bool exists(const std::string& path) {
  std::error_code code;
  return fs::exists(path, code);
}

// Has it other files than those of a job that was ended when it began?
bool isOfOthers(const std::string& folder) {
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, code)) {
    if (!absl::StartsWith(entry.path().filename().string(), kJobFile)) return true;
  }
  return false;
}

// What the job is of, as one line.
absl::StatusOr<std::string> identity(const Run& run, const ClaimOptions& claim,
                                     const std::string& key) {
  absl::StatusOr<Digest> of_key = sha256File(key);
  if (!of_key.ok()) return withError(of_key.status(), Error::kFile);
  std::string text = toHex(*of_key);
  for (const Digest& circuit : run.opened.bundle.circuitDigests())
    absl::StrAppend(&text, toHex(circuit));
  absl::StrAppend(&text, toHex(bundleDigest(run.opened.bundle.bundle)),
                  toHex(sha256(serializeProto(run.inputs))));
  const Labels& labels = claim.labels;
  const std::string& model = labels.model.empty() ? run.opened.facts.file : labels.model;
  for (const std::string& word : {model, labels.input, labels.output, claim.nonce})
    absl::StrAppend(&text, toHex(sha256(word)));
  for (const std::string& name : claim.digests) absl::StrAppend(&text, toHex(sha256(name)));
  const StopRule rule = run.decode.rule();
  absl::StrAppend(&text, rule.most, ":", absl::StrJoin(rule.stop, ","));
  return absl::StrCat("lindero job 1 ", toHex(sha256(text)), "\n");
}

}  // namespace

std::string claimOf(const std::string& job) { return within(job, "claim.json"); }
std::string openingsOf(const std::string& job) { return within(job, "run.openings"); }
std::string partsOf(const std::string& job) { return within(job, "parts"); }

std::string traceOf(const std::string& job, int64_t block) {
  const std::string of_several = within(job, traceName(block, block + 2));
  return block > 0 || exists(of_several) ? of_several : within(job, traceName(0, 1));
}

Job::Job(Job&& other) noexcept
    : folder_(std::move(other.folder_)), lock_(std::exchange(other.lock_, -1)) {}

Job::~Job() {
  if (lock_ >= 0) close(lock_);
}

absl::StatusOr<Job> Job::enter(const std::string& folder, const Run& run, const ClaimOptions& claim,
                               const std::string& key) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) return fileError(absl::StrCat("cannot make ", folder), code.value());
  const int lock = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0) return fileError(absl::StrCat("cannot open ", folder), errno);
  Job job(folder, lock);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fileError(absl::StrCat("cannot lock ", folder), errno);
    return failure(Error::kUsage, absl::StrCat("another process works on the job ", folder));
  }
  LINDERO_ASSIGN_OR_RETURN(const std::string own, identity(run, claim, key));
  const std::string path = within(folder, kJobFile);
  if (!exists(path)) {
    if (isOfOthers(folder)) {
      return failure(Error::kUsage, absl::StrCat(folder,
                                                 " has other files than those of a job: "
                                                 "give an empty folder, or a new one"));
    }
    LINDERO_RETURN_IF_ERROR(withError(writeFile(path, own), Error::kFile));
    return job;
  }
  absl::StatusOr<std::string> found = readFile(path, 4096);
  if (!found.ok()) return withError(found.status(), Error::kFile);
  if (*found == own) return job;
  return failure(Error::kUsage, absl::StrCat("the job in ", folder,
                                             " is of another package, key, input or claim: remove "
                                             "the folder, or give another one"));
}

absl::StatusOr<TracedRun> traceJob(const Job& job, const Run& run, const ClaimOptions& claim,
                                   const std::string& key, int threads, Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(TracedRun traced,
                           traceRun(run, job.folder(), threads, monitor, Traces::kKept));
  const std::string openings = claim.digests.empty() ? "" : openingsOf(job.folder());
  // Openings are written last.
  if (exists(openings.empty() ? claimOf(job.folder()) : openings)) return traced;
  LINDERO_RETURN_IF_ERROR(writeClaim(claim, run.opened, traced.statement, run.decode.rule(),
                                     {key, claimOf(job.folder()), openings}));
  return traced;
}

}  // namespace lindero::runtime
