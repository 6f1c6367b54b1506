#include "tools/lindero/package_source.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "runtime/package/files.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"
#include "runtime/trace/generate_trace.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/key_file.h"
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

// What the user gives, before it is known which circuit takes it.
struct Given {
  std::vector<InputArray> arrays;
  std::optional<Tokenizer> tokenizer;
};

// The tokenizer's path is empty if there is none.
absl::StatusOr<Given> readInputs(const InputOptions& options, const compiler::ModelFacts& facts,
                                 const std::string& tokenizer) {
  Given given;
  if (!tokenizer.empty() && facts.readsTokens()) {
    LINDERO_ASSIGN_OR_RETURN(given.tokenizer, Tokenizer::load(tokenizer));
  }
  LINDERO_ASSIGN_OR_RETURN(
      given.arrays, gatherInputs(options, facts, given.tokenizer ? &*given.tokenizer : nullptr));
  return given;
}

// Which of the buckets the run takes; {0} of a circuit without.
absl::StatusOr<int64_t> bucketOf(const compiler::ModelFacts& facts, const Given& given,
                                 const DecodeOptions& options,
                                 const std::vector<int64_t>& buckets) {
  if (buckets.back() == 0) return 0;
  LINDERO_ASSIGN_OR_RETURN(std::vector<int64_t> prompt, promptOf(facts, given.arrays));
  return chooseBucket(buckets, static_cast<int64_t>(prompt.size()), options);
}

absl::StatusOr<Source> bind(OpenedPackage opened, Given given, const DecodeOptions& options,
                            int threads, Context& context) {
  const Circuit& circuit = opened.package.circuit();
  BoundInputs inputs;
  if (runtime::mostSteps(circuit) == 0) {
    if (options.generate > 0) {
      return failure(Exit::kInput, absl::StrCat("--generate: ", opened.facts.file,
                                                " was compiled without --decode"));
    }
    LINDERO_ASSIGN_OR_RETURN(inputs, bindInputs(circuit, opened.facts, given.arrays));
  } else {
    LINDERO_ASSIGN_OR_RETURN(std::vector<int64_t> prompt, promptOf(opened.facts, given.arrays));
    LINDERO_ASSIGN_OR_RETURN(runtime::DecodeRun run,
                             continueTokens(opened, options, prompt, threads, context));
    absl::StatusOr<Statement> statement = runtime::decodeInputs(circuit, run);
    if (!statement.ok()) return withRunExit(statement.status());
    inputs.statement = *std::move(statement);
  }
  return Source{std::move(opened), std::move(inputs), std::move(given.tokenizer)};
}

}  // namespace

absl::StatusOr<OpenedPackage> openPackage(const std::string& home, int64_t bucket) {
  const std::string path = bucket > 0 ? runtime::bucketFolder(home, bucket) : home;
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
  return OpenedPackage{home, path, *std::move(package), std::move(facts), std::move(cost)};
}

absl::StatusOr<CompiledPackage> compilePackage(const ModelOptions& options,
                                               const std::vector<int64_t>& buckets,
                                               const Prover* prover, PreparedModel model,
                                               const std::string& home, Context& context) {
  CompiledPackage result;
  std::vector<runtime::Key> keys;
  const std::string key_path = absl::StrCat(home, "/", runtime::kKeyFile);
  // A model can only get shorter.
  for (auto bucket = buckets.rbegin(); bucket != buckets.rend(); ++bucket) {
    LINDERO_RETURN_IF_ERROR(lowerModel(options, *bucket, model, context));
    context.progress("write the package");
    const std::string path = *bucket > 0 ? runtime::bucketFolder(home, *bucket) : home;
    LINDERO_RETURN_IF_ERROR(withRunExit(model.compilation.write(path, {})));
    LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, openPackage(home, *bucket));
    result.circuits.insert(result.circuits.begin(), std::move(opened));
    if (prover == nullptr) continue;
    Stopwatch setup;
    LINDERO_ASSIGN_OR_RETURN(Json report, prover->setup(path, key_path, context));
    result.setup_seconds += setup.seconds();
    result.setup.insert(result.setup.begin(), std::move(report));
    LINDERO_ASSIGN_OR_RETURN(runtime::KeySet made, readKeys(key_path));
    keys.insert(keys.begin(), std::move(made.keys.front()));
  }
  for (const compiler::PackageFile& file : model.files) {
    const std::string path = absl::StrCat(home, "/", file.name);
    LINDERO_RETURN_IF_ERROR(withExit(runtime::writeFile(path, file.bytes), Exit::kFile));
  }
  if (prover != nullptr) {
    const std::string set = runtime::encodeKeySet(keys);
    LINDERO_RETURN_IF_ERROR(withExit(runtime::writeFile(key_path, set), Exit::kFile));
  }
  return result;
}

absl::StatusOr<Source> openSource(const std::string& source, const ModelOptions& options,
                                  const InputOptions& input, int threads, const Scratch& scratch,
                                  Context& context, Summary& summary) {
  std::error_code code;
  if (fs::is_directory(source, code)) {
    if (std::string option = givenModelOption(options); !option.empty()) {
      return failure(Exit::kUsage, absl::StrCat(source, " is compiled already: give ", option,
                                                " to `lindero compile`, or the ONNX file here"));
    }
    const std::string tokenizer = findTokenizer(input.tokenizer, absl::StrCat(source, "/"));
    std::vector<int64_t> buckets = runtime::listBuckets(source);
    if (buckets.empty()) buckets = {0};
    LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, openPackage(source, buckets.back()));
    LINDERO_ASSIGN_OR_RETURN(Given given, readInputs(input, opened.facts, tokenizer));
    LINDERO_ASSIGN_OR_RETURN(const int64_t bucket,
                             bucketOf(opened.facts, given, input.decode, buckets));
    if (bucket != buckets.back()) {
      LINDERO_ASSIGN_OR_RETURN(opened, openPackage(source, bucket));
    }
    summary.add("model", "model", opened.facts.file, opened.facts.file);
    summary.addCount("parameters", "parameters", opened.facts.parameters);
    return bind(std::move(opened), std::move(given), input.decode, threads, context);
  }
  Stopwatch watch;
  LINDERO_ASSIGN_OR_RETURN(PreparedModel model, prepareModel(source, options, context, summary));
  LINDERO_ASSIGN_OR_RETURN(const std::vector<int64_t> buckets, chooseBuckets(options, model));
  const compiler::ModelFacts facts = model.compilation.facts();
  LINDERO_ASSIGN_OR_RETURN(Given given,
                           readInputs(input, facts, findTokenizer(input.tokenizer, source)));
  LINDERO_ASSIGN_OR_RETURN(const int64_t bucket, bucketOf(facts, given, input.decode, buckets));
  LINDERO_ASSIGN_OR_RETURN(CompiledPackage compiled,
                           compilePackage(options, {bucket}, nullptr, std::move(model),
                                          scratch.path("package"), context));
  summary.addSeconds("compile_seconds", "compile time", watch.seconds());
  return bind(std::move(compiled.circuits.front()), std::move(given), input.decode, threads,
              context);
}

absl::Status addRun(const Source& source, const Statement& statement, const DecodeOptions& options,
                    Summary& summary) {
  const std::vector<PublicTensorValues> tensors =
      valuesOf(source.opened.package.circuit(), statement);
  LINDERO_ASSIGN_OR_RETURN(std::optional<runtime::DecodeRun> run, findDecodeRun(tensors));
  addPublicValues(tensors, source.tokenizer, summary, /*lines=*/!run);
  if (run) {
    addDecodeRun(*run, source.opened.package.circuit(), tensors, options.rule(), source.tokenizer,
                 summary);
  }
  return absl::OkStatus();
}

CLI::Option_group* addInputOptions(CLI::App& app, InputOptions& options) {
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
  return group;
}

absl::StatusOr<TracedRun> runTrace(const OpenedPackage& opened, const Statement& inputs,
                                   const Scratch& scratch, int threads, Context& context) {
  const Circuit& circuit = opened.package.circuit();
  const int64_t blocks = inputs.tensors_size() == 0 ? 1 : runtime::blocksOf(circuit, inputs);
  TracedRun run;
  runtime::Carried carried;
  for (int64_t block = 0; block < blocks; ++block) {
    runtime::TraceOptions options;
    options.threads = threads;
    options.carried = &carried;
    options.progress = [&](int done, int total) {
      context.progress("run the model",
                       (static_cast<double>(block) + static_cast<double>(done) / total) /
                           static_cast<double>(blocks));
    };
    const std::string name = blocks == 1 ? "trace.bin" : absl::StrCat("trace-", block, ".bin");
    run.traces.push_back(scratch.path(name));
    absl::StatusOr<Statement> statement = runtime::generateTrace(
        opened.package, runtime::blockOf(circuit, inputs, block), run.traces.back(), options);
    if (!statement.ok()) return withRunExit(statement.status());
    runtime::appendBlock(*statement, run.statement);
  }
  return run;
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
    const std::string name = line.name.empty() ? "in no region" : line.name;
    rows.push_back({name, withCommas(line.cells), absl::StrFormat("%.1f %%", share)});
  }
  summary.addCount("region_count", "regions", static_cast<int64_t>(cost.regions.size()));
  const char* title = cost.most_blocks > 0 ? "Cells per region, of a block" : "Cells per region";
  summary.addTable("regions", title, {"region", "cells", "share"}, std::move(rows),
                   std::move(json));
}

}  // namespace lindero::cli
