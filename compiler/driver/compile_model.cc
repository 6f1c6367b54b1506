#include "compiler/driver/compile_model.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "compiler/driver/errors.h"
#include "compiler/driver/samples.h"
#include "compiler/driver/try_circuit.h"
#include "runtime/claim/key_file.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/files.h"
#include "runtime/package/package.h"
#include "runtime/package/package_writer.h"
#include "runtime/package/status_macros.h"

namespace lindero::compiler {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostJson = 64 << 20;
constexpr int64_t kLeastBucket = 16;

int64_t blockOf(const ModelOptions& options) {
  return options.block > 0 ? options.block : kBlockSteps;
}

// The audit tries what there is, and no others.
absl::Status checkLanes(int64_t lanes) {
  const std::vector<int64_t> counts = laneCounts();
  if (std::find(counts.begin(), counts.end(), lanes) != counts.end()) return absl::OkStatus();
  return failure(Error::kUsage,
                 absl::StrCat("--lanes ", lanes, ": it is one of ", absl::StrJoin(counts, ", ")));
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
    return failure(Error::kUsage, absl::StrCat(given, ": only decode runs have it: give --decode"));
  }
  if (carry && !options.buckets.empty()) {
    return failure(Error::kUsage,
                   "--buckets: with --context=carry a run has as many blocks as it "
                   "needs, of one circuit");
  }
  if (!carry && options.block > 0) {
    return failure(Error::kUsage, "--block: there are blocks with --context=carry only");
  }
  if (options.positions != "all") {
    return failure(Error::kUsage, "a decode run has the choices of --positions all");
  }
  return absl::OkStatus();
}

absl::StatusOr<ImportOptions> importOptions(const ModelOptions& options) {
  ImportOptions import;
  import.elements = options.elements;
  import.most_elements = options.most_elements;
  for (const std::string& dim : options.dims) {
    std::vector<std::string> parts = absl::StrSplit(dim, absl::MaxSplits('=', 1));
    int64_t size = 0;
    if (parts.size() != 2 || parts[0].empty() || !absl::SimpleAtoi(parts[1], &size)) {
      return failure(Error::kUsage, absl::StrCat("--dim ", dim, ": write name=size, as in seq=64"));
    }
    if (!import.dims.emplace(parts[0], size).second) {
      return failure(Error::kUsage, absl::StrCat("--dim ", parts[0], " is given twice"));
    }
  }
  return import;
}

absl::Status needTokenizer(const std::optional<runtime::Tokenizer>& tokenizer,
                           const std::string& path) {
  if (tokenizer) return absl::OkStatus();
  return failure(Error::kInput,
                 absl::StrCat(path,
                              ": a text needs a tokenizer: give --tokenizer tokenizer.json, "
                              "or arrays of token ids (.json, .npz)"));
}

void noteSamples(const ModelOptions& options, const PreparedModel& model,
                 runtime::Monitor& monitor) {
  if (model.run_input) {
    monitor.note(absl::StrCat(
        "ranges come from ", options.calibrate.empty() ? "inputs of our own making" : "--calibrate",
        " and from this run's input, of which the key shows something; for a key to publish, "
        "`lindero compile` first"));
  } else if (options.calibrate.empty()) {
    monitor.note(
        "no --calibrate: ranges come from inputs of our own making; calibrate with typical "
        "inputs for better accuracy");
  }
}

absl::StatusOr<std::vector<passes::Sample>> givenSamples(
    const ModelOptions& options, const Compilation& compilation,
    const std::optional<runtime::Tokenizer>& tokenizer) {
  ModelFacts facts = compilation.facts();
  if (options.calibrate.empty()) {
    absl::StatusOr<std::vector<passes::Sample>> samples =
        compilation.defaultSamples(options.samples);
    if (!samples.ok()) return withModelError(samples.status());
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
  if (!json.ok()) return withError(json.status(), Error::kFile);
  absl::StatusOr<passes::Exponents> exponents = passes::exponentsFromJson(*json);
  if (exponents.ok()) return exponents;
  return failure(Error::kInput, absl::StrCat(path, ": ", exponents.status().message()));
}

// Refusals of stages after the import name the file, too.
absl::Status ofModel(const PreparedModel& model, const absl::Status& status) {
  const std::string file = model.compilation.facts().file;
  if (status.ok() || absl::StrContains(status.message(), file)) return withModelError(status);
  return withModelError(absl::Status(status.code(), absl::StrCat(file, ": ", status.message())));
}

absl::Status calibrateOnSamples(const ModelOptions& options, PreparedModel& model,
                                runtime::Monitor& monitor) {
  monitor.progress("calibrate");
  noteSamples(options, model, monitor);
  absl::StatusOr<std::vector<passes::Sample>> given =
      givenSamples(options, model.compilation, model.tokenizer);
  if (!given.ok()) return withModelError(given.status());
  model.samples = *std::move(given);
  if (model.run_input) model.samples.push_back(*model.run_input);
  absl::StatusOr<passes::Exponents> exponents =
      model.compilation.calibrate(model.samples, options.quantize);
  if (!exponents.ok()) return ofModel(model, exponents.status());
  model.exponents = *std::move(exponents);
  // A run is judged by its own input: ranges that have to hold it may be too wide for others.
  if (model.run_input) model.samples = {*model.run_input};
  return absl::OkStatus();
}

std::vector<passes::ComparisonSample> withoutTargets(std::vector<passes::Sample> inputs) {
  std::vector<passes::ComparisonSample> samples;
  for (passes::Sample& input : inputs) samples.push_back({std::move(input), {}});
  return samples;
}

absl::StatusOr<std::vector<passes::ComparisonSample>> comparisonSamples(
    const ModelOptions& options, const Compilation& compilation,
    const std::optional<runtime::Tokenizer>& tokenizer) {
  if (options.compare.empty()) {
    absl::StatusOr<std::vector<passes::Sample>> inputs =
        compilation.defaultSamples(options.samples);
    if (!inputs.ok()) return withModelError(inputs.status());
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

// What lost the precision: the first nodes at which a row is gone, or the one that is worst.
std::string describeLoss(const passes::Comparison& found) {
  constexpr size_t kMost = 3;
  std::vector<const passes::TensorError*> lost = passes::lostTensors(found);
  if (lost.empty()) {
    for (const passes::TensorError& tensor : found.tensors)
      if (lost.empty() || tensor.rows.largest_error > lost[0]->rows.largest_error) lost = {&tensor};
  }
  std::vector<std::string> words;
  for (const passes::TensorError* tensor : lost) {
    if (words.size() == kMost) break;
    words.push_back(absl::StrFormat("%s (%s: a row is off by %.0f %%)", tensor->node, tensor->role,
                                    100 * tensor->rows.largest_error));
  }
  return absl::StrJoin(words, ", ");
}

absl::Status judgeMeasurement(const ModelOptions& options, const PreparedModel& model,
                              runtime::Monitor& monitor) {
  const passes::Comparison& found = *model.measured;
  const std::vector<std::string> beyond = passes::beyondLimits(found, options.precision);
  const bool given = !options.exponents.empty();
  if (!given && found.rejected > 0 && found.rejected == found.samples) {
    return failure(Error::kUnsupported,
                   absl::StrCat(model.compilation.facts().file,
                                ": the integers hold none of the inputs that they are calibrated "
                                "on: ",
                                found.first_rejection));
  }
  if (found.rejected > 0) {
    monitor.note(absl::StrCat("the exponents cannot hold ", found.rejected, " of ", found.samples,
                              " inputs that were measured on: ", found.first_rejection));
  }
  if (beyond.empty()) {
    if (!passes::lostTensors(found).empty())
      monitor.note(absl::StrCat("integers lose rows at ", describeLoss(found),
                                "; the outputs are within the limits"));
    return absl::OkStatus();
  }
  const std::string what = absl::StrCat(
      model.compilation.facts().file, ": ", absl::StrJoin(beyond, "; "), "; measured on ",
      model.run_input ? "this run's input" : absl::StrCat(found.samples, " samples"), "; lost at ",
      describeLoss(found));
  if (given) {
    monitor.note(absl::StrCat(what,
                              "; these are inputs of our own making, not those that the "
                              "exponents come from: see --compare"));
    return absl::OkStatus();
  }
  return failure(Error::kImprecise,
                 absl::StrCat(what,
                              "; give more bits (--activation-bits, --weight-bits), inputs like "
                              "those to prove (--calibrate), or wider limits (--min-cosine, "
                              "--max-error)"));
}

// With given exponents.
void makeSamples(const ModelOptions& options, PreparedModel& model, runtime::Monitor& monitor) {
  absl::StatusOr<std::vector<passes::Sample>> own =
      model.compilation.defaultSamples(std::max<int64_t>(1, options.measured));
  if (own.ok()) {
    model.samples = *std::move(own);
  } else {
    monitor.note(absl::StrCat("exponents and circuit were not tried: ", own.status().message()));
  }
}

absl::Status measure(const ModelOptions& options, PreparedModel& model, runtime::Monitor& monitor) {
  std::vector<passes::Sample> samples = model.samples;
  samples.resize(std::min(samples.size(), static_cast<size_t>(options.measured)));
  if (samples.empty()) return absl::OkStatus();
  monitor.progress("measure the integers");
  if (absl::Status status = model.compilation.quantize(model.exponents); !status.ok())
    return ofModel(model, status);
  absl::StatusOr<passes::Comparison> found =
      model.compilation.compare(withoutTargets(std::move(samples)));
  if (!found.ok()) return ofModel(model, found.status());
  model.measured = *std::move(found);
  return judgeMeasurement(options, model, monitor);
}

// The outputs that get proven. Positions and choices are of one.
absl::Status selectOutputs(const ModelOptions& options, Compilation& compilation,
                           runtime::Monitor& monitor) {
  std::vector<std::string> names = options.outputs;
  const char* one = options.lower.decode         ? "--decode"
                    : options.argmax             ? "--argmax"
                    : options.positions != "all" ? "--positions"
                                                 : nullptr;
  if (one != nullptr && names.size() > 1) {
    return failure(Error::kUsage, absl::StrCat(one, " is of one output: give one --output-name"));
  }
  if (std::vector<std::string> all = compilation.outputNames();
      one != nullptr && names.empty() && all.size() > 1) {
    names = {all.front()};
    all.erase(all.begin());
    monitor.note(absl::StrCat(one, " is of one output, here of '", names[0],
                              "', the first; not proven: ", absl::StrJoin(all, ", "),
                              " (--output-name picks)"));
  }
  if (absl::Status status = compilation.selectOutputs(names); !status.ok())
    return withError(std::move(status), Error::kUsage);
  return absl::OkStatus();
}

void noteUnreadInputs(const ModelFacts& facts, runtime::Monitor& monitor) {
  std::vector<std::string> unread;
  for (const runtime::TensorFacts& input : facts.inputs)
    if (input.unread) unread.push_back(absl::StrCat("'", input.name, "'"));
  if (unread.empty()) return;
  monitor.note(absl::StrCat("no output depends on ", unread.size() == 1 ? "input " : "inputs ",
                            absl::StrJoin(unread, ", "),
                            ": any value will do, and none is proven"));
}

absl::StatusOr<std::vector<PackageFile>> packageFiles(const passes::Exponents& exponents,
                                                      const std::string& tokenizer) {
  std::vector<PackageFile> files = {{runtime::kExponentsFile, passes::toJson(exponents)}};
  if (tokenizer.empty()) return files;
  absl::StatusOr<std::string> bytes = runtime::readFile(tokenizer, kMostJson);
  if (!bytes.ok()) return withError(bytes.status(), Error::kFile);
  files.push_back({runtime::kTokenizerFile, *std::move(bytes)});
  return files;
}

}  // namespace

std::vector<int64_t> laneCounts() { return {1, 2, 4, 8, 16, 32, 64}; }

absl::StatusOr<PreparedModel> importModel(const std::string& path, const ModelOptions& options,
                                          runtime::Monitor& monitor) {
  LINDERO_RETURN_IF_ERROR(checkLanes(options.lower.lanes));
  LINDERO_RETURN_IF_ERROR(checkDecodeOptions(options));
  LINDERO_ASSIGN_OR_RETURN(ImportOptions import, importOptions(options));
  if (std::error_code code; fs::is_directory(path, code)) {
    return failure(Error::kModel, absl::StrCat(path, " is a folder, not an ONNX file"));
  }
  monitor.progress("import");
  absl::StatusOr<Compilation> compilation = Compilation::load(path, import);
  if (!compilation.ok()) return withLoadError(compilation.status());
  PreparedModel model{*std::move(compilation)};
  model.tokenizer_path = runtime::findTokenizer(options.tokenizer, path);
  if (!model.tokenizer_path.empty()) {
    LINDERO_ASSIGN_OR_RETURN(model.tokenizer, runtime::Tokenizer::load(model.tokenizer_path));
  }
  LINDERO_RETURN_IF_ERROR(selectOutputs(options, model.compilation, monitor));
  noteUnreadInputs(model.compilation.facts(), monitor);
  return model;
}

absl::Status calibrateModel(const ModelOptions& options, PreparedModel& model,
                            runtime::Monitor& monitor) {
  LINDERO_RETURN_IF_ERROR(monitor.checkCancelled());
  if (options.exponents.empty()) {
    LINDERO_RETURN_IF_ERROR(calibrateOnSamples(options, model, monitor));
  } else {
    LINDERO_ASSIGN_OR_RETURN(model.exponents, readExponents(options.exponents));
    makeSamples(options, model, monitor);
  }
  LINDERO_RETURN_IF_ERROR(measure(options, model, monitor));
  if (!options.compare.empty()) {
    LINDERO_ASSIGN_OR_RETURN(model.comparison, compareModel(options, model, monitor));
  }
  LINDERO_ASSIGN_OR_RETURN(model.files, packageFiles(model.exponents, model.tokenizer_path));
  return absl::OkStatus();
}

absl::StatusOr<PreparedModel> prepareModel(const std::string& path, const ModelOptions& options,
                                           runtime::Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(PreparedModel model, importModel(path, options, monitor));
  LINDERO_RETURN_IF_ERROR(calibrateModel(options, model, monitor));
  return model;
}

absl::StatusOr<passes::Comparison> compareModel(const ModelOptions& options, PreparedModel& model,
                                                runtime::Monitor& monitor) {
  monitor.progress("compare with the float model");
  LINDERO_RETURN_IF_ERROR(ofModel(model, model.compilation.quantize(model.exponents)));
  LINDERO_ASSIGN_OR_RETURN(std::vector<passes::ComparisonSample> samples,
                           comparisonSamples(options, model.compilation, model.tokenizer));
  absl::StatusOr<passes::Comparison> found = model.compilation.compare(samples);
  if (!found.ok()) return ofModel(model, found.status());
  return found;
}

absl::StatusOr<std::vector<int64_t>> chooseBuckets(const ModelOptions& options,
                                                   const PreparedModel& model) {
  if (!options.lower.decode) return std::vector<int64_t>{0};
  const ModelFacts facts = model.compilation.facts();
  const int64_t context = facts.readsTokens() ? facts.inputs[0].shape[0] : 0;
  if (context == 0) {
    return failure(Error::kUnsupported, absl::StrCat(facts.file, " reads no tokens to decode"));
  }
  if (options.context == "carry") {
    const int64_t block = blockOf(options);
    if (context % block == 0 && context > block) return std::vector<int64_t>{context};
    return failure(Error::kUsage,
                   absl::StrCat("--block ", block, ": the model's ", context,
                                " positions are not two or more whole blocks of ", block));
  }
  std::vector<int64_t> buckets = options.buckets;
  if (buckets.empty()) {
    for (int64_t bucket = kLeastBucket; bucket < context; bucket *= 2) buckets.push_back(bucket);
    buckets.push_back(context);
  }
  std::sort(buckets.begin(), buckets.end());
  buckets.erase(std::unique(buckets.begin(), buckets.end()), buckets.end());
  if (buckets.back() <= context) return buckets;
  return failure(Error::kUsage, absl::StrCat("--buckets ", buckets.back(), ": the model has ",
                                             context, " positions"));
}

// The integer program of what gets proven.
absl::Status quantizeModel(const ModelOptions& options, PreparedModel& model) {
  LINDERO_RETURN_IF_ERROR(ofModel(model, model.compilation.quantize(model.exponents)));
  absl::Status status =
      model.compilation.selectValues(options.positions, options.argmax || options.lower.decode);
  return status.ok() ? status : withError(std::move(status), Error::kUsage);
}

absl::Status lowerModel(const ModelOptions& options, int64_t bucket, PreparedModel& model,
                        runtime::Monitor& monitor) {
  LINDERO_RETURN_IF_ERROR(monitor.checkCancelled());
  Compilation& compilation = model.compilation;
  monitor.progress("quantize");
  if (bucket > 0) LINDERO_RETURN_IF_ERROR(ofModel(model, compilation.setLength(bucket)));
  LINDERO_RETURN_IF_ERROR(quantizeModel(options, model));
  LINDERO_RETURN_IF_ERROR(monitor.checkCancelled());
  monitor.progress("lower");
  const bool carry = options.context == "carry";
  return ofModel(model, compilation.lower(options.lower, carry ? blockOf(options) : 0));
}

absl::StatusOr<CompiledPackage> writePackage(const ModelOptions& options,
                                             const std::vector<int64_t>& buckets,
                                             const runtime::Prover* prover, PreparedModel model,
                                             const std::string& home, runtime::Monitor& monitor) {
  CompiledPackage result;
  std::vector<runtime::Key> keys;
  const std::string key_path = absl::StrCat(home, "/", runtime::kKeyFile);
  // A model can only get shorter.
  for (auto bucket = buckets.rbegin(); bucket != buckets.rend(); ++bucket) {
    LINDERO_RETURN_IF_ERROR(lowerModel(options, *bucket, model, monitor));
    monitor.progress("write the package");
    const std::string path = *bucket > 0 ? runtime::bucketFolder(home, *bucket) : home;
    LINDERO_RETURN_IF_ERROR(runtime::withRunError(model.compilation.write(path, {})));
    LINDERO_ASSIGN_OR_RETURN(OpenedPackage opened, runtime::openPackage(home, *bucket));
    result.circuits.insert(result.circuits.begin(), std::move(opened));
    if (!model.samples.empty()) {
      // Of the whole run, where what was lowered is a block of it.
      if (options.context == "carry") LINDERO_RETURN_IF_ERROR(quantizeModel(options, model));
      LINDERO_RETURN_IF_ERROR(tryCircuit(home, *bucket, model.samples[0],
                                         model.compilation.integerFunction(), monitor));
    }
    if (prover == nullptr) continue;
    const auto start = std::chrono::steady_clock::now();
    LINDERO_ASSIGN_OR_RETURN(runtime::Report report, prover->setup(path, key_path, monitor));
    result.setup_seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    result.setup.insert(result.setup.begin(), std::move(report));
    LINDERO_ASSIGN_OR_RETURN(runtime::KeySet made, runtime::readKeys(key_path));
    keys.insert(keys.begin(), std::move(made.keys.front()));
  }
  for (const PackageFile& file : model.files) {
    const std::string path = absl::StrCat(home, "/", file.name);
    LINDERO_RETURN_IF_ERROR(withError(runtime::writeFile(path, file.bytes), Error::kFile));
  }
  if (prover != nullptr) {
    const std::string set = runtime::encodeKeySet(keys);
    LINDERO_RETURN_IF_ERROR(withError(runtime::writeFile(key_path, set), Error::kFile));
  }
  return result;
}

absl::StatusOr<CompiledModel> compileModel(const std::string& path, const ModelOptions& options,
                                           const runtime::Prover* prover, const std::string& output,
                                           runtime::Monitor& monitor) {
  if (absl::Status status = runtime::checkDestination(output); !status.ok()) {
    return withError(std::move(status), Error::kFile);
  }
  LINDERO_ASSIGN_OR_RETURN(runtime::Scratch scratch, runtime::Scratch::beside(output, monitor));
  LINDERO_ASSIGN_OR_RETURN(PreparedModel model, prepareModel(path, options, monitor));
  CompiledModel compiled;
  compiled.facts = model.compilation.facts();
  compiled.comparison = model.comparison;
  compiled.measured = model.measured;
  LINDERO_ASSIGN_OR_RETURN(compiled.buckets, chooseBuckets(options, model));
  const std::string home = scratch.path("package");
  LINDERO_ASSIGN_OR_RETURN(CompiledPackage package, writePackage(options, compiled.buckets, prover,
                                                                 std::move(model), home, monitor));
  compiled.setup = std::move(package.setup);
  compiled.setup_seconds = package.setup_seconds;
  for (const OpenedPackage& circuit : package.circuits) {
    compiled.costs.push_back(costReport(circuit.package.circuit()));
    compiled.circuits.push_back(circuit.package.circuitDigest());
  }
  if (absl::Status status = runtime::installPackage(home, output); !status.ok()) {
    return withError(std::move(status), Error::kFile);
  }
  return compiled;
}

std::optional<std::pair<int64_t, int64_t>> spanOf(const passes::Exponents& exponents,
                                                  const std::string& name) {
  std::optional<std::pair<int64_t, int64_t>> span;
  for (const passes::ExponentSite& site : exponents.sites) {
    const auto found = site.values.find(name);
    if (found == site.values.end()) continue;
    const int64_t value = found->second;
    if (!span) span.emplace(value, value);
    span->first = std::min(span->first, value);
    span->second = std::max(span->second, value);
  }
  return span;
}

}  // namespace lindero::compiler
