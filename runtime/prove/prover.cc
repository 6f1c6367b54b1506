#include "runtime/prove/prover.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "runtime/package/status_macros.h"
#include "runtime/prove/subprocess.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;

// Exit codes of the program.
constexpr int kBadInput = 2;
constexpr int kRejected = 4;
constexpr int kUnopened = 5;  // of `verify`: the proof holds, but for values that are not there

std::string proverFolder() {
  const char* chosen = std::getenv("LINDERO_PROVER_DIR");
  if (chosen != nullptr && *chosen != '\0') return chosen;
  std::error_code code;
  return fs::read_symlink("/proc/self/exe", code).parent_path().string();
}

void showProgress(absl::string_view verb, absl::string_view line, Context& context) {
  auto json = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
  if (!json.is_object() || json.value("event", nlohmann::json()) != "begin") return;
  auto stage = json.find("stage");
  if (stage == json.end() || !stage->is_string()) return;
  std::string name = absl::StrReplaceAll(stage->get<std::string>(), {{"_", " "}});
  context.progress(absl::StrCat(verb, ": ", name));
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

void addOpenings(const std::string& path, std::vector<std::string>& arguments) {
  if (!path.empty()) arguments.insert(arguments.end(), {"--openings", path});
}

}  // namespace

void addBackendOption(CLI::App& app, ProverOptions& options) {
  app.add_option("--backend", options.backend, "The prover: lindero-prover-<backend>")
      ->capture_default_str();
}

void addSecurityOptions(CLI::App& app, ProverOptions& options) {
  addBackendOption(app, options);
  app.add_option("--security-bits", options.security_bits, "Of the whole protocol")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  addRegimeOption(
      app, options.regime,
      "What the bits count on: proven, or list-decoding, a conjecture for which smaller "
      "proofs do");
  app.add_option("--prefer", options.prefer, "Of faster proving and smaller proofs")
      ->check(CLI::IsMember({"speed", "balance", "size"}))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "0: one per processor")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

CLI::Option* addRegimeOption(CLI::App& app, std::string& regime, const std::string& description) {
  return app.add_option("--regime", regime, description)
      ->check([](const std::string& name) -> std::string {
        if (name == "proven" || name == "list-decoding") return "";
        if (name == "conjectured") {
          return "conjectured is gone, the conjecture it stood on is refuted: take proven, or "
                 "list-decoding, which counts on the conjecture that is left";
        }
        return absl::StrCat(name, " is none of proven, list-decoding");
      })
      ->capture_default_str();
}

bool securityGiven(const CLI::App& app) {
  return app.count("--security-bits") > 0 || app.count("--regime") > 0 || app.count("--prefer") > 0;
}

int logBlowup(const ProverOptions& options) {
  return options.prefer == "speed" ? 1 : options.prefer == "size" ? 3 : 2;
}

absl::StatusOr<Prover> Prover::find(const ProverOptions& options) {
  Prover prover;
  prover.options_ = options;
  std::string folder = proverFolder();
  std::string name = absl::StrCat("lindero-prover-", options.backend);
  prover.program_ = (fs::path(folder) / name).string();
  if (options.backend.find('/') != std::string::npos ||
      ::access(prover.program_.c_str(), X_OK) != 0) {
    return failure(Exit::kProverMissing,
                   absl::StrCat("no prover ", name, " in ", folder,
                                "; build it with tools/setup and cmake --build, or set "
                                "LINDERO_PROVER_DIR to its folder"));
  }
  return prover;
}

std::vector<std::string> Prover::security() const {
  return {"--security-bits", absl::StrCat(options_.security_bits), "--regime", options_.regime,
          "--log-blowup",    absl::StrCat(logBlowup(options_))};
}

absl::StatusOr<Json> Prover::run(absl::string_view verb, std::vector<std::string> arguments,
                                 Context& context) const {
  arguments.insert(arguments.begin(), std::string(verb));
  absl::StatusOr<ProcessResult> result = runProcess(
      program_, arguments, [&](absl::string_view line) { showProgress(verb, line, context); });
  if (!result.ok()) return withExit(result.status(), Exit::kProverFailed);
  const bool unopened = verb == "verify" && result->exit_code == kUnopened;
  if (result->signal == 0 && (result->exit_code == 0 || unopened)) {
    Json json = Json::parse(result->output, nullptr, false);
    if (json.is_object()) return json;
    return failure(Exit::kProverFailed,
                   absl::StrCat(program_, " ", verb, " printed no JSON; is it of this version?"));
  }
  std::string why = reason(*result, program_, verb);
  if (result->exit_code == kRejected) return failure(Exit::kRejected, why);
  if (result->exit_code == kBadInput) {
    // What it was given, or the system's error about a file.
    bool system = absl::StrContains(why, "(os error ");
    return failure(system ? Exit::kFile : Exit::kPackage, absl::StrCat(verb, ": ", why));
  }
  return failure(Exit::kProverFailed, absl::StrCat("the prover failed (", verb, "): ", why));
}

absl::StatusOr<Json> Prover::make(const std::string& output, absl::string_view verb,
                                  std::vector<std::string> arguments, Context& context) const {
  absl::StatusOr<Json> report = run(verb, std::move(arguments), context);
  std::error_code code;
  if (report.ok() && !fs::is_regular_file(output, code)) {
    return failure(Exit::kProverFailed,
                   absl::StrCat(program_, " ", verb, " wrote no file; is it of this version?"));
  }
  return report;
}

absl::StatusOr<Json> Prover::setup(const std::string& package, const std::string& key,
                                   Context& context) const {
  std::vector<std::string> arguments = {
      "--package",     package,     "--output", key, "--threads", absl::StrCat(options_.threads),
      "--progress-fd", "{progress}"};
  const std::vector<std::string> chosen = security();
  arguments.insert(arguments.end(), chosen.begin(), chosen.end());
  return make(key, "setup", std::move(arguments), context);
}

absl::StatusOr<Json> Prover::parameters(const std::string& package, Context& context) const {
  std::vector<std::string> arguments = {"--package", package};
  const std::vector<std::string> chosen = security();
  arguments.insert(arguments.end(), chosen.begin(), chosen.end());
  return run("parameters", std::move(arguments), context);
}

absl::StatusOr<Json> Prover::describe(const std::string& key, Context& context) const {
  return run("describe", {"--key", key}, context);
}

absl::StatusOr<Json> Prover::prove(const std::string& package, const std::string& key,
                                   const std::vector<std::string>& traces, const std::string& claim,
                                   const std::string& openings, const std::string& proof,
                                   Context& context) const {
  std::vector<std::string> arguments = {
      "--package",     package,     "--key", key,         "--claim",
      claim,           "--output",  proof,   "--threads", absl::StrCat(options_.threads),
      "--progress-fd", "{progress}"};
  for (const std::string& trace : traces) arguments.insert(arguments.end(), {"--trace", trace});
  addOpenings(openings, arguments);
  absl::StatusOr<Json> report = make(proof, "prove", std::move(arguments), context);
  if (exitOf(report.status()) != Exit::kPackage) return report;
  return failure(Exit::kPackage,
                 absl::StrCat(package, " with the key ", key, ": ", report.status().message(),
                              "; `lindero compile` makes both anew"));
}

absl::StatusOr<Json> Prover::verify(const std::string& key, const std::string& proof,
                                    const std::string& openings, Context& context) const {
  std::vector<std::string> arguments = {"--key", key, "--proof", proof};
  addOpenings(openings, arguments);
  return run("verify", std::move(arguments), context);
}

absl::StatusOr<Json> Prover::tamper(const std::string& key, const std::string& proof,
                                    uint64_t count, uint64_t seed, Context& context) const {
  return run("tamper",
             {"--key", key, "--proof", proof, "--count", absl::StrCat(count), "--seed",
              absl::StrCat(seed), "--threads", absl::StrCat(options_.threads)},
             context);
}

}  // namespace lindero::cli
