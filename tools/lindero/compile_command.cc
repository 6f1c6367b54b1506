// lindero compile: ONNX -> package.
#include <filesystem>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "compiler/estimate/estimate.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/model_options.h"
#include "tools/lindero/prover_options.h"
#include "tools/lindero/show_costs.h"

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
void addCosts(const std::vector<compiler::BucketCost>& buckets, Summary& summary) {
  const compiler::BucketCost& longest = buckets.back();
  if (longest.cost.most_blocks > 0) {
    addBlocks(longest.bucket / longest.cost.most_blocks, longest.cost.most_blocks, summary);
  } else if (longest.bucket > 0) {
    addBuckets(buckets, summary);
  }
  addEstimate(longest.estimate, summary);
  addRegions(longest.cost, summary);
}

// Everything but the package.
absl::Status estimateCost(const CompileArguments& arguments, Context& context) {
  Stopwatch watch;
  LINDERO_ASSIGN_OR_RETURN(
      compiler::PreparedModel model,
      compiler::prepareModel(arguments.model, arguments.options, context.monitor()));
  Summary summary;
  addModel(model.compilation.facts(), summary, /*all=*/true);
  if (model.comparison) addAgreement(*model.comparison, summary);
  if (model.measured) addMeasured(*model.measured, measuredOn(arguments.options), summary);
  LINDERO_ASSIGN_OR_RETURN(
      const std::vector<compiler::BucketCost> costs,
      compiler::estimateModel(arguments.options, arguments.prover, model, context.monitor()));
  addCosts(costs, summary);
  summary.addSeconds("seconds", "time", watch.seconds());
  context.result("compile", summary);
  return absl::OkStatus();
}

absl::Status compile(const CompileArguments& arguments, Context& context) {
  if (arguments.estimate) return estimateCost(arguments, context);
  std::string output = arguments.output;
  if (output.empty()) output = fs::path(arguments.model).stem().string() + ".lindero";
  std::optional<Prover> prover;
  if (!arguments.no_key) {
    LINDERO_ASSIGN_OR_RETURN(prover, Prover::find(arguments.prover));
  }
  Stopwatch watch;
  LINDERO_ASSIGN_OR_RETURN(
      compiler::CompiledModel compiled,
      compiler::compileModel(arguments.model, arguments.options, prover ? &*prover : nullptr,
                             output, context.monitor()));
  Summary summary;
  addModel(compiled.facts, summary, /*all=*/true);
  if (compiled.comparison) addAgreement(*compiled.comparison, summary);
  if (compiled.measured) addMeasured(*compiled.measured, measuredOn(arguments.options), summary);
  summary.addSeconds("compile_seconds", "compile time", watch.seconds() - compiled.setup_seconds);
  if (prover) {
    summary.addSeconds("setup_seconds", "key made in", compiled.setup_seconds);
    summary.addData("key", compiled.setup.back());
  }
  std::vector<compiler::BucketCost> costs;
  const std::string key = absl::StrCat(output, "/", runtime::kKeyFile);
  for (size_t i = 0; i < compiled.buckets.size(); ++i) {
    const StwoParameters parameters =
        compiler::keyParameters(key, compiled.circuits[i], compiled.bundles[i], arguments.prover);
    costs.push_back(
        {compiled.buckets[i],
         compiler::estimateBundle(compiled.members[i], parameters, arguments.prover.threads),
         compiled.costs[i]});
  }
  summary.add("package", "package", output, output);
  addCosts(costs, summary);
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
    layOutFor(arguments->prover, arguments->options);
    chosen = [arguments](Context& context) { return compile(*arguments, context); };
  });
}

}  // namespace lindero::cli
