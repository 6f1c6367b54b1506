#include "tools/lindero/package_source.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "runtime/trace/generate_trace.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/public_values.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostReport = 1 << 30;

absl::StatusOr<compiler::ModelFacts> readFacts(const std::string& package) {
  std::string path = absl::StrCat(package, "/", runtime::kReportFile);
  absl::StatusOr<std::string> text = runtime::readFile(path, kMostReport);
  if (!text.ok()) return withExit(text.status(), Exit::kPackage);
  Json json = Json::parse(*text, nullptr, false);
  absl::StatusOr<compiler::ModelFacts> facts =
      compiler::modelFactsFromJson(json.is_object() ? json.value("model", Json()) : Json());
  if (facts.ok()) return facts;
  return failure(Exit::kPackage,
                 absl::StrCat(path, ": ", facts.status().message(), "; compile the model again"));
}

std::string withoutLayer(absl::string_view region) {
  absl::string_view rest = region;
  if (!absl::ConsumePrefix(&rest, "layer")) return std::string(region);
  size_t digits = std::min(rest.size(), rest.find_first_not_of("0123456789"));
  return digits == 0 ? std::string(region) : absl::StrCat("layer*", rest.substr(digits));
}

}  // namespace

absl::StatusOr<OpenedPackage> openPackage(const std::string& path) {
  std::error_code code;
  if (fs::is_directory(path, code) &&
      !fs::exists(absl::StrCat(path, "/", runtime::kCircuitFile), code)) {
    return failure(Exit::kPackage,
                   absl::StrCat(path, " is no circuit package: it has no ", runtime::kCircuitFile));
  }
  absl::StatusOr<runtime::Package> package = runtime::Package::open(path);
  if (!package.ok()) return withPackageExit(package.status());
  LINDERO_ASSIGN_OR_RETURN(compiler::ModelFacts facts, readFacts(path));
  compiler::CostReport cost = compiler::costReport(package->circuit());
  return OpenedPackage{path, false, *std::move(package), std::move(facts), std::move(cost)};
}

absl::StatusOr<OpenedPackage> openSource(const std::string& source, const ModelOptions& options,
                                         const Scratch& scratch, Context& context,
                                         Summary& summary) {
  std::error_code code;
  if (fs::is_directory(source, code)) {
    if (std::string option = givenModelOption(options); !option.empty()) {
      return failure(Exit::kUsage, absl::StrCat(source, " is compiled already: give ", option,
                                                " to `lindero compile`, or the ONNX file here"));
    }
    LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, openPackage(source));
    summary.add("model", "model", opened.facts.file, opened.facts.file);
    summary.addCount("parameters", "parameters", opened.facts.parameters);
    return opened;
  }
  Stopwatch watch;
  LINDERO_ASSIGN_OR_RETURN(CompiledModel model, compileModel(source, options, context, summary));
  std::string path = scratch.path("package");
  context.progress("write the package");
  if (absl::Status status = model.compilation.write(path, model.files); !status.ok()) {
    return withRunExit(std::move(status));
  }
  summary.addSeconds("compile_seconds", "compile time", watch.seconds());
  LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, openPackage(path));
  opened.compiled = true;
  return opened;
}

absl::StatusOr<BoundInputs> bindSourceInputs(const OpenedPackage& opened,
                                             const InputOptions& options, int threads,
                                             Context& context) {
  std::optional<Tokenizer> tokenizer;
  std::string path = options.tokenizer;
  std::error_code code;
  std::string own = absl::StrCat(opened.path, "/tokenizer.json");
  if (path.empty() && fs::exists(own, code)) path = own;
  if (!path.empty() && opened.facts.readsTokens()) {
    LINDERO_ASSIGN_OR_RETURN(tokenizer, Tokenizer::load(path));
  }
  LINDERO_ASSIGN_OR_RETURN(std::vector<InputArray> arrays,
                           gatherInputs(options, opened.facts, tokenizer ? &*tokenizer : nullptr));
  const Circuit& circuit = opened.package.circuit();
  BoundInputs bound;
  if (runtime::mostSteps(circuit) == 0) {
    if (options.decode.generate > 0) {
      return failure(Exit::kInput, absl::StrCat("--generate: ", opened.facts.file,
                                                " was compiled without --decode"));
    }
    LINDERO_ASSIGN_OR_RETURN(bound, bindInputs(circuit, opened.facts, arrays));
  } else {
    LINDERO_ASSIGN_OR_RETURN(std::vector<int64_t> given, promptOf(circuit, opened.facts, arrays));
    LINDERO_ASSIGN_OR_RETURN(runtime::DecodeRun run,
                             continueTokens(opened, options.decode, given, threads, context));
    absl::StatusOr<Statement> inputs = runtime::decodeInputs(circuit, run);
    if (!inputs.ok()) return withRunExit(inputs.status());
    bound.statement = *std::move(inputs);
  }
  bound.tokenizer = std::move(tokenizer);
  return bound;
}

absl::Status addRun(const OpenedPackage& opened, const Statement& statement,
                    const BoundInputs& inputs, const DecodeOptions& options, Summary& summary) {
  const std::vector<PublicTensorValues> tensors = valuesOf(opened.package.circuit(), statement);
  LINDERO_ASSIGN_OR_RETURN(std::optional<runtime::DecodeRun> run, findDecodeRun(tensors));
  addPublicValues(tensors, inputs.tokenizer, summary, /*lines=*/!run);
  if (run) addDecodeRun(*run, tensors, options.rule(), inputs.tokenizer, summary);
  return absl::OkStatus();
}

void addInputOptions(CLI::App& app, InputOptions& options) {
  CLI::Option_group* group = app.add_option_group("input", "What the model is given");
  group->add_option("--input", options.file, "Arrays by input name: .json, .npz or .npy");
  group->add_option("--tokens", options.tokens, "Token ids: 1,2,3")
      ->delimiter(',')
      ->check([](const std::string& text) {
        int64_t id = 0;
        return absl::SimpleAtoi(text, &id) ? "" : absl::StrCat(text, " is not a token id");
      });
  group->add_option("--prompt", options.prompt, "Text, for the tokenizer");
  group->add_option("--from", options.from, "A proof of a decode run, whose tokens are continued");
  group->require_option(1);
  addDecodeOptions(app, options.decode);
}

absl::StatusOr<Statement> runTrace(const OpenedPackage& opened, const Statement& inputs,
                                   const std::string& path, int threads, Context& context) {
  runtime::TraceOptions options;
  options.threads = threads;
  options.progress = [&](int done, int total) {
    context.progress("run the model", static_cast<double>(done) / total);
  };
  absl::StatusOr<Statement> statement =
      runtime::generateTrace(opened.package, inputs, path, options);
  if (!statement.ok()) return withRunExit(statement.status());
  return statement;
}

void addRegions(const compiler::CostReport& cost, Summary& summary) {
  Json json = Json::array();
  // Those of all layers are one line of text: "layer*/linear".
  std::vector<compiler::Share> lines;
  for (const compiler::Share& region : cost.regions) {
    json.push_back({{"name", region.name}, {"cells", region.cells}});
    std::string name = withoutLayer(region.name);
    auto found = std::find_if(lines.begin(), lines.end(),
                              [&](const compiler::Share& line) { return line.name == name; });
    if (found == lines.end()) found = lines.insert(found, {name, 0});
    found->cells += region.cells;
  }
  const std::string padding = "padding to powers of two";
  json.push_back({{"name", padding}, {"cells", cost.padding}});
  lines.push_back({padding, cost.padding});
  Summary::Rows rows;
  for (const compiler::Share& line : lines) {
    double share = 100 * static_cast<double>(line.cells) / static_cast<double>(cost.online);
    rows.push_back({line.name, withCommas(line.cells), absl::StrFormat("%.1f %%", share)});
  }
  summary.addCount("region_count", "regions", static_cast<int64_t>(cost.regions.size()));
  summary.addTable("regions", "Cells per region", {"region", "cells", "share"}, std::move(rows),
                   std::move(json));
}

}  // namespace lindero::cli
