#include "compiler/audit/audit.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "compiler/driver/errors.h"
#include "runtime/claim/key_file.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/files.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"

namespace lindero::compiler {
namespace {

using runtime::toHex;

// Errors beyond these are said. Ordinary calibrations stay far below.
constexpr double kMostRelativeError = 0.1;
constexpr double kLeastCosine = 0.99;
constexpr size_t kMostNotes = 5;
// Of an input. No circuit of more has been proven.
constexpr int64_t kMostElements = int64_t{1} << 26;
constexpr int64_t kSamples = 4;  // of the model's own making: each is a run of the interpreter

absl::Status rejected(const AuditFiles& files, absl::string_view why) {
  return failure(Error::kRejected, absl::StrCat("REJECTED: ", files.key, " is not the key of ",
                                                files.model, ": ", why));
}

absl::Status checkElements(const std::string& input, double elements) {
  if (elements >= 0 && elements <= static_cast<double>(kMostElements)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "input '%s' has %.0f elements; at most %d are audited", input, elements, kMostElements));
}

// What the key's circuits read, and what it says that nothing reads. A key may ask for any sizes:
// others than these are none of its model, and would take all time and memory to find out.
absl::Status limitInputs(const runtime::KeySet& keys, ModelOptions& options) {
  const runtime::ModelRecord& record = keys.model();
  options.most_elements = kMostElements;
  if (record.options.decode) {
    options.most_elements = std::min(record.context, kMostElements);
  } else {
    for (const Circuit* circuit : keys.keys.front().memberCircuits()) {
      for (const PublicTensor& tensor : circuit->publics()) {
        if (tensor.kind() == PublicTensor::INPUT)
          options.elements[tensor.name()] = int64_t{tensor.rows()} * tensor.columns();
      }
    }
  }
  for (const runtime::TensorShape& input : record.unread) {
    double elements = 1;
    for (int64_t size : input.shape) elements *= static_cast<double>(size);
    LINDERO_RETURN_IF_ERROR(checkElements(input.name, elements));
    options.elements.try_emplace(input.name, static_cast<int64_t>(elements));
  }
  for (const auto& [name, elements] : options.elements)
    LINDERO_RETURN_IF_ERROR(checkElements(name, static_cast<double>(elements)));
  return absl::OkStatus();
}

// How the key says that its model was compiled.
absl::StatusOr<ModelOptions> optionsOf(const runtime::KeySet& keys,
                                       const runtime::Scratch& scratch) {
  const runtime::ModelRecord& record = keys.model();
  ModelOptions options;
  for (const runtime::DimensionSize& dim : record.options.dims) {
    options.dims.push_back(absl::StrCat(dim.name, "=", dim.size));
  }
  options.exponents = scratch.path(runtime::kExponentsFile);
  LINDERO_RETURN_IF_ERROR(
      withError(runtime::writeFile(options.exponents, record.exponents.dump()), Error::kFile));
  options.outputs = record.options.outputs;
  options.positions = record.options.positions;
  options.argmax = record.options.argmax;
  options.lower.lanes = record.options.lanes;
  options.lower.decode = record.options.decode;
  options.lower.prefer =
      passes::preferNamed(record.options.prefer).value_or(passes::Prefer::kBalance);
  options.segments = record.options.segments;
  if (record.options.block > 0) {
    options.context = "carry";
    options.block = record.options.block;
    return options;
  }
  for (const runtime::Key& key : keys.keys) {
    if (record.options.decode) options.buckets.push_back(key.model.bucket);
  }
  return options;
}

// A key may embody any exponents, also absurd ones: what is proven is still what they say.
void judgeCalibration(const passes::Comparison& comparison, runtime::Monitor& monitor) {
  if (comparison.rejected > 0) {
    monitor.note(absl::StrCat("the key's calibration cannot hold ", comparison.rejected, " of ",
                              comparison.samples,
                              " inputs, which have no proof: ", comparison.first_rejection));
  }
  if (comparison.rows > 0 && comparison.least_cosine < kLeastCosine) {
    monitor.note(absl::StrFormat(
        "the key's calibration loses precision: a row of the output has a cosine of %.4f with the "
        "float model's",
        comparison.least_cosine));
  }
  std::vector<passes::TensorError> lost;
  for (const passes::TensorError& tensor : comparison.tensors) {
    if (tensor.relative_rms > kMostRelativeError) lost.push_back(tensor);
  }
  std::stable_sort(lost.begin(), lost.end(),
                   [](const auto& a, const auto& b) { return a.relative_rms > b.relative_rms; });
  for (size_t i = 0; i < std::min(lost.size(), kMostNotes); ++i) {
    monitor.note(
        absl::StrFormat("the key's calibration loses precision at %s (%s): the error is "
                        "%.0f %% of the value",
                        lost[i].node, lost[i].role, 100 * lost[i].relative_rms));
  }
}

// The package with its keys, in `home`.
absl::Status compileAgain(const std::string& path, const ModelOptions& options,
                          const runtime::Prover& prover, const std::string& home,
                          runtime::Monitor& monitor, Audit& audit) {
  ModelOptions preparation = options;
  preparation.compare.clear();  // measured below, with or without inputs of the user's
  LINDERO_ASSIGN_OR_RETURN(PreparedModel model, prepareModel(path, preparation, monitor));
  audit.facts = model.compilation.facts();
  audit.exponents = model.exponents;
  absl::StatusOr<passes::Comparison> comparison = compareModel(options, model, monitor);
  if (comparison.ok()) {
    judgeCalibration(*comparison, monitor);
    audit.comparison = *std::move(comparison);
  } else if (!options.compare.empty()) {
    return comparison.status();
  } else {
    monitor.note(
        absl::StrCat("the key's calibration was not measured: ", comparison.status().message()));
  }
  LINDERO_ASSIGN_OR_RETURN(const std::vector<int64_t> buckets, chooseBuckets(options, model));
  return writePackage(options, buckets, &prover, model, home, monitor).status();
}

// Another blowup than these is none of `lindero compile`, and shows as a difference.
runtime::ProverOptions proverOptions(const runtime::Key& key, runtime::ProverOptions options) {
  const VerifyingKey& message = key.message;
  options.security_bits = message.security().bits();
  options.regime = runtime::regimeName(message.security().regime());
  options.prefer = message.stwo().log_blowup() == 1   ? "speed"
                   : message.stwo().log_blowup() == 3 ? "size"
                                                      : "balance";
  return options;
}

// What of the key is another than in the one that was made again.
std::string difference(const runtime::Key& key, const runtime::Key& again) {
  if (key.message.model() != again.message.model()) {
    return absl::StrCat("what it says about the model does not come out again",
                        key.model.compiler == again.model.compiler
                            ? ""
                            : absl::StrCat("; it was made by version ", key.model.compiler,
                                           ", this is ", again.model.compiler));
  }
  if (key.members.size() != again.members.size()) {
    return absl::StrCat("it has ", key.members.size(), " members, the model ",
                        again.members.size());
  }
  for (size_t m = 0; m < key.members.size(); ++m) {
    const runtime::KeyMember &ours = key.members[m], &theirs = again.members[m];
    if (ours.circuit_digest != theirs.circuit_digest) {
      return absl::StrCat("its circuit is ", toHex(ours.circuit_digest), ", the model's is ",
                          toHex(theirs.circuit_digest));
    }
    if (ours.fixed_root != theirs.fixed_root) {
      return absl::StrCat("its weights have the root ", toHex(ours.fixed_root), ", the model's ",
                          toHex(theirs.fixed_root));
    }
  }
  if (runtime::serializeProto(key.message.bundle()) !=
      runtime::serializeProto(again.message.bundle())) {
    return "its links or steps are not the model's";
  }
  return "its parameters are not those that its security asks for";
}

// The same of a set, by its first key that differs; empty: all of it comes out again.
std::string difference(const runtime::KeySet& keys, const runtime::KeySet& again) {
  if (keys.keys.size() != again.keys.size()) {
    return absl::StrCat("it has ", keys.keys.size(), " keys, the model has ", again.keys.size());
  }
  for (size_t i = 0; i < keys.keys.size(); ++i) {
    if (keys.keys[i].digest == again.keys[i].digest) continue;
    return absl::StrCat("bucket ", keys.keys[i].model.bucket, ": ",
                        difference(keys.keys[i], again.keys[i]));
  }
  return "";
}

}  // namespace

absl::StatusOr<Audit> auditKey(const AuditFiles& files,
                               const runtime::ProverOptions& prover_options,
                               runtime::Monitor& monitor) {
  Audit audit;
  LINDERO_ASSIGN_OR_RETURN(audit.keys, runtime::readKeys(files.key));
  const runtime::ModelRecord& record = audit.keys.model();
  absl::StatusOr<runtime::Digest> onnx = runtime::sha256File(files.model);
  if (!onnx.ok()) return withError(onnx.status(), Error::kFile);
  if (*onnx != record.onnx) {
    return rejected(
        files, absl::StrCat("the file is ", toHex(*onnx), ", the key is of ", toHex(record.onnx)));
  }
  // No command line has others, and tables of 10^8 lanes would take all time and memory.
  const std::vector<int64_t> lanes = laneCounts();
  if (const int64_t own = record.options.lanes;
      std::find(lanes.begin(), lanes.end(), own) == lanes.end()) {
    return rejected(files, absl::StrCat("it says that it was compiled with ", own,
                                        " lanes, which `lindero compile` does not take"));
  }
  if (!passes::preferNamed(record.options.prefer)) {
    return rejected(files,
                    absl::StrCat("it says that it was compiled with a preference for ",
                                 record.options.prefer, ", which `lindero compile` does not know"));
  }
  LINDERO_ASSIGN_OR_RETURN(runtime::Prover prover, runtime::Prover::find(proverOptions(
                                                       audit.keys.keys.front(), prover_options)));
  LINDERO_ASSIGN_OR_RETURN(runtime::Scratch scratch, runtime::Scratch::temporary(monitor));
  LINDERO_ASSIGN_OR_RETURN(ModelOptions options, optionsOf(audit.keys, scratch));
  options.compare = files.compare;
  options.tokenizer = files.tokenizer;
  options.samples = kSamples;
  options.measured = 0;  // compareModel does
  if (absl::Status status = limitInputs(audit.keys, options); !status.ok())
    return rejected(files, status.message());
  const std::string home = scratch.path("package");
  if (absl::Status status = compileAgain(files.model, options, prover, home, monitor, audit);
      !status.ok()) {
    const Error kind = errorOf(status);
    if (kind == Error::kProverFailed || kind == Error::kCancelled) return status;
    return rejected(
        files, absl::StrCat("the model cannot be compiled as the key says: ", status.message()));
  }
  LINDERO_ASSIGN_OR_RETURN(runtime::KeySet again,
                           runtime::readKeys(absl::StrCat(home, "/", runtime::kKeyFile)));
  if (std::string found = difference(audit.keys, again); !found.empty()) {
    return rejected(files, found);
  }
  return audit;
}

}  // namespace lindero::compiler
