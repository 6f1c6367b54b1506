// lindero audit: whether a key is that of a model. The key says how it was made; making it again
// must give the same bytes.
#include <memory>

#include "absl/strings/str_cat.h"
#include "runtime/claim/key.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"
#include "tools/lindero/prover.h"
#include "tools/lindero/scratch.h"

namespace lindero::cli {
namespace {

using runtime::toHex;

constexpr uint64_t kMostKey = uint64_t{1} << 31;

struct AuditArguments {
  std::string model;
  std::string key;
  ProverOptions prover;
};

absl::StatusOr<runtime::KeySet> readKeys(const std::string& path, std::string& bytes) {
  absl::StatusOr<std::string> read = runtime::readFile(path, kMostKey);
  if (!read.ok()) return withExit(read.status(), Exit::kFile);
  bytes = *std::move(read);
  absl::StatusOr<runtime::KeySet> keys = runtime::decodeKeySet(bytes);
  if (keys.ok()) return keys;
  return failure(Exit::kPackage, absl::StrCat(path, ": ", keys.status().message()));
}

absl::Status rejected(const AuditArguments& arguments, absl::string_view why) {
  return failure(Exit::kRejected, absl::StrCat("REJECTED: ", arguments.key, " is not the key of ",
                                               arguments.model, ": ", why));
}

// How the key says that its model was compiled.
absl::StatusOr<ModelOptions> optionsOf(const runtime::ModelRecord& record, const Scratch& scratch) {
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
  return options;
}

// Another blowup than these is none of `lindero compile`, and shows as a difference.
ProverOptions proverOptions(const runtime::Key& key, ProverOptions options) {
  const VerifyingKey& message = key.message;
  options.security_bits = message.security().bits();
  options.regime = message.security().regime() == SecurityTarget::PROVEN ? "proven" : "conjectured";
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

absl::Status audit(const AuditArguments& arguments, Context& context) {
  std::string given, made;
  LINDERO_ASSIGN_OR_RETURN(runtime::KeySet keys, readKeys(arguments.key, given));
  const runtime::Key& key = keys.keys.front();
  absl::StatusOr<runtime::Digest> onnx = runtime::sha256File(arguments.model);
  if (!onnx.ok()) return withExit(onnx.status(), Exit::kFile);
  if (*onnx != key.model.onnx) {
    return rejected(arguments, absl::StrCat("the file is ", toHex(*onnx), ", the key is of ",
                                            toHex(key.model.onnx)));
  }
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(proverOptions(key, arguments.prover)));
  LINDERO_ASSIGN_OR_RETURN(Scratch scratch, Scratch::temporary());
  LINDERO_ASSIGN_OR_RETURN(ModelOptions options, optionsOf(key.model, scratch));
  Stopwatch watch;
  Summary summary;
  absl::StatusOr<OpenedPackage> opened =
      openSource(arguments.model, options, scratch, context, summary);
  if (!opened.ok()) {
    return rejected(arguments, absl::StrCat("the model cannot be compiled as the key says: ",
                                            opened.status().message()));
  }
  std::string path = scratch.path(runtime::kKeyFile);
  LINDERO_RETURN_IF_ERROR(prover.setup(opened->path, path, context).status());
  LINDERO_ASSIGN_OR_RETURN(runtime::KeySet again, readKeys(path, made));
  if (made != given) return rejected(arguments, difference(key, again.keys.front()));
  summary.add("verdict", "verdict", "confirmed",
              "CONFIRMED: this key is this model, byte for byte");
  summary.add("id", "id", toHex(key.model.id), toHex(key.model.id));
  summary.add("onnx", "ONNX file", toHex(*onnx), toHex(*onnx));
  summary.add("key", "key", toHex(key.digest), toHex(key.digest));
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
  command->add_option("--threads", arguments->prover.threads, "0: one per processor")
      ->check(CLI::Range(0, 1024));
  addBackendOption(*command, arguments->prover);
  command->callback([arguments, &chosen] {
    chosen = [arguments](Context& context) { return audit(*arguments, context); };
  });
}

}  // namespace lindero::cli
