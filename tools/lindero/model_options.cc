#include "tools/lindero/model_options.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "runtime/package/files.h"
#include "runtime/package/package.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/samples.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;
using compiler::Compilation;
using compiler::ModelFacts;

constexpr char kModelGroup[] = "Compiling an ONNX file";
constexpr uint64_t kMostJson = 64 << 20;
constexpr int64_t kLeastBucket = 16;
constexpr int64_t kBlockSteps = 16;
constexpr int64_t kMostPositions = int64_t{1} << 28;  // rows of a table, at most

int64_t blockOf(const ModelOptions& options) {
  return options.block > 0 ? options.block : kBlockSteps;
}

// What does not go together, whatever the model.
absl::Status checkDecodeOptions(const ModelOptions& options) {
  const bool carry = options.context == "carry";
  if (!options.lower.decode) {
    const char* given = carry                      ? "--context=carry"
                        : options.block > 0        ? "--block"
                        : !options.buckets.empty() ? "--buckets"
                                                   : nullptr;
    if (given == nullptr) return absl::OkStatus();
    return failure(Exit::kUsage, absl::StrCat(given, ": only decode runs have it: give --decode"));
  }
  if (carry && !options.buckets.empty()) {
    return failure(Exit::kUsage,
                   "--buckets: with --context=carry a run has as many blocks as it "
                   "needs, of one circuit");
  }
  if (!carry && options.block > 0) {
    return failure(Exit::kUsage, "--block: there are blocks with --context=carry only");
  }
  if (options.positions != "all") {
    return failure(Exit::kUsage, "a decode run has the choices of --positions all");
  }
  return absl::OkStatus();
}

absl::StatusOr<compiler::ImportOptions> importOptions(const ModelOptions& options) {
  compiler::ImportOptions import;
  for (const std::string& dim : options.dims) {
    std::vector<std::string> parts = absl::StrSplit(dim, absl::MaxSplits('=', 1));
    int64_t size = 0;
    if (parts.size() != 2 || parts[0].empty() || !absl::SimpleAtoi(parts[1], &size)) {
      return failure(Exit::kUsage, absl::StrCat("--dim ", dim, ": write name=size, as in seq=64"));
    }
    if (!import.dims.emplace(parts[0], size).second) {
      return failure(Exit::kUsage, absl::StrCat("--dim ", parts[0], " is given twice"));
    }
  }
  return import;
}

absl::StatusOr<std::optional<Tokenizer>> loadTokenizer(const std::string& path) {
  if (path.empty()) return std::nullopt;
  LINDERO_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::load(path));
  return tokenizer;
}

absl::Status needTokenizer(const std::optional<Tokenizer>& tokenizer, const std::string& path) {
  if (tokenizer) return absl::OkStatus();
  return failure(Exit::kInput,
                 absl::StrCat(path,
                              ": a text needs a tokenizer: give --tokenizer tokenizer.json, "
                              "or arrays of token ids (.json, .npz)"));
}

absl::StatusOr<std::vector<passes::Sample>> calibrationSamples(
    const ModelOptions& options, const Compilation& compilation,
    const std::optional<Tokenizer>& tokenizer, Context& context) {
  ModelFacts facts = compilation.facts();
  if (options.calibrate.empty()) {
    context.note(
        "no --calibrate: ranges come from inputs of our own making; calibrate with typical "
        "inputs for better accuracy");
    absl::StatusOr<std::vector<passes::Sample>> samples =
        compilation.defaultSamples(options.samples);
    if (!samples.ok()) return withModelExit(samples.status());
    return samples;
  }
  if (isArrayFile(options.calibrate)) {
    return readArraySamples(options.calibrate, facts, options.samples);
  }
  LINDERO_RETURN_IF_ERROR(needTokenizer(tokenizer, options.calibrate));
  LINDERO_ASSIGN_OR_RETURN(auto windows,
                           readTextSamples(options.calibrate, facts, *tokenizer, options.samples));
  std::vector<passes::Sample> samples;
  for (auto& window : windows) samples.push_back(std::move(window.inputs));
  return samples;
}

absl::StatusOr<passes::Exponents> readExponents(const std::string& path) {
  absl::StatusOr<std::string> json = runtime::readFile(path, kMostJson);
  if (!json.ok()) return withExit(json.status(), Exit::kFile);
  absl::StatusOr<passes::Exponents> exponents = passes::exponentsFromJson(*json);
  if (exponents.ok()) return exponents;
  return failure(Exit::kInput, absl::StrCat(path, ": ", exponents.status().message()));
}

absl::StatusOr<passes::Exponents> chooseExponents(const ModelOptions& options,
                                                  const Compilation& compilation,
                                                  const std::optional<Tokenizer>& tokenizer,
                                                  Context& context) {
  if (!options.exponents.empty()) return readExponents(options.exponents);
  context.progress("calibrate");
  LINDERO_ASSIGN_OR_RETURN(std::vector<passes::Sample> samples,
                           calibrationSamples(options, compilation, tokenizer, context));
  absl::StatusOr<passes::Exponents> exponents = compilation.calibrate(samples, options.quantize);
  if (!exponents.ok()) return withModelExit(exponents.status());
  return exponents;
}

std::vector<passes::ComparisonSample> withoutTargets(std::vector<passes::Sample> inputs) {
  std::vector<passes::ComparisonSample> samples;
  for (passes::Sample& input : inputs) samples.push_back({std::move(input), {}});
  return samples;
}

absl::StatusOr<std::vector<passes::ComparisonSample>> comparisonSamples(
    const ModelOptions& options, const Compilation& compilation,
    const std::optional<Tokenizer>& tokenizer) {
  if (options.compare.empty()) {
    absl::StatusOr<std::vector<passes::Sample>> inputs =
        compilation.defaultSamples(options.samples);
    if (!inputs.ok()) return withModelExit(inputs.status());
    return withoutTargets(*std::move(inputs));
  }
  const ModelFacts facts = compilation.facts();
  if (isArrayFile(options.compare)) {
    LINDERO_ASSIGN_OR_RETURN(std::vector<passes::Sample> inputs,
                             readArraySamples(options.compare, facts, options.windows));
    return withoutTargets(std::move(inputs));
  }
  LINDERO_RETURN_IF_ERROR(needTokenizer(tokenizer, options.compare));
  return readTextSamples(options.compare, facts, *tokenizer, options.windows);
}

// With the integer function at full length.
absl::StatusOr<passes::Comparison> compare(const ModelOptions& options,
                                           const Compilation& compilation,
                                           const std::optional<Tokenizer>& tokenizer,
                                           Summary& summary) {
  LINDERO_ASSIGN_OR_RETURN(std::vector<passes::ComparisonSample> samples,
                           comparisonSamples(options, compilation, tokenizer));
  absl::StatusOr<passes::Comparison> found = compilation.compare(samples);
  if (!found.ok()) return withModelExit(found.status());
  Json json = {{"windows", found->samples},          {"positions", found->rows},
               {"refused_windows", found->rejected}, {"top1_agreement", found->top1_agreement},
               {"divergence", found->divergence},    {"mean_cosine", found->mean_cosine},
               {"least_cosine", found->least_cosine}};
  std::string text =
      absl::StrFormat("%.2f %% same top-1 over %s positions, cosine %.5f",
                      100 * found->top1_agreement, withCommas(found->rows), found->mean_cosine);
  if (found->float_perplexity > 0) {
    json["float_perplexity"] = found->float_perplexity;
    json["integer_perplexity"] = found->integer_perplexity;
    absl::StrAppendFormat(&text, ", perplexity %+.2f %%", 100 * found->perplexityChange());
  }
  if (found->rejected > 0) absl::StrAppend(&text, "; ", found->rejected, " windows out of range");
  summary.add("agreement", "agreement with float", std::move(json), std::move(text));
  return found;
}

// Between which numbers the named value of the sites lies: "12 to 16"; empty: no site has it.
std::string spanOf(const passes::Exponents& exponents, const std::string& name) {
  std::optional<int64_t> least, most;
  for (const passes::ExponentSite& site : exponents.sites) {
    const auto found = site.values.find(name);
    if (found == site.values.end()) continue;
    least = std::min(least.value_or(found->second), found->second);
    most = std::max(most.value_or(found->second), found->second);
  }
  if (!least) return "";
  return *least == *most ? absl::StrCat(*least) : absl::StrCat(*least, " to ", *most);
}

void describeModel(const ModelFacts& facts, Summary& summary) {
  summary.add("model", "model", facts.file, facts.file);
  summary.addCount("parameters", "parameters", facts.parameters);
  summary.addData("facts", toJson(facts));
}

absl::StatusOr<std::vector<compiler::PackageFile>> packageFiles(const passes::Exponents& exponents,
                                                                const std::string& tokenizer) {
  std::vector<compiler::PackageFile> files = {{runtime::kExponentsFile, passes::toJson(exponents)}};
  if (tokenizer.empty()) return files;
  absl::StatusOr<std::string> bytes = runtime::readFile(tokenizer, kMostJson);
  if (!bytes.ok()) return withExit(bytes.status(), Exit::kFile);
  files.push_back({kTokenizerFile, *std::move(bytes)});
  return files;
}

}  // namespace

void addModelOptions(CLI::App& app, ModelOptions& options) {
  options.app = &app;
  const std::string group = app.option_defaults()->get_group();
  app.add_option("--tokenizer", options.tokenizer, "Default: tokenizer.json beside the model");
  app.option_defaults()->group(kModelGroup);
  app.add_option("--dim", options.dims, "Size of a symbolic dimension, as in seq=64")
      ->type_name("NAME=SIZE");
  app.add_option("--calibrate", options.calibrate,
                 "Typical inputs: a text, or arrays (.json, .npz) with any number of runs");
  app.add_option("--samples", options.samples, "Runs to calibrate with, at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--exponents", options.exponents,
                 "Use this exponents.json instead of calibrating");
  app.add_option("--output-name", options.output, "The model's output to prove, by name");
  app.add_flag("--argmax", options.argmax,
               "Prove the index of the largest value (the next token), not all values");
  app.add_flag("--decode", options.lower.decode,
               "Prove decode runs: any prompt and number of chosen tokens that fit")
      ->excludes("--argmax");
  app.add_option("--buckets", options.buckets,
                 "Lengths to make circuits of decode runs for: 16,64 (default: 16, 32, 64, ... and "
                 "the model's context)")
      ->delimiter(',')
      ->check(CLI::Range(int64_t{1}, kMostPositions));
  app.add_option("--context", options.context,
                 "What a step of a decode run has of those before. recompute: tokens, one proof of "
                 "all positions; carry: keys and values, a proof of each block of steps, in memory "
                 "that does not grow with the run")
      ->check(CLI::IsMember({"recompute", "carry"}))
      ->capture_default_str();
  app.add_option("--block", options.block,
                 absl::StrCat("Steps of a block, with --context=carry (default: ", kBlockSteps,
                              "); divides the model's context"))
      ->check(CLI::Range(int64_t{1}, kMostPositions));
  app.add_option("--positions", options.positions, "all, last:N, or a list like 3,7,9")
      ->capture_default_str();
  app.add_option("--compare", options.compare,
                 "Measure agreement with the float model on this text, or on arrays (.json, .npz)");
  app.add_option("--windows", options.windows, "Of the text to compare on, at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--activation-bits", options.quantize.activation_bits,
                 "Bits of the inputs of linear layers")
      ->check(CLI::Range(4, 16))
      ->capture_default_str();
  app.add_option("--weight-bits", options.quantize.weight_bits, "Bits of weights, at most")
      ->check(CLI::Range(4, 24))
      ->capture_default_str();
  app.add_option("--lanes", options.lower.lanes,
                 "Tokens per table row, a power of two: more lanes, fewer cells, larger proof")
      ->check(CLI::IsMember(laneCounts()))
      ->capture_default_str();
  app.option_defaults()->group(group);
}

std::vector<int64_t> laneCounts() { return {1, 2, 4, 8, 16, 32, 64}; }

std::string givenModelOption(const ModelOptions& options) {
  for (const CLI::Option* option : options.app->get_options()) {
    if (option->get_group() == kModelGroup && option->count() > 0) return option->get_name();
  }
  return "";
}

std::string findTokenizer(const std::string& given, const std::string& model) {
  if (!given.empty()) return given;
  std::error_code code;
  fs::path beside = fs::path(model).parent_path() / kTokenizerFile;
  return fs::exists(beside, code) ? beside.string() : "";
}

absl::StatusOr<PreparedModel> prepareModel(const std::string& path, const ModelOptions& options,
                                           Context& context, Summary& summary) {
  LINDERO_RETURN_IF_ERROR(checkDecodeOptions(options));
  LINDERO_ASSIGN_OR_RETURN(compiler::ImportOptions import, importOptions(options));
  context.progress("import");
  absl::StatusOr<Compilation> compilation = Compilation::load(path, import);
  if (!compilation.ok()) return withLoadExit(compilation.status());
  std::string tokenizer_path = findTokenizer(options.tokenizer, path);
  LINDERO_ASSIGN_OR_RETURN(std::optional<Tokenizer> tokenizer, loadTokenizer(tokenizer_path));

  if (absl::Status status = compilation->selectOutput(options.output); !status.ok()) {
    return withExit(std::move(status), Exit::kUsage);
  }
  describeModel(compilation->facts(), summary);
  LINDERO_ASSIGN_OR_RETURN(passes::Exponents exponents,
                           chooseExponents(options, *compilation, tokenizer, context));
  if (!options.compare.empty()) {
    context.progress("compare with the float model");
    LINDERO_RETURN_IF_ERROR(withModelExit(compilation->quantize(exponents)));
    LINDERO_RETURN_IF_ERROR(compare(options, *compilation, tokenizer, summary).status());
  }
  LINDERO_ASSIGN_OR_RETURN(std::vector<compiler::PackageFile> files,
                           packageFiles(exponents, tokenizer_path));
  return PreparedModel{*std::move(compilation), std::move(exponents), std::move(files)};
}

absl::StatusOr<passes::Comparison> measureModel(const std::string& path,
                                                const ModelOptions& options, PreparedModel& model,
                                                Context& context, Summary& summary) {
  context.progress("compare with the float model");
  const std::string bits = spanOf(model.exponents, "bits");
  const std::string steps = spanOf(model.exponents, "exponent");
  summary.add("calibration", "calibration",
              {{"bits", bits}, {"exponents", steps}, {"weight_bits", model.exponents.weight_bits}},
              absl::StrCat("values of ", bits, " bits in steps of 2^-f, f = ", steps,
                           "; weights of at most ", model.exponents.weight_bits, " bits"));
  std::optional<Tokenizer> tokenizer;
  if (!options.compare.empty()) {
    LINDERO_ASSIGN_OR_RETURN(tokenizer, loadTokenizer(findTokenizer(options.tokenizer, path)));
  }
  LINDERO_RETURN_IF_ERROR(withModelExit(model.compilation.quantize(model.exponents)));
  return compare(options, model.compilation, tokenizer, summary);
}

absl::StatusOr<std::vector<int64_t>> chooseBuckets(const ModelOptions& options,
                                                   const PreparedModel& model) {
  if (!options.lower.decode) return std::vector<int64_t>{0};
  const ModelFacts facts = model.compilation.facts();
  const int64_t context = facts.readsTokens() ? facts.inputs[0].shape[0] : 0;
  if (context == 0) {
    return failure(Exit::kUnsupported, absl::StrCat(facts.file, " reads no tokens to decode"));
  }
  if (options.context == "carry") {
    const int64_t block = blockOf(options);
    if (context % block == 0 && context > block) return std::vector<int64_t>{context};
    return failure(Exit::kUsage, absl::StrCat("--block ", block, ": the model's ", context,
                                              " positions are not two or more blocks of so many"));
  }
  std::vector<int64_t> buckets = options.buckets;
  if (buckets.empty()) {
    for (int64_t bucket = kLeastBucket; bucket < context; bucket *= 2) buckets.push_back(bucket);
    buckets.push_back(context);
  }
  std::sort(buckets.begin(), buckets.end());
  buckets.erase(std::unique(buckets.begin(), buckets.end()), buckets.end());
  if (buckets.back() <= context) return buckets;
  return failure(Exit::kUsage, absl::StrCat("--buckets ", buckets.back(), ": the model has ",
                                            context, " positions"));
}

absl::Status lowerModel(const ModelOptions& options, int64_t bucket, PreparedModel& model,
                        Context& context) {
  Compilation& compilation = model.compilation;
  context.progress("quantize");
  if (bucket > 0) LINDERO_RETURN_IF_ERROR(withModelExit(compilation.setLength(bucket)));
  LINDERO_RETURN_IF_ERROR(withModelExit(compilation.quantize(model.exponents)));
  if (absl::Status status =
          compilation.selectValues(options.positions, options.argmax || options.lower.decode);
      !status.ok()) {
    return withExit(std::move(status), Exit::kUsage);
  }
  context.progress("lower");
  const bool carry = options.context == "carry";
  return withModelExit(compilation.lower(options.lower, carry ? blockOf(options) : 0));
}

}  // namespace lindero::cli
