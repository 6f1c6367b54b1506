// lindero compile: ONNX -> package.
#include <filesystem>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/package/package_writer.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/estimate.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/model_options.h"
#include "tools/lindero/package_source.h"
#include "tools/lindero/prover.h"
#include "tools/lindero/scratch.h"

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

// Everything but the package.
absl::Status estimateCost(const CompileArguments& arguments, Context& context) {
  Stopwatch watch;
  Summary summary;
  LINDERO_ASSIGN_OR_RETURN(CompiledModel model,
                           compileModel(arguments.model, arguments.options, context, summary));
  const compiler::CostReport& cost = model.compilation.cost();
  addEstimate(estimateProof(cost, expectedParameters(arguments.prover), arguments.prover.threads),
              summary);
  addRegions(cost, summary);
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
  LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, openSource(arguments.model, arguments.options,
                                                            scratch, context, summary));
  std::string key = absl::StrCat(opened.path, "/", runtime::kKeyFile);
  if (prover) {
    Stopwatch setup;
    LINDERO_ASSIGN_OR_RETURN(Json report, prover->setup(opened.path, key, context));
    summary.addSeconds("setup_seconds", "key made in", setup.seconds());
    summary.addData("key", std::move(report));
  }
  StwoParameters parameters = keyParameters(key, opened.package.circuitDigest(), arguments.prover);
  addEstimate(estimateProof(opened.cost, parameters, arguments.prover.threads), summary);
  if (absl::Status status = runtime::installPackage(opened.path, output); !status.ok()) {
    return withExit(std::move(status), Exit::kFile);
  }
  summary.add("package", "package", output, output);
  addRegions(opened.cost, summary);
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
