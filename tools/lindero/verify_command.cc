// lindero verify: needs the proof and the key alone.
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/decode.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/prover.h"
#include "tools/lindero/public_values.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;

struct VerifyArguments {
  std::string proof;
  std::string key;
  std::string tokenizer;
  std::vector<int64_t> tokens;
  std::optional<std::string> prompt;
  DecodeOptions decode;
  ProverOptions prover;
};

absl::Status needFile(const std::string& path, absl::string_view what) {
  std::error_code code;
  if (fs::is_regular_file(path, code)) return absl::OkStatus();
  return failure(Exit::kFile, absl::StrCat("cannot open the ", what, " ", path, ": no such file"));
}

void addSecurity(const Json& verdict, Summary& summary) {
  Json security = verdict.value("security", Json::object());
  if (!security.is_object() || !security.contains("bits") || !security["bits"].is_number()) return;
  std::string regime =
      security.value("regime", Json("")).is_string() ? security["regime"].get<std::string>() : "";
  std::string text = absl::StrFormat("%.1f bits (%s)", security["bits"].get<double>(), regime);
  if (security.contains("proven_bits") && security["proven_bits"].is_number()) {
    absl::StrAppendFormat(&text, ", %.1f proven", security["proven_bits"].get<double>());
  }
  summary.add("security", "security", security, text);
}

// Beyond the proof: that the run which it proves is the one asked for.
absl::Status addDecoding(const VerifyArguments& arguments,
                         const std::vector<PublicTensorValues>& tensors,
                         const std::optional<runtime::DecodeRun>& run,
                         const std::optional<Tokenizer>& tokenizer, Summary& summary) {
  if (run) addDecodeRun(*run, tensors, arguments.decode, tokenizer, summary);
  std::vector<int64_t> prompt = arguments.tokens;
  if (arguments.prompt) {
    if (!tokenizer) return failure(Exit::kInput, "--prompt needs a --tokenizer");
    LINDERO_ASSIGN_OR_RETURN(prompt, tokenizer->encode(*arguments.prompt));
  }
  if (prompt.empty() && arguments.decode.generate == 0) return absl::OkStatus();
  if (prompt.empty()) {
    return failure(Exit::kUsage, "--generate needs the prompt: --prompt or --tokens");
  }
  absl::Status status = checkDecoding(run, prompt, arguments.decode);
  if (status.ok()) return status;
  return failure(exitOf(status), absl::StrCat("REJECTED: ", arguments.proof,
                                              " is no such decoding: ", status.message()));
}

absl::Status verify(const VerifyArguments& arguments, Context& context) {
  LINDERO_RETURN_IF_ERROR(needFile(arguments.proof, "proof"));
  LINDERO_RETURN_IF_ERROR(needFile(arguments.key, "key"));
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  std::optional<Tokenizer> tokenizer;
  if (!arguments.tokenizer.empty()) {
    LINDERO_ASSIGN_OR_RETURN(tokenizer, Tokenizer::load(arguments.tokenizer));
  }
  Stopwatch watch;
  absl::StatusOr<Json> verdict = prover.verify(arguments.key, arguments.proof, context);
  if (exitOf(verdict.status()) == Exit::kRejected) {
    return failure(Exit::kRejected,
                   absl::StrCat("REJECTED: ", arguments.proof, " does not prove anything under ",
                                arguments.key, ": ", verdict.status().message()));
  }
  LINDERO_RETURN_IF_ERROR(verdict.status());
  double seconds = watch.seconds();
  LINDERO_ASSIGN_OR_RETURN(std::vector<PublicTensorValues> tensors, valuesOf(*verdict));
  Summary summary;
  summary.add("verdict", "verdict", "accepted",
              "ACCEPTED: the key's model gave these outputs for these inputs");
  LINDERO_ASSIGN_OR_RETURN(std::optional<runtime::DecodeRun> run, findDecodeRun(tensors));
  addPublicValues(tensors, tokenizer, summary, /*lines=*/!run);
  LINDERO_RETURN_IF_ERROR(addDecoding(arguments, tensors, run, tokenizer, summary));
  addSecurity(*verdict, summary);
  summary.addSeconds("verify_seconds", "verify time", seconds);
  summary.addData("report", *std::move(verdict));
  context.result("verify", summary);
  return absl::OkStatus();
}

}  // namespace

void addVerify(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command = app.add_subcommand("verify", "Verify a proof with a key");
  command->add_option("proof", arguments->proof, "Proof")->required();
  command->add_option("--key", arguments->key, "Verifying key of the model")->required();
  command->add_option("--tokenizer", arguments->tokenizer, "Shows tokens as text");
  CLI::Option* prompt = command->add_option("--prompt", arguments->prompt,
                                            "Of a decode run: the text that was continued");
  command->add_option("--tokens", arguments->tokens, "The same as token ids")
      ->delimiter(',')
      ->excludes(prompt);
  addDecodeOptions(*command, arguments->decode);
  addBackendOption(*command, arguments->prover);
  command->callback([arguments, &chosen] {
    chosen = [arguments](Context& context) { return verify(*arguments, context); };
  });
}

}  // namespace lindero::cli
