// lindero audit: whether a key is that of a model. The key says how it was made; making it again
// must give the same bytes.
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/claim/key.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/key_file.h"
#include "tools/lindero/package_source.h"
#include "tools/lindero/prover.h"
#include "tools/lindero/scratch.h"

namespace lindero::cli {
namespace {

using runtime::toHex;

// Errors beyond these are said. Ordinary calibrations stay far below.
constexpr double kMostRelativeError = 0.1;
constexpr double kLeastCosine = 0.99;
constexpr size_t kMostNotes = 5;
constexpr int64_t kSamples = 4;  // of the model's own making: each is a run of the interpreter

struct AuditArguments {
  std::string model;
  std::string key;
  std::string compare;
  std::string tokenizer;
  ProverOptions prover;
};

absl::Status rejected(const AuditArguments& arguments, absl::string_view why) {
  return failure(Exit::kRejected, absl::StrCat("REJECTED: ", arguments.key, " is not the key of ",
                                               arguments.model, ": ", why));
}

// How the key says that its model was compiled.
absl::StatusOr<ModelOptions> optionsOf(const runtime::KeySet& keys, const Scratch& scratch) {
  const runtime::ModelRecord& record = keys.model();
  ModelOptions options;
  for (const runtime::DimensionSize& dim : record.options.dims) {
    options.dims.push_back(absl::StrCat(dim.name, "=", dim.size));
  }
  options.exponents = scratch.path(runtime::kExponentsFile);
  LINDERO_RETURN_IF_ERROR(
      withExit(runtime::writeFile(options.exponents, record.exponents.dump()), Exit::kFile));
  options.output = record.options.output;
  options.positions = record.options.positions;
  options.argmax = record.options.argmax;
  options.lower.lanes = record.options.lanes;
  options.lower.decode = record.options.decode;
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
void judgeCalibration(const passes::Comparison& comparison, Context& context) {
  if (comparison.rejected > 0) {
    context.note(absl::StrCat("the key's calibration cannot hold ", comparison.rejected, " of ",
                              comparison.samples,
                              " inputs, which have no proof: ", comparison.first_rejection));
  }
  if (comparison.rows > 0 && comparison.least_cosine < kLeastCosine) {
    context.note(absl::StrFormat(
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
    context.note(
        absl::StrFormat("the key's calibration loses precision at %s (%s): the error is "
                        "%.0f %% of the value",
                        lost[i].node, lost[i].role, 100 * lost[i].relative_rms));
  }
}

// The package with its keys, in `home`.
absl::Status compileAgain(const std::string& path, const ModelOptions& options,
                          const Prover& prover, const std::string& home, Context& context,
                          Summary& summary) {
  ModelOptions preparation = options;
  preparation.compare.clear();  // measured below, with or without inputs of the user's
  LINDERO_ASSIGN_OR_RETURN(PreparedModel model, prepareModel(path, preparation, context, summary));
  absl::StatusOr<passes::Comparison> comparison =
      measureModel(path, options, model, context, summary);
  if (comparison.ok()) {
    judgeCalibration(*comparison, context);
  } else if (!options.compare.empty()) {
    return comparison.status();
  } else {
    context.note(
        absl::StrCat("the key's calibration was not measured: ", comparison.status().message()));
  }
  LINDERO_ASSIGN_OR_RETURN(const std::vector<int64_t> buckets, chooseBuckets(options, model));
  return compilePackage(options, buckets, &prover, std::move(model), home, context).status();
}

// Another blowup than these is none of `lindero compile`, and shows as a difference.
ProverOptions proverOptions(const runtime::Key& key, ProverOptions options) {
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
  if (key.circuit_digest != again.circuit_digest) {
    return absl::StrCat("its circuit is ", toHex(key.circuit_digest), ", the model's is ",
                        toHex(again.circuit_digest));
  }
  if (key.fixed_root != again.fixed_root) {
    return absl::StrCat("its weights have the root ", toHex(key.fixed_root), ", the model's ",
                        toHex(again.fixed_root));
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

absl::Status audit(const AuditArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(runtime::KeySet keys, readKeys(arguments.key));
  absl::StatusOr<runtime::Digest> onnx = runtime::sha256File(arguments.model);
  if (!onnx.ok()) return withExit(onnx.status(), Exit::kFile);
  if (*onnx != keys.model().onnx) {
    return rejected(arguments, absl::StrCat("the file is ", toHex(*onnx), ", the key is of ",
                                            toHex(keys.model().onnx)));
  }
  // No command line has others, and tables of 10^8 lanes would take all time and memory.
  const std::vector<int64_t> lanes = laneCounts();
  if (const int64_t own = keys.model().options.lanes;
      std::find(lanes.begin(), lanes.end(), own) == lanes.end()) {
    return rejected(arguments, absl::StrCat("it says that it was compiled with ", own,
                                            " lanes, which `lindero compile` does not take"));
  }
  LINDERO_ASSIGN_OR_RETURN(Prover prover,
                           Prover::find(proverOptions(keys.keys.front(), arguments.prover)));
  LINDERO_ASSIGN_OR_RETURN(Scratch scratch, Scratch::temporary());
  LINDERO_ASSIGN_OR_RETURN(ModelOptions options, optionsOf(keys, scratch));
  options.compare = arguments.compare;
  options.tokenizer = arguments.tokenizer;
  options.samples = kSamples;
  Stopwatch watch;
  Summary summary;
  const std::string home = scratch.path("package");
  if (absl::Status status = compileAgain(arguments.model, options, prover, home, context, summary);
      !status.ok()) {
    if (exitOf(status) == Exit::kProverFailed) return status;
    return rejected(arguments, absl::StrCat("the model cannot be compiled as the key says: ",
                                            status.message()));
  }
  LINDERO_ASSIGN_OR_RETURN(runtime::KeySet again,
                           readKeys(absl::StrCat(home, "/", runtime::kKeyFile)));
  if (std::string found = difference(keys, again); !found.empty()) {
    return rejected(arguments, found);
  }
  summary.add("verdict", "verdict", "confirmed",
              "CONFIRMED: this key is this model, byte for byte");
  summary.add("id", "id", toHex(keys.model().id), toHex(keys.model().id));
  summary.add("onnx", "ONNX file", toHex(*onnx), toHex(*onnx));
  Json list = Json::array();
  for (const runtime::Key& key : keys.keys) {
    list.push_back({{"bucket", key.model.bucket}, {"digest", toHex(key.digest)}});
    summary.addLine(
        "key", absl::StrCat(toHex(key.digest), ", for ", countOf(key.model.bucket, "position")));
  }
  summary.addData("keys", std::move(list));
  summary.addSeconds("seconds", "audited in", watch.seconds());
  context.result("audit", summary);
  return absl::OkStatus();
}

}  // namespace

void addAudit(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<AuditArguments>();
  CLI::App* command =
      app.add_subcommand("audit", "Compile a model again: is this key the key of this model?");
  command->add_option("model", arguments->model, "ONNX file")->required();
  command->add_option("--key", arguments->key, "Verifying key")->required();
  command->add_option("--compare", arguments->compare,
                      "Measure the key's calibration on these inputs: a text, or arrays (.json, "
                      ".npz); default: inputs of the model's own making");
  command->add_option("--tokenizer", arguments->tokenizer,
                      "For a text (default: tokenizer.json beside the model)");
  command->add_option("--threads", arguments->prover.threads, "0: one per processor")
      ->check(CLI::Range(0, 1024));
  addBackendOption(*command, arguments->prover);
  command->callback([arguments, &chosen] {
    chosen = [arguments](Context& context) { return audit(*arguments, context); };
  });
}

}  // namespace lindero::cli
