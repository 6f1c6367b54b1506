#include "runtime/prove/prover.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/error/error.h"
#include "runtime/package/status_macros.h"
#include "runtime/prove/subprocess.h"

namespace lindero::runtime {
namespace {

namespace fs = std::filesystem;

// Exit codes of the program.
constexpr int kBadInput = 2;
constexpr int kRejected = 4;
constexpr int kUnopened = 5;  // of `verify`: the proof holds, but for values that are not there

constexpr char kRuns[] = "prove-runs";  // the verb of a session

bool executable(const std::string& path) { return ::access(path.c_str(), X_OK) == 0; }

// Where the program is looked for, and is expected if it is nowhere.
std::string proverFolder(const ProverOptions& options, const std::string& name) {
  if (!options.folder.empty()) return options.folder;
  const char* chosen = std::getenv("LINDERO_PROVER_DIR");
  if (chosen != nullptr && *chosen != '\0') return chosen;
  std::error_code code;
  const std::string own = fs::read_symlink("/proc/self/exe", code).parent_path().string();
  if (executable((fs::path(own) / name).string())) return own;
  const char* path = std::getenv("PATH");
  for (absl::string_view folder :
       absl::StrSplit(path == nullptr ? "" : path, ':', absl::SkipEmpty())) {
    if (executable(absl::StrCat(folder, "/", name))) return std::string(folder);
  }
  return own;
}

void showProgress(absl::string_view verb, absl::string_view line, Monitor& monitor) {
  auto json = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
  if (!json.is_object() || json.value("event", nlohmann::json()) != "begin") return;
  auto stage = json.find("stage");
  if (stage == json.end() || !stage->is_string()) return;
  std::string name = absl::StrReplaceAll(stage->get<std::string>(), {{"_", " "}});
  monitor.progress(absl::StrCat(verb, ": ", name));
}

// The program's own words, without its name.
std::string reason(const ProcessResult& result, absl::string_view program, absl::string_view verb) {
  absl::string_view text = absl::StripAsciiWhitespace(result.errors);
  absl::ConsumePrefix(
      &text, absl::StrCat(fs::path(std::string(program)).filename().string(), " ", verb, ": "));
  if (!text.empty()) return std::string(text);
  if (result.signal == 0) return absl::StrCat("it ended with exit code ", result.exit_code);
  return absl::StrCat("it was ended by signal ", result.signal,
                      result.signal == SIGKILL ? " (out of memory?)" : "");
}

Report withProcessorTime(Report report, double seconds) {
  const auto time = report.find("time");
  if (time != report.end() && time->is_object()) (*time)["processor_seconds"] = seconds;
  return report;
}

void addOpenings(const std::string& path, std::vector<std::string>& arguments) {
  if (!path.empty()) arguments.insert(arguments.end(), {"--openings", path});
}

// Of `prove` and `prove-runs`.
std::vector<std::string> optionsOf(const RunFiles& files) {
  std::vector<std::string> options = {"--claim", files.claim, "--output", files.proof};
  for (const std::string& trace : files.traces) {
    options.insert(options.end(), {"--trace", trace});
  }
  addOpenings(files.openings, options);
  if (!files.parts.empty()) options.insert(options.end(), {"--parts", files.parts});
  return options;
}

absl::Status failureOf(int exit_code, absl::string_view verb, const std::string& why) {
  if (exit_code == kRejected) return failure(Error::kRejected, why);
  if (exit_code == kBadInput) {
    // What it was given, or the system's error about a file.
    const bool system = absl::StrContains(why, "(os error ");
    return failure(system ? Error::kFile : Error::kPackage, absl::StrCat(verb, ": ", why));
  }
  return failure(Error::kProverFailed, absl::StrCat("the prover failed (", verb, "): ", why));
}

std::string noJson(absl::string_view program, absl::string_view verb) {
  return absl::StrCat(program, " ", verb, " printed no JSON; is it of this version?");
}

// A report of what was written.
absl::StatusOr<Report> checkMade(const std::string& output, absl::string_view program,
                                 absl::string_view verb, Report report) {
  std::error_code code;
  if (fs::is_regular_file(output, code)) return report;
  return failure(Error::kProverFailed,
                 absl::StrCat(program, " ", verb, " wrote no file; is it of this version?"));
}

// What the package and the key have to do with it.
absl::StatusOr<Report> ofPackage(absl::StatusOr<Report> report, const std::string& package,
                                 const std::string& key) {
  if (errorOf(report.status()) != Error::kPackage) return report;
  return failure(Error::kPackage,
                 absl::StrCat(package, " with the key ", key, ": ", report.status().message(),
                              "; `lindero compile` makes both anew"));
}

}  // namespace

int logBlowup(const ProverOptions& options) {
  return options.prefer == "speed" ? 1 : options.prefer == "size" ? 3 : 2;
}

absl::StatusOr<Prover> Prover::find(const ProverOptions& options) {
  Prover prover;
  prover.options_ = options;
  std::string name = absl::StrCat("lindero-prover-", options.backend);
  std::string folder = proverFolder(options, name);
  prover.program_ = (fs::path(folder) / name).string();
  if (options.backend.find('/') != std::string::npos || !executable(prover.program_)) {
    return failure(Error::kProverMissing,
                   absl::StrCat("no prover ", name, " in ", folder,
                                "; build it with tools/setup and cmake --build, or set "
                                "LINDERO_PROVER_DIR to its folder"));
  }
  return prover;
}

absl::StatusOr<std::string> Prover::version(Monitor& monitor) const {
  absl::StatusOr<ProcessResult> result =
      runProcess(program_, {"--version"}, [](absl::string_view) {}, monitor);
  if (!result.ok()) return withError(result.status(), Error::kProverFailed);
  if (result->signal == 0 && result->exit_code == 0) return result->output;
  return failure(Error::kProverFailed, absl::StrCat(program_, " --version failed"));
}

absl::StatusOr<Report> Prover::setup(const std::string& package, const std::string& key,
                                     Monitor& monitor) const {
  std::vector<std::string> arguments = {
      "--package",     package,     "--output", key, "--threads", absl::StrCat(options_.threads),
      "--progress-fd", "{progress}"};
  const std::vector<std::string> chosen = security();
  arguments.insert(arguments.end(), chosen.begin(), chosen.end());
  if (options_.prefer == "speed") arguments.insert(arguments.end(), {"--fixed-files", "rows"});
  return make(key, "setup", std::move(arguments), monitor);
}

absl::StatusOr<Report> Prover::checkFixed(const std::string& package, const std::string& key,
                                          Monitor& monitor) const {
  return ofPackage(run("check-fixed",
                       {"--package", package, "--key", key, "--threads",
                        absl::StrCat(options_.threads), "--progress-fd", "{progress}"},
                       monitor),
                   package, key);
}

absl::StatusOr<Report> Prover::parameters(const std::string& package, Monitor& monitor) const {
  std::vector<std::string> arguments = {"--package", package};
  const std::vector<std::string> chosen = security();
  arguments.insert(arguments.end(), chosen.begin(), chosen.end());
  return run("parameters", std::move(arguments), monitor);
}

absl::StatusOr<Report> Prover::describe(const std::string& key, Monitor& monitor) const {
  return run("describe", {"--key", key}, monitor);
}

absl::StatusOr<Report> Prover::prove(const std::string& package, const std::string& key,
                                     const RunFiles& files, Monitor& monitor) const {
  std::vector<std::string> arguments = {
      "--package",     package,     "--key", key, "--threads", absl::StrCat(options_.threads),
      "--progress-fd", "{progress}"};
  const std::vector<std::string> of_run = optionsOf(files);
  arguments.insert(arguments.end(), of_run.begin(), of_run.end());
  return ofPackage(make(files.proof, "prove", std::move(arguments), monitor), package, key);
}

absl::StatusOr<ProverSession> Prover::session(const std::string& package, const std::string& key,
                                              Monitor& monitor) const {
  ProverSession session;
  session.program_ = program_;
  session.package_ = package;
  session.key_ = key;
  session.threads_ = options_.threads;
  session.monitor_ = &monitor;
  absl::StatusOr<std::unique_ptr<Process>> process = Process::start(
      program_,
      {kRuns, "--package", package, "--key", key, "--threads", absl::StrCat(options_.threads),
       "--progress-fd", "{progress}"},
      [&monitor](absl::string_view line) { showProgress("prove", line, monitor); }, monitor);
  LINDERO_RETURN_IF_ERROR(monitor.checkCancelled());
  if (!process.ok()) return withError(process.status(), Error::kProverFailed);
  session.process_ = *std::move(process);
  return session;
}

absl::StatusOr<Report> ProverSession::prove(const RunFiles& files) {
  if (process_ == nullptr) return failure(Error::kProverFailed, "the prover is gone");
  const std::optional<std::string> answer = process_->ask(Report(optionsOf(files)).dump());
  LINDERO_RETURN_IF_ERROR(monitor_->checkCancelled());
  if (!answer) {
    absl::StatusOr<ProcessResult> ended = std::exchange(process_, nullptr)->finish();
    if (!ended.ok()) return withError(ended.status(), Error::kProverFailed);
    const std::string why = reason(*ended, program_, kRuns);
    return ofPackage(failureOf(ended->exit_code, kRuns, why), package_, key_);
  }
  Report report = Report::parse(*answer, nullptr, false);
  if (!report.is_object()) return failure(Error::kProverFailed, noJson(program_, kRuns));
  const auto error = report.find("error");
  if (error == report.end()) return checkMade(files.proof, program_, kRuns, std::move(report));
  return ofPackage(failureOf(report.value("exit_code", 0), kRuns,
                             error->is_string() ? error->get<std::string>() : ""),
                   package_, key_);
}

absl::StatusOr<Report> Prover::proveBlock(const BlockFiles& files, Monitor& monitor) const {
  std::vector<std::string> arguments = {"--package",     files.package,
                                        "--key",         files.key,
                                        "--claim",       files.claim,
                                        "--parts",       files.parts,
                                        "--trace",       files.trace,
                                        "--block",       absl::StrCat(files.block),
                                        "--threads",     absl::StrCat(options_.threads),
                                        "--progress-fd", "{progress}"};
  addOpenings(files.openings, arguments);
  return ofPackage(run("prove-block", std::move(arguments), monitor), files.package, files.key);
}

absl::StatusOr<Report> Prover::verify(const std::string& key, const std::string& proof,
                                      const std::string& openings, Monitor& monitor) const {
  std::vector<std::string> arguments = {"--key", key, "--proof", proof};
  addOpenings(openings, arguments);
  return run("verify", std::move(arguments), monitor);
}

absl::StatusOr<Report> Prover::tamper(const std::string& key, const std::string& proof,
                                      uint64_t count, uint64_t seed, Monitor& monitor) const {
  return run("tamper",
             {"--key", key, "--proof", proof, "--count", absl::StrCat(count), "--seed",
              absl::StrCat(seed), "--threads", absl::StrCat(options_.threads)},
             monitor);
}

std::vector<std::string> Prover::security() const {
  return {"--security-bits", absl::StrCat(options_.security_bits), "--regime", options_.regime,
          "--log-blowup",    absl::StrCat(logBlowup(options_))};
}

absl::StatusOr<Report> Prover::make(const std::string& output, absl::string_view verb,
                                    std::vector<std::string> arguments, Monitor& monitor) const {
  LINDERO_ASSIGN_OR_RETURN(Report report, run(verb, std::move(arguments), monitor));
  return checkMade(output, program_, verb, std::move(report));
}

absl::StatusOr<Report> Prover::run(absl::string_view verb, std::vector<std::string> arguments,
                                   Monitor& monitor) const {
  arguments.insert(arguments.begin(), std::string(verb));
  absl::StatusOr<ProcessResult> result = runProcess(
      program_, arguments, [&](absl::string_view line) { showProgress(verb, line, monitor); },
      monitor);
  LINDERO_RETURN_IF_ERROR(monitor.checkCancelled());
  if (!result.ok()) return withError(result.status(), Error::kProverFailed);
  const bool unopened = verb == "verify" && result->exit_code == kUnopened;
  if (result->signal == 0 && (result->exit_code == 0 || unopened)) {
    Report json = Report::parse(result->output, nullptr, false);
    if (json.is_object()) return withProcessorTime(std::move(json), result->processor_seconds);
    return failure(Error::kProverFailed, noJson(program_, verb));
  }
  return failureOf(result->exit_code, verb, reason(*result, program_, verb));
}

}  // namespace lindero::runtime
