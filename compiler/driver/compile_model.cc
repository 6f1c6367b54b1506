#include "compiler/driver/compile_model.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "compiler/driver/errors.h"
#include "compiler/driver/try_circuit.h"
#include "passes/plugin.h"
#include "runtime/claim/key_file.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/files.h"
#include "runtime/package/package.h"
#include "runtime/package/package_writer.h"
#include "runtime/package/status_macros.h"

namespace lindero::compiler {
namespace {

namespace fs = std::filesystem;

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

// Once each: a plugin stays loaded.
absl::Status loadPlugins(const std::vector<std::string>& plugins) {
  static std::set<std::string> loaded;
  for (const std::string& plugin : plugins) {
    if (!loaded.insert(plugin).second) continue;
    if (absl::Status status = passes::loadPassPlugin(plugin); !status.ok()) {
      return withError(std::move(status), Error::kUsage);
    }
  }
  return absl::OkStatus();
}

absl::Status checkBoundaries(const ModelOptions& options) {
  if (options.boundaries.empty() || !options.lower.decode) return absl::OkStatus();
  return failure(Error::kUsage,
                 "--boundaries: a decode run is one proof, or one for each block of its steps: "
                 "--context=carry");
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

}  // namespace

std::vector<int64_t> laneCounts() { return {1, 2, 4, 8, 16, 32, 64}; }

absl::StatusOr<PreparedModel> importModel(const std::string& path, const ModelOptions& options,
                                          runtime::Monitor& monitor) {
  LINDERO_RETURN_IF_ERROR(checkLanes(options.lower.lanes));
  LINDERO_RETURN_IF_ERROR(checkDecodeOptions(options));
  LINDERO_RETURN_IF_ERROR(checkBoundaries(options));
  LINDERO_ASSIGN_OR_RETURN(ImportOptions import, importOptions(options));
  if (std::error_code code; fs::is_directory(path, code)) {
    return failure(Error::kModel, absl::StrCat(path, " is a folder, not an ONNX file"));
  }
  LINDERO_RETURN_IF_ERROR(loadPlugins(options.plugins));
  monitor.progress("import");
  absl::StatusOr<Compilation> compilation = Compilation::load(path, import);
  if (!compilation.ok()) return withLoadError(compilation.status());
  PreparedModel model{*std::move(compilation)};
  model.tokenizer_path = runtime::findTokenizer(options.tokenizer, path);
  if (!model.tokenizer_path.empty()) {
    LINDERO_ASSIGN_OR_RETURN(model.tokenizer, runtime::Tokenizer::load(model.tokenizer_path));
  }
  LINDERO_RETURN_IF_ERROR(selectOutputs(options, model.compilation, monitor));
  for (const std::string& note : model.compilation.fileNotes()) monitor.note(note);
  noteUnreadInputs(model.compilation.facts(), monitor);
  return model;
}

absl::StatusOr<PreparedModel> prepareModel(const std::string& path, const ModelOptions& options,
                                           runtime::Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(PreparedModel model, importModel(path, options, monitor));
  LINDERO_RETURN_IF_ERROR(calibrateModel(options, model, monitor));
  return model;
}

absl::StatusOr<std::vector<int64_t>> chooseBuckets(const ModelOptions& options,
                                                   const PreparedModel& model) {
  if (!options.lower.decode) return std::vector<int64_t>{0};
  const ModelFacts facts = model.compilation.facts();
  const int64_t context = facts.readsTokens() ? facts.inputs[0].shape[0] : 0;
  if (context == 0) {
    return failure(Error::kUnsupported, absl::StrCat(facts.file, " reads no tokens to decode"));
  }
  if (!facts.causal) {
    return failure(Error::kUnsupported,
                   absl::StrCat(facts.file, ": ", model.compilation.whyNotCausal(),
                                ": no decode run; prove its choices for given tokens (--argmax)"));
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
  LINDERO_RETURN_IF_ERROR(
      withModelError(model.compilation.quantize(model.exponents), model.compilation.file()));
  absl::Status status =
      model.compilation.selectValues(options.positions, options.argmax || options.lower.decode);
  return status.ok() ? status : withError(std::move(status), Error::kUsage);
}

absl::Status lowerModel(const ModelOptions& options, int64_t bucket, PreparedModel& model,
                        runtime::Monitor& monitor) {
  LINDERO_RETURN_IF_ERROR(monitor.checkCancelled());
  Compilation& compilation = model.compilation;
  monitor.progress("quantize");
  if (bucket > 0)
    LINDERO_RETURN_IF_ERROR(
        withModelError(compilation.setLength(bucket), model.compilation.file()));
  LINDERO_RETURN_IF_ERROR(quantizeModel(options, model));
  LINDERO_RETURN_IF_ERROR(monitor.checkCancelled());
  monitor.progress("lower");
  const bool carry = options.context == "carry";
  const Boundaries boundaries{carry ? blockOf(options) : 0, options.boundaries, options.segments};
  return withModelError(compilation.lower(options.lower, boundaries), model.compilation.file());
}

absl::StatusOr<CompiledPackage> writePackage(const ModelOptions& options,
                                             const std::vector<int64_t>& buckets,
                                             const runtime::Prover* prover, PreparedModel& model,
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
  LINDERO_ASSIGN_OR_RETURN(CompiledPackage package,
                           writePackage(options, compiled.buckets, prover, model, home, monitor));
  compiled.setup = std::move(package.setup);
  compiled.setup_seconds = package.setup_seconds;
  for (const OpenedPackage& circuit : package.circuits) {
    compiled.costs.push_back(bundleCosts(circuit.bundle));
    compiled.members.push_back(memberCosts(circuit.bundle));
    compiled.circuits.push_back(circuit.bundle.circuitDigests());
    compiled.bundles.push_back(runtime::bundleDigest(circuit.bundle.bundle));
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
