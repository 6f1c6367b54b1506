// lindero prove: the whole way from a model and an input to a proof.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "compiler/estimate/estimate.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/files.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/claim_options.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;

struct ProveArguments {
  std::string source;
  std::string output = "run.proof";
  std::string key;
  std::string key_out;
  bool own_security = false;  // an option of the security was given
  ClaimOptions claim;
  ModelOptions options;
  InputOptions input;
  ProverOptions prover;
};

struct Key {
  std::string path;
  bool made = false;  // for this proof, in the scratch folder
};

// The key as given or that of the package; empty if a new one is needed.
absl::StatusOr<std::string> presentKey(const ProveArguments& arguments,
                                       const OpenedPackage& opened) {
  std::error_code code;
  if (!arguments.key.empty()) {
    if (fs::is_regular_file(arguments.key, code)) return arguments.key;
    return failure(Exit::kFile, absl::StrCat("cannot open the key ", arguments.key));
  }
  std::string own = absl::StrCat(opened.home, "/", runtime::kKeyFile);
  return !arguments.own_security && fs::is_regular_file(own, code) ? own : "";
}

absl::StatusOr<Key> findKey(const std::string& present, const OpenedPackage& opened,
                            const Prover& prover, const Scratch& scratch, Context& context,
                            Summary& summary) {
  if (!present.empty()) return Key{present, false};
  Stopwatch watch;
  std::string made = scratch.path(runtime::kKeyFile);
  LINDERO_RETURN_IF_ERROR(prover.setup(opened.path, made, context).status());
  summary.addSeconds("setup_seconds", "key made in", watch.seconds());
  return Key{made, true};
}

// Where the key goes; empty: nowhere.
std::string keyDestination(const ProveArguments& arguments, const Key& key) {
  if (!arguments.key_out.empty() || !key.made) return arguments.key_out;
  return fs::path(arguments.output).replace_extension(".key").string();
}

absl::Status keepKey(const Key& key, const std::string& destination, Summary& summary) {
  if (destination.empty()) return absl::OkStatus();
  absl::StatusOr<std::string> bytes = runtime::readFile(key.path, uint64_t{1} << 31);
  if (!bytes.ok()) return withExit(bytes.status(), Exit::kFile);
  LINDERO_RETURN_IF_ERROR(withExit(runtime::writeFile(destination, *bytes), Exit::kFile));
  summary.add("key", "key", destination, destination);
  return absl::OkStatus();
}

// Where the values go that the claim gives by digest; empty: there are none.
std::string openingsDestination(const ProveArguments& arguments) {
  if (arguments.claim.digests.empty() || !arguments.claim.openings.empty()) {
    return arguments.claim.openings;
  }
  return fs::path(arguments.output).replace_extension(".openings").string();
}

double stageSeconds(const Json& stages, const char* name) {
  auto found = stages.find(name);
  return found != stages.end() && found->is_number() ? found->get<double>() : 0;
}

// Times, sizes and memory of what the prover reports.
void addProverReport(const Json& report, Summary& summary) {
  Json time = report.value("time", Json::object());
  Json stages = time.is_object() ? time.value("stages", Json::object()) : Json::object();
  double seconds = stageSeconds(time, "seconds");
  double verify = stageSeconds(stages, "verify");
  double grinding = stageSeconds(stages, "grinding");
  summary.addSeconds("prove_seconds", "prove time", seconds - verify);
  summary.add("grinding_seconds", "  of it grinding", grinding,
              absl::StrCat(formatSeconds(grinding), " (varies from run to run)"));
  Summary::Rows rows;
  std::vector<std::pair<double, std::string>> longest;
  for (const auto& [stage, value] : stages.items()) {
    if (value.is_number()) longest.emplace_back(value.get<double>(), stage);
  }
  std::sort(longest.rbegin(), longest.rend());
  for (const auto& [spent, stage] : longest) rows.push_back({stage, formatSeconds(spent)});
  if (time.contains("peak_memory_bytes") && time["peak_memory_bytes"].is_number()) {
    auto bytes = time["peak_memory_bytes"].get<int64_t>();
    summary.add("peak_memory_bytes", "peak memory", bytes, formatBytes(static_cast<double>(bytes)));
  }
  if (report.contains("proof_bytes") && report["proof_bytes"].is_number()) {
    summary.addBytes("proof_bytes", "proof size", report["proof_bytes"].get<int64_t>());
  }
  summary.addSeconds("verify_seconds", "verify time", verify);
  summary.addTable("stages", "Prove time by stage", {"stage", "time"}, std::move(rows), stages);
}

void noteGivenTokens(const BoundInputs& inputs, const OpenedPackage& opened, Context& context) {
  if (inputs.given_tokens < 0) return;
  int64_t length = 1;
  for (int64_t size : opened.facts.inputs[0].shape) length *= size;
  if (inputs.given_tokens == length) return;
  context.note(absl::StrCat("the input has ", inputs.given_tokens, " of ", length,
                            " tokens; token 0 stands behind them, and outputs at positions ",
                            inputs.given_tokens, " and later are about those"));
}

absl::Status prove(const ProveArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  for (const std::string& path :
       {arguments.output, arguments.key_out, openingsDestination(arguments)}) {
    if (path.empty()) continue;
    LINDERO_RETURN_IF_ERROR(withExit(runtime::checkFileDestination(path), Exit::kFile));
  }
  LINDERO_ASSIGN_OR_RETURN(Scratch scratch, Scratch::beside(arguments.output));
  Stopwatch watch;
  Summary summary;
  LINDERO_ASSIGN_OR_RETURN(Source source,
                           openSource(arguments.source, arguments.options, arguments.input,
                                      arguments.prover.threads, scratch, context, summary));
  const OpenedPackage& opened = source.opened;
  Summary estimate;
  LINDERO_ASSIGN_OR_RETURN(std::string present, presentKey(arguments, opened));
  StwoParameters parameters =
      keyParameters(present, opened.package.circuitDigest(), arguments.prover);
  const int64_t blocks = runtime::blocksOf(opened.package.circuit(), source.inputs.statement);
  addEstimate(estimateProof(opened.cost, parameters, arguments.prover.threads, blocks), estimate);
  context.estimate(estimate);
  noteGivenTokens(source.inputs, opened, context);

  Stopwatch ran;
  LINDERO_ASSIGN_OR_RETURN(TracedRun run, runTrace(opened, source.inputs.statement, scratch,
                                                   arguments.prover.threads, context));
  const Statement& statement = run.statement;
  summary.addSeconds("trace_seconds", "model run in", ran.seconds());

  LINDERO_ASSIGN_OR_RETURN(Key key, findKey(present, opened, prover, scratch, context, summary));
  std::string claim = scratch.path("claim.json"), openings;
  if (!arguments.claim.digests.empty()) openings = scratch.path("run.openings");
  LINDERO_RETURN_IF_ERROR(writeClaim(arguments.claim, opened, statement,
                                     arguments.input.decode.rule(), {key.path, claim, openings}));
  std::string proof = scratch.path("run.proof");
  LINDERO_ASSIGN_OR_RETURN(Json report, prover.prove(opened.path, key.path, run.traces, claim,
                                                     openings, proof, context));
  LINDERO_RETURN_IF_ERROR(keepKey(key, keyDestination(arguments, key), summary));
  if (std::string kept = openingsDestination(arguments); !kept.empty()) {
    LINDERO_RETURN_IF_ERROR(withExit(runtime::renamePath(openings, kept), Exit::kFile));
    summary.add("openings", "values", kept, kept);
  }
  LINDERO_RETURN_IF_ERROR(withExit(runtime::renamePath(proof, arguments.output), Exit::kFile));
  summary.add("proof", "proof", arguments.output, arguments.output);
  LINDERO_RETURN_IF_ERROR(addRun(source, statement, arguments.input.decode, summary));
  addProverReport(report, summary);
  addRegions(opened.cost, summary);
  summary.addData("seconds", watch.seconds());
  context.result("prove", summary);
  return absl::OkStatus();
}

}  // namespace

void addProve(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<ProveArguments>();
  CLI::App* command = app.add_subcommand("prove", "Prove a run of a model");
  command->add_option("source", arguments->source, "Package or ONNX file")->required();
  command->add_option("-o,--output", arguments->output, "The proof")->capture_default_str();
  command->add_option("--key", arguments->key, "Use this verifying key");
  command->add_option("--key-out", arguments->key_out,
                      "Write the verifying key here (default for a key that is made on the way: "
                      "the proof's name with .key)");
  addClaimOptions(*command, arguments->claim);
  addInputOptions(*command, arguments->input);
  addModelOptions(*command, arguments->options);
  addSecurityOptions(*command, arguments->prover);
  command->callback([arguments, command, &chosen] {
    arguments->input.tokenizer = arguments->options.tokenizer;
    arguments->own_security = securityGiven(*command);
    if (arguments->input.decode.generate > 0 || !arguments->input.from.empty()) {
      arguments->options.lower.decode = true;
    }
    chosen = [arguments](Context& context) { return prove(*arguments, context); };
  });
}

}  // namespace lindero::cli
