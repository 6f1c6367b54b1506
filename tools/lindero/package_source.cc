#include "tools/lindero/package_source.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/driver/samples.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/show_costs.h"
#include "tools/lindero/show_values.h"

namespace lindero::cli {
namespace {

// What the user gives, before it is known which circuit takes it.
struct GivenInputs {
  std::vector<InputArray> arrays;
  std::optional<Tokenizer> tokenizer;
};

absl::StatusOr<GivenInputs> readInputs(const SourceOptions& options, const std::string& model,
                                       const runtime::ModelFacts& facts) {
  GivenInputs given;
  const std::string tokenizer = runtime::findTokenizer(options.model.tokenizer, model);
  if (!tokenizer.empty() && facts.readsTokens()) {
    LINDERO_ASSIGN_OR_RETURN(given.tokenizer, Tokenizer::load(tokenizer));
  }
  LINDERO_ASSIGN_OR_RETURN(
      given.arrays,
      gatherInputs(options.input, facts, given.tokenizer ? &*given.tokenizer : nullptr));
  return given;
}

absl::StatusOr<Source> sourceOfPackage(const SourceOptions& options, int threads, Context& context,
                                       Summary& summary) {
  if (!options.model_option.empty()) {
    return failure(Error::kUsage,
                   absl::StrCat(options.source, " is compiled already: give ", options.model_option,
                                " to `lindero compile`, or the ONNX file here"));
  }
  const std::vector<int64_t> buckets = runtime::bucketsOf(options.source);
  LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened,
                           runtime::openPackage(options.source, buckets.back()));
  LINDERO_ASSIGN_OR_RETURN(GivenInputs given,
                           readInputs(options, absl::StrCat(options.source, "/"), opened.facts));
  LINDERO_ASSIGN_OR_RETURN(
      const int64_t bucket,
      runtime::bucketOfRun(opened.facts, given.arrays, options.input.decode, buckets));
  if (bucket != buckets.back()) {
    LINDERO_ASSIGN_OR_RETURN(opened, runtime::openPackage(options.source, bucket));
  }
  addModel(opened.facts, summary);
  LINDERO_ASSIGN_OR_RETURN(runtime::Run run,
                           runtime::bindRun(std::move(opened), given.arrays, options.input.decode,
                                            threads, context.monitor()));
  return Source{std::move(run), std::move(given.tokenizer)};
}

// A package for this run alone.
absl::StatusOr<Source> sourceOfModel(const SourceOptions& options, int threads,
                                     const Scratch& scratch, Context& context, Summary& summary) {
  Stopwatch watch;
  LINDERO_ASSIGN_OR_RETURN(PreparedRun prepared, importRun(options, context));
  LINDERO_RETURN_IF_ERROR(calibrateRun(options, prepared, context, summary));
  compiler::CompiledPackage compiled;
  {
    compiler::PreparedModel model = std::move(prepared.model);  // gone before the run
    LINDERO_ASSIGN_OR_RETURN(
        compiled, compiler::writePackage(options.model, {prepared.bucket}, nullptr, model,
                                         scratch.path("package"), context.monitor()));
  }
  summary.addSeconds("compile_seconds", "compile time", watch.seconds());
  LINDERO_ASSIGN_OR_RETURN(runtime::Run run,
                           runtime::bindRun(std::move(compiled.circuits.front()), prepared.inputs,
                                            options.input.decode, threads, context.monitor()));
  return Source{std::move(run), std::move(prepared.tokenizer), /*compiled=*/true};
}

}  // namespace

CLI::Option_group* addSourceOptions(CLI::App& app, SourceOptions& options) {
  app.add_option("source", options.source, "Package or ONNX file")->required();
  CLI::Option_group* input = addInputOptions(app, options.input);
  addDecodeOptions(app, options.input.decode);
  addModelOptions(app, options.model);
  return input;
}

void completeSourceOptions(const CLI::App& app, SourceOptions& options) {
  options.model_option = givenModelOption(app);
  if (options.input.decode.generate > 0 || !options.input.from.empty()) {
    options.model.lower.decode = true;
  }
}

absl::StatusOr<PreparedRun> importRun(const SourceOptions& options, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(compiler::PreparedModel model,
                           compiler::importModel(options.source, options.model, context.monitor()));
  const runtime::ModelFacts facts = model.compilation.facts();
  LINDERO_ASSIGN_OR_RETURN(const std::vector<int64_t> buckets,
                           compiler::chooseBuckets(options.model, model));
  PreparedRun run{std::move(model), {}, std::nullopt};
  if (!options.input.given()) return run;
  LINDERO_ASSIGN_OR_RETURN(GivenInputs given, readInputs(options, options.source, facts));
  LINDERO_RETURN_IF_ERROR(runtime::checkInputs(facts, given.arrays, options.model.lower.decode));
  LINDERO_ASSIGN_OR_RETURN(
      run.bucket, runtime::bucketOfRun(facts, given.arrays, options.input.decode, buckets));
  run.inputs = std::move(given.arrays);
  run.tokenizer = std::move(given.tokenizer);
  return run;
}

absl::Status calibrateRun(const SourceOptions& options, PreparedRun& run, Context& context,
                          Summary& summary) {
  compiler::PreparedModel& model = run.model;
  const runtime::ModelFacts facts = model.compilation.facts();
  const bool own = options.model.exponents.empty() && options.input.given();
  if (own) model.run_input = compiler::sampleOf(facts, run.inputs);
  LINDERO_RETURN_IF_ERROR(compiler::calibrateModel(options.model, model, context.monitor()));
  addModel(facts, summary, /*all=*/true);
  if (model.comparison) addAgreement(*model.comparison, summary);
  if (model.measured) {
    addMeasured(*model.measured, own ? "input, of this run" : measuredOn(options.model), summary);
  }
  if (options.input.given()) return absl::OkStatus();
  if (model.samples.empty()) {
    return failure(Error::kInput, absl::StrCat("no input of our own making fits ", facts.file,
                                               ": give one with --input"));
  }
  run.inputs = compiler::arraysOf(facts, model.samples.front());
  return absl::OkStatus();
}

absl::StatusOr<Source> bindSource(const SourceOptions& options, int threads, const Scratch& scratch,
                                  Context& context, Summary& summary) {
  std::error_code code;
  return std::filesystem::is_directory(options.source, code)
             ? sourceOfPackage(options, threads, context, summary)
             : sourceOfModel(options, threads, scratch, context, summary);
}

absl::Status addRun(const Source& source, const Statement& statement, Summary& summary,
                    size_t most) {
  const Circuit& circuit = source.run.opened.package().circuit();
  const std::vector<PublicTensorValues> tensors =
      runtime::valuesOf(source.run.opened.bundle.circuits(), statement);
  LINDERO_ASSIGN_OR_RETURN(std::optional<runtime::DecodeRun> run, runtime::findDecodeRun(tensors));
  addPublicValues(tensors, source.tokenizer, summary, run ? 0 : most);
  if (run) {
    addDecodeRun(*run, circuit, tensors, source.run.decode.rule(), source.tokenizer, summary);
  }
  return absl::OkStatus();
}

}  // namespace lindero::cli
