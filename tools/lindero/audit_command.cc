// lindero audit: whether a key is that of a model.
#include <memory>

#include "absl/strings/str_cat.h"
#include "compiler/audit/audit.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/prover_options.h"
#include "tools/lindero/show_costs.h"

namespace lindero::cli {
namespace {

using runtime::toHex;

struct AuditArguments {
  compiler::AuditFiles files;
  ProverOptions prover;
};

// Between which numbers the named value of the calibration lies: "12 to 16"; empty: it has none.
std::string spanOf(const passes::Exponents& exponents, const std::string& name) {
  const auto span = compiler::spanOf(exponents, name);
  if (!span) return "";
  return span->first == span->second ? absl::StrCat(span->first)
                                     : absl::StrCat(span->first, " to ", span->second);
}

void addCalibration(const passes::Exponents& exponents, Summary& summary) {
  const std::string bits = spanOf(exponents, "bits"), steps = spanOf(exponents, "exponent");
  summary.add("calibration", "calibration",
              {{"bits", bits}, {"exponents", steps}, {"weight_bits", exponents.weight_bits}},
              absl::StrCat("values of ", bits, " bits in steps of 2^-f, f = ", steps,
                           "; weights of at most ", exponents.weight_bits, " bits"));
}

absl::Status audit(const AuditArguments& arguments, Context& context) {
  Stopwatch watch;
  LINDERO_ASSIGN_OR_RETURN(
      compiler::Audit audit,
      compiler::auditKey(arguments.files, arguments.prover, context.monitor()));
  Summary summary;
  addModel(audit.facts, summary, /*all=*/true);
  addCalibration(audit.exponents, summary);
  if (audit.comparison) addAgreement(*audit.comparison, summary);
  const bool measured = audit.comparison && audit.comparison->measured();
  summary.add("verdict", "verdict", "confirmed",
              absl::StrCat("CONFIRMED", measured ? "" : ", precision not measured",
                           ": this key is this model, byte for byte"));
  summary.addData("precision", measured ? "measured" : "not measured");
  const runtime::ModelRecord& record = audit.keys.model();
  summary.add("id", "id", toHex(record.id), toHex(record.id));
  summary.add("onnx", "ONNX file", toHex(record.onnx), toHex(record.onnx));
  Json list = Json::array();
  for (const runtime::Key& key : audit.keys.keys) {
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
  command->add_option("model", arguments->files.model, "ONNX file")->required();
  command->add_option("--key", arguments->files.key, "Verifying key")->required();
  command->add_option("--compare", arguments->files.compare,
                      "Measure the key's calibration on these inputs: a text, or arrays (.json, "
                      ".npz); default: inputs of the model's own making");
  command->add_option("--tokenizer", arguments->files.tokenizer,
                      "Tokenizer for a text (default: tokenizer.json beside the model)");
  addThreadsOption(*command, arguments->prover.threads);
  addBackendOption(*command, arguments->prover);
  command->callback([arguments, &chosen] {
    chosen = [arguments](Context& context) { return audit(*arguments, context); };
  });
}

}  // namespace lindero::cli
