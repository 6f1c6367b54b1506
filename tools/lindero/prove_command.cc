// lindero prove: the whole way from a model and an input to a proof.
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "compiler/estimate/estimate.h"
#include "llvm/ADT/STLExtras.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "runtime/prove/prove_run.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"
#include "tools/lindero/prover_options.h"
#include "tools/lindero/show_costs.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;

// So that a summary has at most 15 lines.
constexpr size_t kShownTensors = 3;

struct ProveArguments {
  SourceOptions source;
  std::string runs;  // a folder with the inputs of many
  runtime::ProveFiles files{.proof = "run.proof"};
  bool own_security = false;  // an option of the security was given
  bool trace_only = false;
  runtime::ClaimOptions claim;
  ProverOptions prover;
};

void addClaimOptions(CLI::App& app, runtime::ClaimOptions& options, std::string& openings) {
  app.add_option("--digest", options.digests,
                 "Give this input or output by digest alone; `open` needs its values")
      ->type_name("NAME");
  app.add_option("--openings", openings,
                 "Where the values of --digest go (default: the proof's name with .openings)");
  app.add_option("--label-model", options.labels.model,
                 "What the claim calls the model (default: the name of its file)");
  app.add_option("--label-input", options.labels.input, "What the claim calls the input");
  app.add_option("--label-output", options.labels.output, "What the claim calls the output");
  app.add_option("--nonce", options.nonce,
                 "32 bytes in hexadecimal, of whoever asked for the proof (default: random)");
}

// The key as given or that of the package; empty if a new one is needed.
absl::StatusOr<std::string> presentKey(const ProveArguments& arguments,
                                       const OpenedPackage& opened) {
  std::error_code code;
  if (arguments.files.key.empty()) {
    return arguments.own_security ? "" : runtime::packageKey(opened);
  }
  if (fs::is_regular_file(arguments.files.key, code)) return arguments.files.key;
  return failure(Error::kFile, absl::StrCat("cannot open the key ", arguments.files.key));
}

// Beside the proof, unless it is said where.
std::string destination(const ProveArguments& arguments, const std::string& given,
                        const char* extension) {
  if (!given.empty()) return given;
  return fs::path(arguments.files.proof).replace_extension(extension).string();
}

double stageSeconds(const Json& stages, const char* name) {
  auto found = stages.find(name);
  return found != stages.end() && found->is_number() ? found->get<double>() : 0;
}

Json stagesOf(const Json& report) {
  const Json time = report.value("time", Json::object());
  return time.is_object() ? time.value("stages", Json::object()) : Json::object();
}

// Times, sizes and memory of what the prover reports.
void addProverReport(const Json& report, Summary& summary) {
  const Json time = report.value("time", Json::object());
  const Json stages = stagesOf(report);
  double seconds = stageSeconds(time, "seconds");
  double verify = stageSeconds(stages, "verify");
  double grinding = stageSeconds(stages, "grinding");
  summary.addSeconds("prove_seconds", "prove time", seconds - verify);
  summary.details(true);
  summary.add("grinding_seconds", "  of it grinding", grinding,
              absl::StrCat(formatSeconds(grinding), " (varies from run to run)"));
  summary.details(false);
  if (time.contains("peak_memory_bytes") && time["peak_memory_bytes"].is_number()) {
    auto bytes = time["peak_memory_bytes"].get<int64_t>();
    summary.add("peak_memory_bytes", "peak memory", bytes, formatBytes(static_cast<double>(bytes)));
  }
  if (report.contains("proof_bytes") && report["proof_bytes"].is_number()) {
    summary.addBytes("proof_bytes", "proof size", report["proof_bytes"].get<int64_t>());
  }
  summary.details(true);
  summary.addSeconds("verify_seconds", "verify time", verify);
  summary.details(false);
}

void addStages(const Json& stages, Summary& summary) {
  Summary::Rows rows;
  std::vector<std::pair<double, std::string>> longest;
  for (const auto& [stage, value] : stages.items()) {
    if (value.is_number()) longest.emplace_back(value.get<double>(), stage);
  }
  std::sort(longest.rbegin(), longest.rend());
  for (const auto& [spent, stage] : longest) rows.push_back({stage, formatSeconds(spent)});
  summary.addTable("stages", "Prove time by stage", {"stage", "time"}, std::move(rows), stages);
}

void noteShortInputs(const runtime::Run& run, Context& context) {
  for (const runtime::ShortInput& input : run.short_inputs) {
    context.note(absl::StrCat("input '", input.name, "' has ", input.given, " of ", input.length,
                              " tokens; token 0 fills the rest, and outputs at positions ",
                              input.given, " and later are about those"));
  }
}

// Before the work: what it will cost.
void showEstimate(const ProveArguments& arguments, const runtime::Run& run, const std::string& key,
                  Context& context) {
  const runtime::BundlePackage& bundle = run.opened.bundle;
  const StwoParameters parameters = compiler::keyParameters(
      key, bundle.circuitDigests(), runtime::bundleDigest(bundle.bundle), arguments.prover);
  Summary estimate;
  addEstimate(compiler::estimateBundle(bundle, parameters, arguments.prover.threads, run.steps()),
              estimate);
  context.estimate(estimate);
}

void addFiles(const runtime::ProvenRun& proven, const runtime::ProveFiles& files,
              Summary& summary) {
  if (!files.proof.empty()) summary.add("proof", "proof", files.proof, files.proof);
  if (!files.job.empty()) summary.add("job", "job", files.job, files.job);
  if (!files.key_out.empty()) summary.add("key", "key", files.key_out, files.key_out);
  if (!files.openings.empty()) summary.add("openings", "values", files.openings, files.openings);
  summary.details(true);
  summary.addSeconds("trace_seconds", "model run in", proven.trace_seconds);
  if (proven.key_made) {
    summary.addSeconds("setup_seconds", "key made in", proven.setup_seconds);
  }
  summary.details(false);
}

// A job goes on with the same package and key; runs have them in common.
absl::Status checkPackage(const ProveArguments& arguments) {
  std::error_code code;
  const char* option = !arguments.files.job.empty() ? "--job"
                       : !arguments.runs.empty()    ? "--runs"
                                                    : nullptr;
  if (option == nullptr || !fs::is_regular_file(arguments.source.source, code))
    return absl::OkStatus();
  return failure(Error::kUsage, absl::StrCat(option, " takes a package: `lindero compile ",
                                             arguments.source.source, " -o PACKAGE` makes it"));
}

// Files of inputs in a folder, by name; no two are of the same proof.
absl::StatusOr<std::vector<fs::path>> inputsIn(const std::string& folder) {
  std::error_code code;
  std::map<std::string, fs::path> by_name;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const fs::path& path = entry->path();
    if (!llvm::is_contained({".json", ".npz", ".npy"}, path.extension())) continue;
    const auto [other, added] = by_name.try_emplace(path.stem(), path);
    if (added) continue;
    return failure(Error::kUsage, absl::StrCat("--runs ", folder, ": ", path.filename().string(),
                                               " and ", other->second.filename().string(),
                                               " would have the same proof; rename one"));
  }
  if (code) {
    return withError(
        runtime::systemError(absl::StrCat("cannot read the folder ", folder), code.value()),
        Error::kFile);
  }
  if (by_name.empty()) {
    return failure(Error::kUsage,
                   absl::StrCat("--runs ", folder, ": there is no .json, .npz or .npy file in it"));
  }
  std::vector<fs::path> files;
  for (auto& [name, path] : by_name) files.push_back(std::move(path));
  return files;
}

struct NamedProof {
  std::string name, file;
  runtime::ProvenRun proven = {};
};

void addProofs(const std::vector<NamedProof>& proofs, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  for (const NamedProof& proof : proofs) {
    const Json time = proof.proven.report.value("time", Json::object());
    const double seconds =
        stageSeconds(time, "seconds") - stageSeconds(stagesOf(proof.proven.report), "verify");
    const auto bytes = proof.proven.report.value("proof_bytes", int64_t{0});
    rows.push_back({proof.name, formatSeconds(proof.proven.trace_seconds), formatSeconds(seconds),
                    formatBytes(static_cast<double>(bytes)), proof.file});
    json.push_back({{"name", proof.name},
                    {"proof", proof.file},
                    {"trace_seconds", proof.proven.trace_seconds},
                    {"prove_seconds", seconds},
                    {"proof_bytes", bytes},
                    {"report", proof.proven.report}});
  }
  summary.addTable("runs", "Proofs", {"run", "model run in", "prove time", "size", "file"},
                   std::move(rows), std::move(json));
}

// Sessions of a package's circuits, of which each takes the runs that fit.
class Sessions {
 public:
  Sessions(const Prover& prover, runtime::Monitor& monitor) : prover_(prover), monitor_(monitor) {}

  absl::StatusOr<runtime::ProverSession*> of(const ProveArguments& arguments,
                                             const OpenedPackage& opened) {
    auto found = sessions_.find(opened.path);
    if (found == sessions_.end()) {
      LINDERO_ASSIGN_OR_RETURN(const std::string key, presentKey(arguments, opened));
      if (key.empty()) {
        return failure(Error::kUsage,
                       absl::StrCat("--runs needs a key: `lindero compile MODEL -o ", opened.home,
                                    "` makes one, as its options of "
                                    "the security say"));
      }
      LINDERO_ASSIGN_OR_RETURN(runtime::ProverSession session,
                               prover_.session(opened.path, key, monitor_));
      found = sessions_.emplace(opened.path, std::move(session)).first;
    }
    return &found->second;
  }

 private:
  const Prover& prover_;
  runtime::Monitor& monitor_;
  std::map<std::string, runtime::ProverSession> sessions_;  // by the folder of the circuit
};

absl::Status proveRuns(const ProveArguments& arguments, Context& context) {
  LINDERO_RETURN_IF_ERROR(checkPackage(arguments));
  LINDERO_ASSIGN_OR_RETURN(const std::vector<fs::path> inputs, inputsIn(arguments.runs));
  LINDERO_ASSIGN_OR_RETURN(const Prover prover, Prover::find(arguments.prover));
  const fs::path folder = arguments.files.proof;
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) {
    return withError(
        runtime::systemError(absl::StrCat("cannot make ", folder.string()), code.value()),
        Error::kFile);
  }
  Stopwatch watch;
  LINDERO_ASSIGN_OR_RETURN(const Scratch scratch,
                           Scratch::beside((folder / "runs").string(), context.monitor()));
  Sessions sessions(prover, context.monitor());
  std::vector<NamedProof> proofs;
  for (const fs::path& input : inputs) {
    auto named = [&](const absl::Status& status) {
      return withError(
          absl::Status(status.code(), absl::StrCat(input.string(), ": ", status.message())),
          errorOf(status));
    };
    SourceOptions source = arguments.source;
    source.input.file = input.string();
    Summary model;
    absl::StatusOr<Source> bound =
        bindSource(source, arguments.prover.threads, scratch, context, model);
    if (!bound.ok()) return named(bound.status());
    LINDERO_ASSIGN_OR_RETURN(runtime::ProverSession * session,
                             sessions.of(arguments, bound->run.opened));
    noteShortInputs(bound->run, context);
    NamedProof proof{.name = input.stem().string(),
                     .file = (folder / input.stem()).string() + ".proof"};
    runtime::ProveFiles files{.proof = proof.file};
    if (!arguments.claim.digests.empty()) {
      files.openings = fs::path(proof.file).replace_extension(".openings").string();
    }
    absl::StatusOr<runtime::ProvenRun> proven =
        runtime::proveRun(bound->run, *session, arguments.claim, files, context.monitor());
    if (!proven.ok()) return named(proven.status());
    proof.proven = *std::move(proven);
    proofs.push_back(std::move(proof));
  }
  Summary summary;
  summary.addCount("count", "runs", static_cast<int64_t>(proofs.size()));
  summary.addSeconds("seconds", "in", watch.seconds());
  addProofs(proofs, summary);
  context.result("prove", summary);
  return absl::OkStatus();
}

absl::Status prove(const ProveArguments& arguments, Context& context) {
  if (!arguments.runs.empty()) return proveRuns(arguments, context);
  LINDERO_RETURN_IF_ERROR(checkPackage(arguments));
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  runtime::ProveFiles files = arguments.files;
  if (!arguments.claim.digests.empty()) {
    files.openings = destination(arguments, files.openings, ".openings");
  }
  for (const std::string& path : {files.proof, files.key_out, files.openings}) {
    if (path.empty()) continue;
    LINDERO_RETURN_IF_ERROR(withError(runtime::checkFileDestination(path), Error::kFile));
  }
  LINDERO_ASSIGN_OR_RETURN(Scratch scratch, Scratch::beside(files.proof, context.monitor()));
  Stopwatch watch;
  Summary summary;
  summary.details(true);
  LINDERO_ASSIGN_OR_RETURN(Source source, bindSource(arguments.source, arguments.prover.threads,
                                                     scratch, context, summary));
  summary.details(false);
  LINDERO_ASSIGN_OR_RETURN(files.key, presentKey(arguments, source.run.opened));
  if (files.key.empty() && files.job.empty())
    files.key_out = destination(arguments, files.key_out, ".key");
  if (arguments.trace_only) files.proof.clear();
  showEstimate(arguments, source.run, files.key, context);
  noteShortInputs(source.run, context);
  LINDERO_ASSIGN_OR_RETURN(
      runtime::ProvenRun proven,
      runtime::proveRun(source.run, prover, arguments.claim, files, context.monitor()));
  addFiles(proven, files, summary);
  if (!arguments.trace_only) addProverReport(proven.report, summary);
  LINDERO_RETURN_IF_ERROR(addRun(source, proven.statement, summary, kShownTensors));
  summary.details(true);
  if (!arguments.trace_only) addStages(stagesOf(proven.report), summary);
  addRegions(compiler::bundleCosts(source.run.opened.bundle), summary);
  summary.addData("seconds", watch.seconds());
  context.result("prove", summary);
  return absl::OkStatus();
}

}  // namespace

void addProve(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<ProveArguments>();
  CLI::App* command = app.add_subcommand("prove", "Prove a run of a model");
  CLI::Option* output =
      command->add_option("-o,--output", arguments->files.proof,
                          "The proof; with --runs a folder for them (default: proofs)");
  output->capture_default_str();
  command->add_option("--key", arguments->files.key, "Use this verifying key");
  CLI::Option* key_out = command->add_option(
      "--key-out", arguments->files.key_out,
      "Write the verifying key here (default for a key that is made on the way: "
      "the proof's name with .key)");
  CLI::Option* job =
      command
          ->add_option(
              "--job", arguments->files.job,
              "Keep here what is done: the same command, ended at any point, goes on with it, "
              "and `prove-member` takes part. Remove it when the proof is there")
          ->type_name("FOLDER");
  command
      ->add_flag("--trace-only", arguments->trace_only,
                 "Leave all proving to `prove-member`: fill the job with the run alone")
      ->needs("--job");
  addClaimOptions(*command, arguments->claim, arguments->files.openings);
  addSourceOptions(*command, arguments->source)
      ->add_option("--runs", arguments->runs,
                   "Prove a run for each NAME.json, .npz or .npy of this folder; the proof is "
                   "NAME.proof. What they have in common is done once")
      ->type_name("FOLDER")
      ->excludes(key_out, job, command->get_option("--openings"));
  addSecurityOptions(*command, arguments->prover);
  command->callback([arguments, command, output, &chosen] {
    if (!arguments->runs.empty() && output->count() == 0) arguments->files.proof = "proofs";
    arguments->own_security = securityGiven(*command);
    completeSourceOptions(*command, arguments->source);
    layOutFor(arguments->prover, arguments->source.model);
    chosen = [arguments](Context& context) { return prove(*arguments, context); };
  });
}

}  // namespace lindero::cli
