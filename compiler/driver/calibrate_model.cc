// Samples, exponents, and what the integers lose.

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "compiler/driver/compile_model.h"
#include "compiler/driver/errors.h"
#include "compiler/driver/samples.h"
#include "llvm/ADT/STLExtras.h"
#include "runtime/package/files.h"
#include "runtime/package/package.h"
#include "runtime/package/status_macros.h"

namespace lindero::compiler {
namespace {

constexpr uint64_t kMostJson = 64 << 20;

absl::Status needTokenizer(const std::optional<runtime::Tokenizer>& tokenizer,
                           const std::string& path) {
  if (tokenizer) return absl::OkStatus();
  return failure(Error::kInput,
                 absl::StrCat(path,
                              ": a text needs a tokenizer: give --tokenizer tokenizer.json, "
                              "or arrays of token ids (.json, .npz)"));
}

absl::StatusOr<std::vector<passes::Sample>> givenSamples(
    const ModelOptions& options, const Compilation& compilation,
    const std::optional<runtime::Tokenizer>& tokenizer, runtime::Monitor& monitor) {
  const ModelFacts facts = compilation.facts();
  const MostSamples most{options.samples, "--samples"};
  if (isArrayFile(options.calibrate)) {
    return readArraySamples(options.calibrate, facts, most, monitor);
  }
  LINDERO_RETURN_IF_ERROR(needTokenizer(tokenizer, options.calibrate));
  LINDERO_ASSIGN_OR_RETURN(auto windows,
                           readTextSamples(options.calibrate, facts, *tokenizer, most, monitor));
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

std::vector<passes::ComparisonSample> withoutTargets(std::vector<passes::Sample> inputs) {
  std::vector<passes::ComparisonSample> samples;
  for (passes::Sample& input : inputs) samples.push_back({std::move(input), {}});
  return samples;
}

absl::StatusOr<std::vector<passes::ComparisonSample>> comparisonSamples(
    const ModelOptions& options, const Compilation& compilation,
    const std::optional<runtime::Tokenizer>& tokenizer, runtime::Monitor& monitor) {
  if (options.compare.empty()) {
    absl::StatusOr<std::vector<passes::Sample>> inputs =
        compilation.defaultSamples(options.samples);
    if (!inputs.ok()) return withModelError(inputs.status());
    return withoutTargets(*std::move(inputs));
  }
  const ModelFacts facts = compilation.facts();
  const MostSamples most{options.windows, "--windows"};
  if (isArrayFile(options.compare)) {
    LINDERO_ASSIGN_OR_RETURN(std::vector<passes::Sample> inputs,
                             readArraySamples(options.compare, facts, most, monitor));
    return withoutTargets(std::move(inputs));
  }
  LINDERO_RETURN_IF_ERROR(needTokenizer(tokenizer, options.compare));
  return readTextSamples(options.compare, facts, *tokenizer, most, monitor);
}

// What lost the precision: the nodes at which a row is gone, or the one that is worst.
std::vector<const passes::TensorError*> lossesOf(const passes::Comparison& found) {
  std::vector<const passes::TensorError*> lost = passes::lostTensors(found);
  if (!lost.empty()) return lost;
  for (const passes::TensorError& tensor : found.tensors)
    if (lost.empty() || tensor.rows.largest_error > lost[0]->rows.largest_error) lost = {&tensor};
  return lost;
}

// A remedy where masks leave the bits of other numbers no room.
std::string adviceOnMasks(const passes::Comparison& found) {
  const bool masked = llvm::any_of(lossesOf(found),
                                   [](const passes::TensorError* lost) { return lost->masks > 0; });
  if (!masked) return "";
  return "; choices of what masks leave open (ArgMax, TopK, ReduceMax) are exact, but masked "
         "numbers have no room as an output, or in other ops: leave the mask out of these";
}

// The first of them, in words.
std::string describeLoss(const passes::Comparison& found) {
  constexpr size_t kMost = 3;
  std::vector<std::string> words;
  for (const passes::TensorError* tensor : lossesOf(found)) {
    if (words.size() == kMost) break;
    const std::string masks =
        tensor->masks > 0 ? absl::StrFormat(" beside numbers of %g", tensor->masks) : "";
    words.push_back(absl::StrFormat("%s (%s: a row is off by %.0f %%%s)", tensor->node,
                                    tensor->role, 100 * tensor->rows.largest_error, masks));
  }
  return absl::StrJoin(words, ", ");
}

// Single precision, in which the model is made to run, is to give what double precision gives,
// which the integers are compared with.
absl::Status judgeRounding(const ModelOptions& options, const PreparedModel& model,
                           const passes::Comparison& found,
                           llvm::ArrayRef<passes::Sample> samples) {
  const std::vector<std::string> beyond = passes::beyondLimits(found.rounded, options.precision);
  if (beyond.empty()) return absl::OkStatus();
  const std::string node = model.compilation.firstRounded(samples, options.precision);
  return failure(
      Error::kImprecise,
      absl::StrCat(
          model.compilation.file(), ": ", node.empty() ? "" : absl::StrCat(node, ": "),
          "single precision, in which the model is made to run, does not determine what it "
          "computes: beside double precision, ",
          absl::StrJoin(beyond, "; "),
          "; keep numbers within its range, and do not take small ones from sums with "
          "large ones"));
}

absl::Status judgeMeasurement(const ModelOptions& options, const PreparedModel& model,
                              runtime::Monitor& monitor) {
  const passes::Comparison& found = *model.measured;
  const std::vector<std::string> beyond = passes::beyondLimits(found.outputs, options.precision);
  const bool given = !options.exponents.empty();
  if (!given && found.rejected > 0 && found.rejected == found.samples) {
    return failure(Error::kUnsupported,
                   absl::StrCat(model.compilation.file(),
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
  const std::string what =
      absl::StrCat(model.compilation.file(), ": ", absl::StrJoin(beyond, "; "), "; measured on ",
                   model.run_input ? "this run's input" : absl::StrCat(found.samples, " samples"),
                   "; lost at ", describeLoss(found));
  if (given) {
    monitor.note(absl::StrCat(what,
                              "; these are inputs of our own making, not those that the "
                              "exponents come from: see --compare"));
    return absl::OkStatus();
  }
  return failure(Error::kImprecise,
                 absl::StrCat(what, adviceOnMasks(found),
                              "; give more bits (--precise; one by one --activation-bits, "
                              "--weight-bits), inputs like those to prove (--calibrate), or wider "
                              "limits (--min-cosine, --max-error)"));
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

// What is chosen is right or wrong: where it costs little, all samples of it are looked at.
size_t samplesToMeasure(const ModelOptions& options, const PreparedModel& model) {
  constexpr int64_t kFewParameters = int64_t{1} << 20;
  constexpr size_t kMany = 16;  // at a time: they are small
  const ModelFacts& facts = model.compilation.facts();
  const bool chosen =
      llvm::any_of(facts.outputs, [](const TensorFacts& output) { return output.integer; });
  const bool small = facts.parameters <= kFewParameters &&
                     passes::samplesAtATime(model.compilation.floatFunction()) >= kMany;
  // A sample is run in double and in single precision and in integers, and all their values are
  // compared: that takes as long as some runs.
  constexpr int64_t kRuns = 8;
  const auto measured = static_cast<size_t>(passes::affordableSamples(
      model.compilation.floatFunction(), options.measured, /*least=*/1, kRuns));
  return chosen && small && measured > 0 ? model.samples.size()
                                         : std::min(model.samples.size(), measured);
}

absl::Status measure(const ModelOptions& options, PreparedModel& model, runtime::Monitor& monitor) {
  std::vector<passes::Sample> samples = model.samples;
  samples.resize(samplesToMeasure(options, model));
  if (samples.empty()) return absl::OkStatus();
  monitor.progress("measure the integers");
  if (absl::Status status = model.compilation.quantize(model.exponents); !status.ok())
    return withModelError(status, model.compilation.file());
  absl::StatusOr<passes::Comparison> found = model.compilation.compare(withoutTargets(samples));
  if (!found.ok()) return withModelError(found.status(), model.compilation.file());
  model.measured = *std::move(found);
  if (absl::Status status = judgeRounding(options, model, *model.measured, samples); !status.ok()) {
    if (options.exponents.empty()) return status;
    monitor.note(std::string(status.message()));  // on inputs of our own making
  }
  return judgeMeasurement(options, model, monitor);
}

// Chooses exponents on the samples and the run's input, and measures what integers lose with them.
absl::Status tryOn(std::vector<passes::Sample> samples, const ModelOptions& options,
                   PreparedModel& model, runtime::Monitor& monitor) {
  LINDERO_RETURN_IF_ERROR(monitor.checkCancelled());
  monitor.progress("calibrate");
  if (model.run_input) samples.push_back(*model.run_input);
  absl::StatusOr<passes::Exponents> exponents =
      model.compilation.calibrate(samples, options.quantize);
  if (!exponents.ok()) return withModelError(exponents.status(), model.compilation.file());
  model.exponents = *std::move(exponents);
  // A run is judged by its own input: ranges that have to hold it may be too wide for others.
  model.samples = std::move(samples);
  if (model.run_input) model.samples = {*model.run_input};
  return measure(options, model, monitor);
}

// Inputs of our own making may be none that the model is made for: where they do not do, a run's
// input does alone.
absl::Status calibrateOnOwn(const ModelOptions& options, PreparedModel& model,
                            runtime::Monitor& monitor) {
  absl::StatusOr<std::vector<passes::Sample>> own = model.compilation.defaultSamples(
      passes::affordableSamples(model.compilation.floatFunction(), options.samples, /*least=*/4));
  absl::Status status =
      own.ok() ? tryOn(*std::move(own), options, model, monitor) : withModelError(own.status());
  if (!model.run_input) {
    monitor.note(
        "no --calibrate: ranges come from inputs of our own making; calibrate with typical "
        "inputs for better accuracy");
    return status;
  }
  const bool alone = !status.ok() && tryOn({}, options, model, monitor).ok();
  monitor.note(absl::StrCat("ranges come from ", alone ? "" : "inputs of our own making and from ",
                            "this run's input", alone ? " alone" : "",
                            ", of which the key shows something; for a key to publish, "
                            "`lindero compile` first"));
  return alone ? absl::OkStatus() : status;
}

absl::Status calibrateOnGiven(const ModelOptions& options, PreparedModel& model,
                              runtime::Monitor& monitor) {
  if (model.run_input) {
    monitor.note(
        "ranges come from --calibrate and from this run's input, of which the key shows something; "
        "for a key to publish, `lindero compile` first");
  }
  absl::StatusOr<std::vector<passes::Sample>> given =
      givenSamples(options, model.compilation, model.tokenizer, monitor);
  if (!given.ok()) return withModelError(given.status());
  return tryOn(*std::move(given), options, model, monitor);
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

absl::Status calibrateModel(const ModelOptions& options, PreparedModel& model,
                            runtime::Monitor& monitor) {
  LINDERO_RETURN_IF_ERROR(monitor.checkCancelled());
  if (!options.exponents.empty()) {
    LINDERO_ASSIGN_OR_RETURN(model.exponents, readExponents(options.exponents));
    makeSamples(options, model, monitor);
    LINDERO_RETURN_IF_ERROR(measure(options, model, monitor));
  } else if (options.calibrate.empty()) {
    LINDERO_RETURN_IF_ERROR(calibrateOnOwn(options, model, monitor));
  } else {
    LINDERO_RETURN_IF_ERROR(calibrateOnGiven(options, model, monitor));
  }
  if (!options.compare.empty()) {
    LINDERO_ASSIGN_OR_RETURN(model.comparison, compareModel(options, model, monitor));
  }
  LINDERO_ASSIGN_OR_RETURN(model.files, packageFiles(model.exponents, model.tokenizer_path));
  return absl::OkStatus();
}

absl::StatusOr<passes::Comparison> compareModel(const ModelOptions& options, PreparedModel& model,
                                                runtime::Monitor& monitor) {
  monitor.progress("compare with the float model");
  LINDERO_RETURN_IF_ERROR(
      withModelError(model.compilation.quantize(model.exponents), model.compilation.file()));
  LINDERO_ASSIGN_OR_RETURN(std::vector<passes::ComparisonSample> samples,
                           comparisonSamples(options, model.compilation, model.tokenizer, monitor));
  absl::StatusOr<passes::Comparison> found = model.compilation.compare(samples);
  if (!found.ok()) return withModelError(found.status(), model.compilation.file());
  std::vector<passes::Sample> inputs;
  for (passes::ComparisonSample& sample : samples) inputs.push_back(std::move(sample.inputs));
  LINDERO_RETURN_IF_ERROR(judgeRounding(options, model, *found, inputs));
  return found;
}

}  // namespace lindero::compiler
