// lindero compile: ONNX -> package.
#include <filesystem>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "compiler/driver/compile_model.h"
#include "compiler/estimate/estimate.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/package_writer.h"
#include "runtime/package/status_macros.h"
#include "runtime/prove/prover.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;

struct CompileArguments {
  std::string model;
  std::string output;
  bool no_key = false;
  bool estimate = false;
  ModelOptions options;
  ProverOptions prover;
};

// Of the longest bucket, and a line for each; or of a block.
void addCosts(const std::vector<int64_t>& buckets, const std::vector<Estimate>& estimates,
              const compiler::CostReport& longest, Summary& summary) {
  std::vector<BucketCost> lines;
  for (size_t i = 0; i < buckets.size(); ++i) lines.push_back({buckets[i], estimates[i]});
  if (longest.most_blocks > 0) {
    addBlocks(buckets.back() / longest.most_blocks, longest.most_blocks, summary);
  } else if (buckets.back() > 0) {
    addBuckets(lines, summary);
  }
  addEstimate(estimates.back(), summary);
  addRegions(longest, summary);
}

// Everything but the package.
absl::Status estimateCost(const CompileArguments& arguments, Context& context) {
  Stopwatch watch;
  Summary summary;
  LINDERO_ASSIGN_OR_RETURN(PreparedModel model,
                           prepareModel(arguments.model, arguments.options, context, summary));
  LINDERO_ASSIGN_OR_RETURN(const std::vector<int64_t> buckets,
                           chooseBuckets(arguments.options, model));
  const StwoParameters parameters = expectedParameters(arguments.prover);
  std::vector<Estimate> estimates;
  compiler::CostReport longest;
  for (auto bucket = buckets.rbegin(); bucket != buckets.rend(); ++bucket) {
    LINDERO_RETURN_IF_ERROR(lowerModel(arguments.options, *bucket, model, context));
    const compiler::CostReport& cost = model.compilation.cost();
    if (estimates.empty()) longest = cost;
    estimates.insert(estimates.begin(), estimateProof(cost, parameters, arguments.prover.threads));
  }
  addCosts(buckets, estimates, longest, summary);
  summary.addSeconds("seconds", "time", watch.seconds());
  context.result("compile", summary);
  return absl::OkStatus();
}

absl::Status compile(const CompileArguments& arguments, Context& context) {
  if (arguments.estimate) return estimateCost(arguments, context);
  std::string output = arguments.output;
  if (output.empty()) output = fs::path(arguments.model).stem().string() + ".lindero";
  if (absl::Status status = runtime::checkDestination(output); !status.ok()) {
    return withExit(std::move(status), Exit::kFile);
  }
  if (std::error_code code; fs::is_directory(arguments.model, code)) {
    return failure(Exit::kModel, absl::StrCat(arguments.model, " is a folder, not an ONNX file"));
  }
  std::optional<Prover> prover;
  if (!arguments.no_key) {
    LINDERO_ASSIGN_OR_RETURN(prover, Prover::find(arguments.prover));
  }
  LINDERO_ASSIGN_OR_RETURN(Scratch scratch, Scratch::beside(output));
  Stopwatch watch;
  Summary summary;
  LINDERO_ASSIGN_OR_RETURN(PreparedModel model,
                           prepareModel(arguments.model, arguments.options, context, summary));
  LINDERO_ASSIGN_OR_RETURN(const std::vector<int64_t> buckets,
                           chooseBuckets(arguments.options, model));
  const std::string home = scratch.path("package");
  LINDERO_ASSIGN_OR_RETURN(CompiledPackage compiled,
                           compilePackage(arguments.options, buckets, prover ? &*prover : nullptr,
                                          std::move(model), home, context));
  summary.addSeconds("compile_seconds", "compile time", watch.seconds() - compiled.setup_seconds);
  if (prover) {
    summary.addSeconds("setup_seconds", "key made in", compiled.setup_seconds);
    summary.addData("key", compiled.setup.back());
  }
  std::vector<Estimate> estimates;
  const std::string key = absl::StrCat(home, "/", runtime::kKeyFile);
  for (const OpenedPackage& circuit : compiled.circuits) {
    const StwoParameters parameters =
        keyParameters(key, circuit.package.circuitDigest(), arguments.prover);
    estimates.push_back(estimateProof(circuit.cost, parameters, arguments.prover.threads));
  }
  if (absl::Status status = runtime::installPackage(home, output); !status.ok()) {
    return withExit(std::move(status), Exit::kFile);
  }
  summary.add("package", "package", output, output);
  addCosts(buckets, estimates, compiled.circuits.back().cost, summary);
  summary.addData("seconds", watch.seconds());
  context.result("compile", summary);
  return absl::OkStatus();
}

}  // namespace

void addCompile(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<CompileArguments>();
  CLI::App* command = app.add_subcommand("compile", "Compile an ONNX model to a circuit package");
  command->add_option("model", arguments->model, "ONNX file")->required();
  command->add_option("-o,--output", arguments->output,
                      "Folder of the package (default: the model's name with .lindero)");
  command->add_flag("--no-key", arguments->no_key, "Make no verifying key: no prover is needed");
  command->add_flag("--estimate", arguments->estimate,
                    "Write nothing: report the cost of the circuit and the estimate of a proof");
  addModelOptions(*command, arguments->options);
  addSecurityOptions(*command, arguments->prover);
  command->callback([arguments, &chosen] {
    chosen = [arguments](Context& context) { return compile(*arguments, context); };
  });
}

}  // namespace lindero::cli
