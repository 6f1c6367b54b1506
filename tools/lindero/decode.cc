#include "tools/lindero/decode.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/claim/claim.h"
#include "runtime/package/files.h"
#include "runtime/package/proof.pb.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"

namespace lindero::cli {
namespace {

using runtime::DecodeRun;
using runtime::StopRule;

constexpr uint64_t kMostProof = uint64_t{1} << 31;
constexpr char kNotGreedy[] =
    "only greedy decoding is proven; for text that was sampled give all of its tokens with "
    "--tokens, which proves the model's choice at each position";

const PublicTensorValues* find(const std::vector<PublicTensorValues>& tensors,
                               absl::string_view name) {
  for (const PublicTensorValues& tensor : tensors) {
    if (!tensor.output && tensor.name == name) return &tensor;
  }
  return nullptr;
}

absl::StatusOr<std::string> readClaim(const std::string& path) {
  absl::StatusOr<std::string> bytes = runtime::readFile(path, kMostProof);
  if (!bytes.ok()) return withExit(bytes.status(), Exit::kFile);
  Proof proof;
  if (absl::Status status = runtime::parseProto(*bytes, path, proof); !status.ok()) {
    return withExit(status, Exit::kInput);
  }
  return std::move(*proof.mutable_claim());
}

std::string textOf(const std::vector<int64_t>& tokens, const std::optional<Tokenizer>& tokenizer) {
  if (!tokenizer) return absl::StrJoin(tokens, ", ");
  return absl::StrCat("\"", absl::Utf8SafeCEscape(tokenizer->decode(tokens)), "\"");
}

}  // namespace

void addDecodeOptions(CLI::App& app, DecodeOptions& options) {
  app.add_option("--generate", options.generate,
                 "Tokens behind the prompt, each the model's own choice (fewer if one is --stop)")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20));
  app.add_option("--stop", options.stop, "Token ids that end the run: 0,13")->delimiter(',');
  app.add_option("--sampling", "greedy")->check([](const std::string& policy) {
    return policy == "greedy" ? "" : absl::StrCat(policy, ": ", kNotGreedy);
  });
  // What other tools call policies that are not.
  for (const char* other : {"--temperature", "--top-k", "--top-p"}) {
    app.add_option(other, "Refused: greedy decoding has none")->check([](const std::string&) {
      return kNotGreedy;
    });
  }
}

absl::StatusOr<int64_t> chooseBucket(const std::vector<int64_t>& buckets, int64_t prompt,
                                     const DecodeOptions& options) {
  // A step consumes a token: all of the run but the last.
  const int64_t most = buckets.back();
  if (prompt + options.generate > most + 1) {
    return failure(Exit::kInput, absl::StrCat(prompt, " tokens of the prompt and ",
                                              options.generate, " more are more than the ",
                                              most + 1, " that the model was compiled for"));
  }
  const int64_t steps = std::min(most, prompt + options.rule().most - 1);
  return *std::lower_bound(buckets.begin(), buckets.end(), steps);
}

absl::StatusOr<DecodeRun> continueTokens(const OpenedPackage& opened, const DecodeOptions& options,
                                         const std::vector<int64_t>& given, int threads,
                                         Context& context) {
  const int64_t most = runtime::mostSteps(opened.package.circuit());
  const auto prompt = static_cast<int64_t>(given.size());
  LINDERO_RETURN_IF_ERROR(chooseBucket({most}, prompt, options).status());
  if (prompt == most + 1) return DecodeRun{given, prompt};
  const StopRule rule = options.rule();
  runtime::TraceOptions run_options;
  run_options.threads = threads;
  absl::StatusOr<DecodeRun> run =
      runtime::decodeGreedily(opened.package, given, rule, run_options, [&](int64_t generated) {
        context.progress("decode", static_cast<double>(generated) / static_cast<double>(rule.most));
      });
  if (!run.ok()) return withRunExit(run.status());
  return run;
}

absl::StatusOr<std::vector<int64_t>> tokensOfProof(const std::string& path) {
  LINDERO_ASSIGN_OR_RETURN(std::string bytes, readClaim(path));
  absl::StatusOr<runtime::Claim> claim = runtime::decodeClaim(bytes);
  if (!claim.ok()) {
    return failure(Exit::kInput, absl::StrCat(path, ": ", claim.status().message()));
  }
  LINDERO_ASSIGN_OR_RETURN(std::optional<DecodeRun> run, findDecodeRun(valuesOf(*claim)));
  if (run) return std::move(run->tokens);
  return failure(Exit::kInput, absl::StrCat(path, " is no proof of a decode run"));
}

absl::StatusOr<std::optional<DecodeRun>> findDecodeRun(
    const std::vector<PublicTensorValues>& tensors) {
  const PublicTensorValues *tape = find(tensors, runtime::kTape),
                           *lengths = find(tensors, runtime::kLengths);
  if (tape == nullptr || lengths == nullptr || !tape->values || !lengths->values) {
    return std::nullopt;
  }
  absl::StatusOr<DecodeRun> run = runtime::readDecodeRun(*tape->values, *lengths->values);
  if (!run.ok()) return failure(Exit::kRejected, run.status().message());
  return *std::move(run);
}

absl::Status checkDecoding(const std::optional<DecodeRun>& run, const std::vector<int64_t>& prompt,
                           const DecodeOptions& options) {
  if (!run) return failure(Exit::kRejected, "the key's circuit has no step table");
  if (run->prompt != static_cast<int64_t>(prompt.size()) ||
      !std::equal(prompt.begin(), prompt.end(), run->tokens.begin())) {
    return failure(Exit::kRejected, "the proven run has another prompt");
  }
  if (options.generate == 0) return absl::OkStatus();
  return withExit(runtime::checkStop(*run, {options.generate, options.stop}), Exit::kRejected);
}

void addDecodeRun(const DecodeRun& run, const Circuit& circuit,
                  const std::vector<PublicTensorValues>& tensors, const runtime::StopRule& rule,
                  const std::optional<Tokenizer>& tokenizer, Summary& summary) {
  const std::vector<int64_t> prompt(run.tokens.begin(), run.tokens.begin() + run.prompt);
  const std::vector<int64_t> chosen(run.tokens.begin() + run.prompt, run.tokens.end());
  const bool stopped = !chosen.empty() && rule.stops(chosen.back());
  int64_t same = 0;
  for (const PublicTensorValues& tensor : tensors) {
    if (!tensor.output) continue;
    if (!tensor.values) continue;
    for (int64_t t = 0; t + 1 < run.prompt; ++t) {
      same += (*tensor.values)[t] == run.tokens[t + 1];
    }
  }
  Json json = {{"prompt_tokens", run.prompt},
               {"generated_tokens", run.generated()},
               {"stopped", stopped},
               {"prompt", prompt},
               {"tokens", chosen},
               {"given_that_are_choices", same}};
  if (tokenizer) json["text"] = tokenizer->decode(chosen);
  summary.addLine("prompt", absl::StrCat(run.prompt, " tokens: ", textOf(prompt, tokenizer)));
  if (run.prompt > 1) {
    summary.addLine("  chosen, too", absl::StrCat(same, " of the ", run.prompt - 1,
                                                  " behind the first are the model's choice"));
  }
  summary.add("decoded", "decoded", std::move(json),
              absl::StrCat(run.generated(), " tokens behind them, each the model's choice",
                           stopped ? ", up to a stop token" : "", ": ", textOf(chosen, tokenizer)));
  if (circuit.carries_size() == 0) return;
  const int64_t steps = runtime::blockSteps(circuit), blocks = (run.steps() + steps - 1) / steps;
  summary.add("blocks", "blocks", {{"count", blocks}, {"steps", steps}},
              absl::StrCat(blocks, " of ", steps, " steps, ",
                           blocks == 1 ? "which is given no keys and values"
                                       : "each given the keys and values of those before it"));
}

}  // namespace lindero::cli
