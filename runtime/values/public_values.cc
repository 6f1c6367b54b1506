#include "runtime/values/public_values.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

constexpr size_t kShownReals = 8;
constexpr size_t kShownIntegers = 16;
constexpr size_t kShownCharacters = 200;
constexpr int64_t kMostPositions = int64_t{1} << 28;  // rows of a table, at most

bool isTokens(const PublicTensorValues& tensor) {
  return tensor.values && tensor.columns == 1 && tensor.exponent == 0;
}

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
  if (isTokens(tensor)) return absl::StrCat(tensor.rows, " integers: ");
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
  if (tokenizer && isTokens(tensor)) json["text"] = tokenizer->decode(*tensor.values);
  return json;
}

const PublicTensorValues* findTokens(const std::vector<PublicTensorValues>& tensors) {
  for (const PublicTensorValues& tensor : tensors) {
    if (!tensor.output && isTokens(tensor)) return &tensor;
  }
  return nullptr;
}

// An argmax output beside the tokens shows where the input continues as the model would have.
void addContinuation(const PublicTensorValues& chosen, const PublicTensorValues& input,
                     Summary& summary) {
  OutputName name = parseOutputName(chosen.name);
  if (!name.argmax || !isTokens(chosen)) return;
  // A model may call its outputs what it likes.
  auto isRow = [&](int64_t position) { return position >= 0 && position < input.rows; };
  if (!name.positions.empty() &&
      (static_cast<int64_t>(name.positions.size()) != chosen.rows ||
       !std::all_of(name.positions.begin(), name.positions.end(), isRow))) {
    return;
  }
  int64_t compared = 0, same = 0;
  for (int64_t i = 0; i < chosen.rows; ++i) {
    int64_t position = name.positions.empty() ? i : name.positions[i];
    if (position + 1 >= input.rows) continue;
    ++compared;
    same += (*input.values)[position + 1] == (*chosen.values)[i];
  }
  if (compared == 0) return;
  std::string text = same == compared
                         ? absl::StrCat("at all ", compared,
                                        " of these positions the next token is "
                                        "the model's own choice: a greedy continuation")
                         : absl::StrCat("at ", same, " of ", compared,
                                        " of these positions the next token is the model's own "
                                        "choice");
  summary.add("continuation", "greedy", {{"positions", compared}, {"same", same}}, text);
}

template <typename T>
bool readNumber(const Json& json, const char* key, T& value) {
  auto found = json.find(key);
  if (found == json.end() || !found->is_number_integer()) return false;
  value = found->get<T>();
  return true;
}

bool readTensor(const Json& json, PublicTensorValues& tensor) {
  if (!json.is_object()) return false;
  auto name = json.find("name"), kind = json.find("kind"), values = json.find("values");
  if (name == json.end() || !name->is_string() || kind == json.end() || values == json.end() ||
      !(values->is_array() || values->is_null()) || !readNumber(json, "rows", tensor.rows) ||
      !readNumber(json, "columns", tensor.columns) ||
      !readNumber(json, "exponent", tensor.exponent)) {
    return false;
  }
  tensor.name = name->get<std::string>();
  tensor.output = *kind == "output";
  if (values->is_null()) return true;
  tensor.values.emplace();
  for (const Json& value : *values) {
    if (!value.is_number_integer()) return false;
    tensor.values->push_back(value.get<int64_t>());
  }
  return static_cast<int64_t>(tensor.values->size()) == tensor.rows * tensor.columns;
}

std::vector<PublicTensorValues> inputsFirst(std::vector<PublicTensorValues> tensors) {
  std::stable_partition(tensors.begin(), tensors.end(),
                        [](const PublicTensorValues& tensor) { return !tensor.output; });
  return tensors;
}

}  // namespace

std::vector<PublicTensorValues> valuesOf(const Circuit& circuit, const Statement& statement) {
  std::vector<PublicTensorValues> tensors;
  for (int i = 0; i < statement.tensors_size(); ++i) {
    const PublicValues& values = statement.tensors(i);
    tensors.push_back({values.name(), values.kind() == PublicValues::OUTPUT, values.rows(),
                       values.columns(), circuit.publics(i).exponent(),
                       std::vector<int64_t>(values.values().begin(), values.values().end())});
  }
  return inputsFirst(std::move(tensors));
}

std::vector<PublicTensorValues> valuesOf(const runtime::Claim& claim) {
  std::vector<PublicTensorValues> tensors;
  for (const auto* list : {&claim.inputs, &claim.outputs}) {
    for (const runtime::ClaimTensor& tensor : *list) {
      tensors.push_back({tensor.name, list == &claim.outputs, tensor.rows, tensor.columns,
                         static_cast<int>(tensor.exponent), tensor.values});
    }
  }
  return tensors;
}

absl::StatusOr<std::vector<PublicTensorValues>> valuesOf(const Json& verdict) {
  std::vector<PublicTensorValues> tensors;
  auto list = verdict.find("statement");
  bool valid = list != verdict.end() && list->is_array();
  for (size_t i = 0; valid && i < list->size(); ++i) {
    valid = readTensor((*list)[i], tensors.emplace_back());
  }
  if (valid) return inputsFirst(std::move(tensors));
  return failure(Exit::kProverFailed,
                 "the verifier printed no statement that this version can read");
}

OutputName parseOutputName(absl::string_view name) {
  OutputName parsed;
  std::vector<absl::string_view> parts = absl::StrSplit(name, absl::MaxSplits('[', 1));
  parsed.argmax = absl::EndsWith(parts[0], "_argmax");
  if (parts.size() == 1) return parsed;
  if (!absl::ConsumeSuffix(&parts[1], "]")) return {};
  int64_t first = 0, end = 0;
  std::vector<absl::string_view> run = absl::StrSplit(parts[1], ':');
  if (run.size() == 2 && absl::SimpleAtoi(run[0], &first) && absl::SimpleAtoi(run[1], &end)) {
    if (first < 0 || end > kMostPositions) return {};
    for (int64_t i = first; i < end; ++i) parsed.positions.push_back(i);
    return parsed;
  }
  for (absl::string_view part : absl::StrSplit(parts[1], ',')) {
    if (!absl::SimpleAtoi(part, &first)) return {};
    parsed.positions.push_back(first);
  }
  return parsed;
}

void addPublicValues(const std::vector<PublicTensorValues>& tensors,
                     const std::optional<Tokenizer>& tokenizer, Summary& summary, bool lines) {
  Json json = Json::array();
  for (const PublicTensorValues& tensor : tensors) json.push_back(tensorJson(tensor, tokenizer));
  summary.addData("statement", std::move(json));
  if (!lines) return;
  const PublicTensorValues* input = findTokens(tensors);
  for (const PublicTensorValues& tensor : tensors) {
    // Names come from the model: escaped, they cannot pass for other lines of the summary.
    std::string label =
        absl::StrCat(tensor.output ? "output " : "input ", absl::Utf8SafeCEscape(tensor.name));
    summary.addLine(label, absl::StrCat(shapeOf(tensor), listOf(tensor)));
    if (tokenizer && isTokens(tensor)) {
      summary.addLine("  as text", quoted(*tokenizer, *tensor.values));
    }
    if (tensor.output && input != nullptr) addContinuation(tensor, *input, summary);
  }
}

}  // namespace lindero::cli
