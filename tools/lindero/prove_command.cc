// lindero prove: the whole way from a model and an input to a proof.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "compiler/estimate/estimate.h"
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

// A job goes on with the same package and key.
absl::Status checkJob(const ProveArguments& arguments) {
  std::error_code code;
  if (arguments.files.job.empty() || !fs::is_regular_file(arguments.source.source, code))
    return absl::OkStatus();
  return failure(Error::kUsage, absl::StrCat("--job takes a package: `lindero compile ",
                                             arguments.source.source, " -o PACKAGE` makes it"));
}

absl::Status prove(const ProveArguments& arguments, Context& context) {
  LINDERO_RETURN_IF_ERROR(checkJob(arguments));
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
  command->add_option("-o,--output", arguments->files.proof, "The proof")->capture_default_str();
  command->add_option("--key", arguments->files.key, "Use this verifying key");
  command->add_option("--key-out", arguments->files.key_out,
                      "Write the verifying key here (default for a key that is made on the way: "
                      "the proof's name with .key)");
  command
      ->add_option("--job", arguments->files.job,
                   "Keep here what is done: the same command, ended at any point, goes on with it, "
                   "and `prove-member` takes part. Remove it when the proof is there")
      ->type_name("FOLDER");
  command
      ->add_flag("--trace-only", arguments->trace_only,
                 "Leave all proving to `prove-member`: fill the job with the run alone")
      ->needs("--job");
  addClaimOptions(*command, arguments->claim, arguments->files.openings);
  addSourceOptions(*command, arguments->source);
  addSecurityOptions(*command, arguments->prover);
  command->callback([arguments, command, &chosen] {
    arguments->own_security = securityGiven(*command);
    completeSourceOptions(*command, arguments->source);
    chosen = [arguments](Context& context) { return prove(*arguments, context); };
  });
}

}  // namespace lindero::cli
