#include "tools/lindero/show_values.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace lindero::cli {
namespace {

using runtime::DecodeRun;

constexpr size_t kShownReals = 8;
constexpr size_t kShownIntegers = 16;
constexpr size_t kShownCharacters = 200;

std::string listOf(const PublicTensorValues& tensor) {
  if (!tensor.values) return "given by digest, not opened";
  size_t most = tensor.exponent == 0 ? kShownIntegers : kShownReals;
  size_t shown = std::min(tensor.values->size(), most);
  std::vector<std::string> words;
  for (size_t i = 0; i < shown; ++i) {
    double real = std::ldexp(static_cast<double>((*tensor.values)[i]), -tensor.exponent);
    words.push_back(tensor.exponent == 0 ? absl::StrCat((*tensor.values)[i])
                                         : absl::StrFormat("%.4g", real));
  }
  if (shown < tensor.values->size()) {
    words.push_back(absl::StrCat("… (", withCommas(tensor.values->size() - shown), " more)"));
  }
  return absl::StrJoin(words, ", ");
}

std::string shapeOf(const PublicTensorValues& tensor) {
  if (tensor.isTokens()) return absl::StrCat(tensor.rows, " integers: ");
  return absl::StrCat(tensor.rows, " x ", tensor.columns,
                      tensor.exponent == 0 ? " integers: " : " reals: ");
}

std::string quoted(const Tokenizer& tokenizer, std::vector<int64_t> ids) {
  bool whole = ids.size() <= kShownCharacters;
  if (!whole) ids.resize(kShownCharacters);
  return absl::StrCat("\"", absl::Utf8SafeCEscape(tokenizer.decode(ids)), whole ? "\"" : "\" …");
}

Json tensorJson(const PublicTensorValues& tensor, const std::optional<Tokenizer>& tokenizer) {
  Json json = {{"name", tensor.name},         {"kind", tensor.output ? "output" : "input"},
               {"rows", tensor.rows},         {"columns", tensor.columns},
               {"exponent", tensor.exponent}, {"values", nullptr}};
  if (tensor.values) json["values"] = *tensor.values;
  if (tokenizer && tensor.isTokens()) json["text"] = tokenizer->decode(*tensor.values);
  return json;
}

const PublicTensorValues* findTokens(const std::vector<PublicTensorValues>& tensors) {
  for (const PublicTensorValues& tensor : tensors) {
    if (!tensor.output && tensor.isTokens()) return &tensor;
  }
  return nullptr;
}

// An argmax output beside the tokens shows where the input continues as the model would have.
void addContinuation(const PublicTensorValues& chosen, const PublicTensorValues& input,
                     Summary& summary) {
  const std::optional<runtime::Continuation> found = runtime::continuationOf(chosen, input);
  if (!found) return;
  std::string text = found->same == found->positions
                         ? absl::StrCat("at all ", found->positions,
                                        " of these positions the next token is "
                                        "the model's own choice: a greedy continuation")
                         : absl::StrCat("at ", found->same, " of ", found->positions,
                                        " of these positions the next token is the model's own "
                                        "choice");
  summary.add("continuation", "greedy", {{"positions", found->positions}, {"same", found->same}},
              text);
}

std::string textOf(const std::vector<int64_t>& tokens, const std::optional<Tokenizer>& tokenizer) {
  if (!tokenizer) return absl::StrJoin(tokens, ", ");
  return absl::StrCat("\"", absl::Utf8SafeCEscape(tokenizer->decode(tokens)), "\"");
}

}  // namespace

void addPublicValues(const std::vector<PublicTensorValues>& tensors,
                     const std::optional<Tokenizer>& tokenizer, Summary& summary, size_t most) {
  Json json = Json::array();
  for (const PublicTensorValues& tensor : tensors) json.push_back(tensorJson(tensor, tokenizer));
  summary.addData("statement", std::move(json));
  if (most == 0) return;
  const PublicTensorValues* input = findTokens(tensors);
  const auto outputs = static_cast<size_t>(std::count_if(
      tensors.begin(), tensors.end(), [](const PublicTensorValues& t) { return t.output; }));
  size_t left[] = {most - std::min(most, outputs), most};  // of inputs, of outputs
  for (const PublicTensorValues& tensor : tensors) {
    size_t& mine = left[tensor.output ? 1 : 0];
    summary.details(mine == 0);
    if (mine > 0) --mine;
    // Names come from the model: escaped, they cannot pass for other lines of the summary.
    std::string label =
        absl::StrCat(tensor.output ? "output " : "input ", absl::Utf8SafeCEscape(tensor.name));
    summary.addLine(label, absl::StrCat(shapeOf(tensor), listOf(tensor)));
    if (tokenizer && tensor.isTokens()) {
      summary.addLine("  as text", quoted(*tokenizer, *tensor.values));
    }
    if (tensor.output && input != nullptr) addContinuation(tensor, *input, summary);
  }
  summary.details(false);
  if (tensors.size() > most) {
    summary.addLine("", absl::StrCat(tensors.size() - most, " more with --verbose"));
  }
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
                                                  " after the first are the model's choice"));
  }
  summary.add("decoded", "decoded", std::move(json),
              absl::StrCat(run.generated(), " tokens after them, each the model's choice",
                           stopped ? ", up to a stop token" : "", ": ", textOf(chosen, tokenizer)));
  if (!runtime::exportsGroups(circuit)) return;
  const int64_t steps = runtime::blockSteps(circuit), blocks = (run.steps() + steps - 1) / steps;
  summary.add("blocks", "blocks", {{"count", blocks}, {"steps", steps}},
              absl::StrCat(blocks, " of ", steps, " steps, ",
                           blocks == 1 ? "which is given no keys and values"
                                       : "each given the keys and values of those before it"));
}

}  // namespace lindero::cli
