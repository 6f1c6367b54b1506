#include "tools/lindero/decode.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/package/status_macros.h"
#include "runtime/trace/generate_trace.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/package_source.h"

namespace lindero::cli {
namespace {

constexpr char kNotGreedy[] =
    "only greedy decoding is proven; for text that was sampled give all of its tokens with "
    "--tokens, which proves the model's choice at each position";

// The model's choices, as the public values show them: an argmax, or the logits of positions.
class Choices {
 public:
  explicit Choices(const std::vector<PublicTensorValues>& tensors) {
    for (const PublicTensorValues& tensor : tensors) {
      if (!tensor.output && tensor.columns == 1 && tensor.exponent == 0) tokens_ = &tensor;
      if (tensor.output) chosen_ = &tensor;
    }
    if (chosen_ != nullptr) name_ = parseOutputName(chosen_->name);
  }

  bool complete() const {
    return tokens_ != nullptr && chosen_ != nullptr && name_.argmax == (chosen_->columns == 1) &&
           static_cast<int64_t>(name_.positions.empty() ? tokens_->rows : name_.positions.size()) ==
               chosen_->rows;
  }
  const PublicTensorValues& tokens() const { return *tokens_; }

  // Of the token behind a position; nothing where the position's output is not public.
  std::optional<int64_t> behind(int64_t position) const {
    int64_t row = position;
    if (!name_.positions.empty()) {
      auto found = std::find(name_.positions.begin(), name_.positions.end(), position);
      row = found - name_.positions.begin();
    }
    if (row < 0 || row >= chosen_->rows) return std::nullopt;
    auto first = chosen_->values.begin() + row * chosen_->columns;
    if (name_.argmax) return *first;
    return std::max_element(first, first + chosen_->columns) - first;
  }

 private:
  const PublicTensorValues* tokens_ = nullptr;
  const PublicTensorValues* chosen_ = nullptr;
  OutputName name_;
};

absl::Status notPublic(int64_t position) {
  return failure(Exit::kInput,
                 absl::StrCat("the model's choice at position ", position,
                              " is not among its public outputs; compile it with --argmax and "
                              "--positions all"));
}

absl::Status checkRoom(const OpenedPackage& opened, int64_t given, int64_t generate,
                       int64_t length) {
  if (!opened.facts.readsTokens() || !opened.facts.causal) {
    return failure(Exit::kInput, absl::StrCat("--generate needs a causal model of tokens; ",
                                              opened.facts.file, " is not one"));
  }
  if (generate <= length - given) return absl::OkStatus();
  return failure(Exit::kInput, absl::StrCat(given, " tokens of the prompt and ", generate,
                                            " more are more than the ", length,
                                            " that the model was compiled for"));
}

bool isStop(const DecodeOptions& options, int64_t token) {
  return std::find(options.stop.begin(), options.stop.end(), token) != options.stop.end();
}

PublicValues* tokensOf(Statement& statement, const std::string& name) {
  for (PublicValues& values : *statement.mutable_tensors()) {
    if (values.name() == name && values.kind() == PublicValues::INPUT) return &values;
  }
  return nullptr;
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

absl::StatusOr<DecodedRun> generateTokens(const OpenedPackage& opened, const DecodeOptions& options,
                                          int64_t given, int threads, Context& context,
                                          Statement& statement) {
  const Circuit& circuit = opened.package.circuit();
  runtime::TraceOptions run_options;
  run_options.threads = threads;
  DecodedRun run{.prompt = given};
  LINDERO_RETURN_IF_ERROR(checkRoom(opened, given, options.generate, [&] {
    int64_t length = 1;
    for (int64_t size : opened.facts.inputs[0].shape) length *= size;
    return length;
  }()));
  while (run.generated < options.generate && !run.stopped) {
    absl::StatusOr<Statement> outputs = runtime::runProgram(opened.package, statement, run_options);
    if (!outputs.ok()) return withRunExit(outputs.status());
    const std::vector<PublicTensorValues> tensors = valuesOf(circuit, *outputs);
    const Choices choices(tensors);
    const int64_t position = run.prompt + run.generated - 1;
    std::optional<int64_t> token;
    if (choices.complete()) token = choices.behind(position);
    if (!token) return notPublic(position);
    tokensOf(statement, choices.tokens().name)->set_values(static_cast<int>(position + 1), *token);
    ++run.generated;
    run.stopped = isStop(options, *token);
    context.progress("decode",
                     static_cast<double>(run.generated) / static_cast<double>(options.generate));
  }
  return run;
}

absl::StatusOr<DecodedRun> checkGreedy(const std::vector<PublicTensorValues>& tensors,
                                       const std::vector<int64_t>& prompt,
                                       const DecodeOptions& options) {
  const Choices choices(tensors);
  if (!choices.complete()) return notPublic(static_cast<int64_t>(prompt.size()) - 1);
  const std::vector<int64_t>& tokens = choices.tokens().values;
  DecodedRun run{.prompt = static_cast<int64_t>(prompt.size())};
  if (run.prompt + options.generate > choices.tokens().rows) {
    return failure(Exit::kRejected, absl::StrCat("the run has only ", tokens.size(), " tokens"));
  }
  if (!std::equal(prompt.begin(), prompt.end(), tokens.begin())) {
    return failure(Exit::kRejected, "the proven run has another prompt");
  }
  for (; run.generated < options.generate && !run.stopped; ++run.generated) {
    const int64_t position = run.prompt + run.generated;
    std::optional<int64_t> choice = choices.behind(position - 1);
    if (!choice) return notPublic(position - 1);
    if (tokens[position] != *choice) {
      return failure(Exit::kRejected,
                     absl::StrCat("token ", tokens[position], " at position ", position,
                                  " is not the model's choice, ", *choice));
    }
    run.stopped = isStop(options, *choice);
  }
  return run;
}

void addDecodedRun(const DecodedRun& run, const std::vector<PublicTensorValues>& tensors,
                   const std::optional<Tokenizer>& tokenizer, Summary& summary) {
  const Choices choices(tensors);
  auto first = choices.tokens().values.begin() + run.prompt;
  const std::vector<int64_t> tokens(first, first + run.generated);
  Json json = {{"prompt_tokens", run.prompt},
               {"generated_tokens", run.generated},
               {"stopped", run.stopped},
               {"tokens", tokens}};
  if (tokenizer) json["text"] = tokenizer->decode(tokens);
  summary.add(
      "decoded", "decoded", std::move(json),
      absl::StrCat(run.generated, " tokens behind the ", run.prompt,
                   " of the prompt, each the model's choice",
                   run.stopped ? ", up to a stop token" : "", ": ",
                   tokenizer
                       ? absl::StrCat("\"", absl::Utf8SafeCEscape(tokenizer->decode(tokens)), "\"")
                       : absl::StrJoin(tokens, ", ")));
}

}  // namespace lindero::cli
