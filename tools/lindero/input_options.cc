#include "tools/lindero/input_options.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/package/status_macros.h"
#include "runtime/values/proof_values.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

constexpr char kNotGreedy[] =
    "only greedy decoding is proven; for text that was sampled give all of its tokens with "
    "--tokens, which proves the model's choice at each position";

absl::StatusOr<InputArray> tokensOf(const InputOptions& options, const runtime::ModelFacts& facts,
                                    const Tokenizer* tokenizer) {
  if (!facts.readsTokens()) {
    return failure(Error::kInput, absl::StrCat("the model reads no tokens; give ",
                                               describeInputs(facts), " with --input"));
  }
  InputArray array;
  array.integer = true;
  array.integers = options.tokens;
  if (options.prompt) {
    if (tokenizer == nullptr) {
      return failure(Error::kInput,
                     "--prompt needs a tokenizer: give --tokenizer tokenizer.json, or token ids "
                     "with --tokens");
    }
    LINDERO_ASSIGN_OR_RETURN(array.integers, tokenizer->encode(*options.prompt));
  }
  if (array.integers.empty()) return failure(Error::kInput, "the prompt is empty");
  array.shape = {static_cast<int64_t>(array.integers.size())};
  return array;
}

}  // namespace

void addDecodeOptions(CLI::App& app, DecodeOptions& options) {
  app.add_option("--generate", options.generate,
                 "Tokens after the prompt, each the model's own choice (fewer if one is --stop)")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20));
  app.add_option("--stop", options.stop, "Token ids that end the run: 0,13")->delimiter(',');
  app.add_option("--sampling", "greedy")->check([](const std::string& policy) {
    return policy == "greedy" ? "" : absl::StrCat(policy, ": ", kNotGreedy);
  });
  // What other tools call policies that are not.
  for (const char* other : {"--temperature", "--top-k", "--top-p"}) {
    // Of no group: not in the help, and without a name in errors.
    app.add_option(other, "Refused: greedy decoding has none")
        ->group("")
        ->check([other](const std::string&) { return absl::StrCat(other, ": ", kNotGreedy); });
  }
}

CLI::Option_group* addInputOptions(CLI::App& app, InputOptions& options) {
  CLI::Option_group* group = app.add_option_group("input", "What the model is given");
  group->add_option("--input", options.file, "Arrays by input name: .json, .npz or .npy");
  group->add_option("--tokens", options.tokens, "Token ids: 1,2,3")
      ->delimiter(',')
      ->check([](const std::string& text) {
        int64_t id = 0;
        return absl::SimpleAtoi(text, &id) ? "" : absl::StrCat(text, " is not a token id");
      });
  group->add_option("--prompt", options.prompt, "Text, for the tokenizer");
  group->add_option("--from", options.from, "A proof of a decode run, whose tokens are continued");
  group->require_option(1);
  return group;
}

absl::StatusOr<std::vector<InputArray>> gatherInputs(const InputOptions& options,
                                                     const runtime::ModelFacts& facts,
                                                     const Tokenizer* tokenizer) {
  if (!options.file.empty()) return runtime::readInputFile(options.file);
  if (!options.from.empty()) {
    InputOptions tokens = options;
    tokens.from.clear();
    LINDERO_ASSIGN_OR_RETURN(tokens.tokens, runtime::tokensOfProof(options.from));
    return gatherInputs(tokens, facts, tokenizer);
  }
  LINDERO_ASSIGN_OR_RETURN(InputArray array, tokensOf(options, facts, tokenizer));
  return std::vector{std::move(array)};
}

}  // namespace lindero::cli
