#include "runtime/values/public_values.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/error/error.h"

namespace lindero::runtime {
namespace {

constexpr int64_t kMostPositions = int64_t{1} << 28;  // rows of a table, at most

template <typename T>
bool readNumber(const nlohmann::ordered_json& json, const char* key, T& value) {
  auto found = json.find(key);
  if (found == json.end() || !found->is_number_integer()) return false;
  value = found->get<T>();
  return true;
}

bool readTensor(const nlohmann::ordered_json& json, PublicTensorValues& tensor) {
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
  for (const nlohmann::ordered_json& value : *values) {
    if (!value.is_number_integer()) return false;
    tensor.values->push_back(value.get<int64_t>());
  }
  return static_cast<int64_t>(tensor.values->size()) == tensor.rows * tensor.columns;
}

const PublicTensorValues* findInput(const std::vector<PublicTensorValues>& tensors,
                                    absl::string_view name) {
  for (const PublicTensorValues& tensor : tensors) {
    if (!tensor.output && tensor.name == name) return &tensor;
  }
  return nullptr;
}

std::vector<PublicTensorValues> inputsFirst(std::vector<PublicTensorValues> tensors) {
  std::stable_partition(tensors.begin(), tensors.end(),
                        [](const PublicTensorValues& tensor) { return !tensor.output; });
  return tensors;
}

}  // namespace

std::vector<PublicTensorValues> valuesOf(absl::Span<const Circuit* const> circuits,
                                         const Statement& statement) {
  std::vector<PublicTensorValues> tensors;
  int next = 0;
  for (const Circuit* circuit : circuits) {
    for (const PublicTensor& tensor : circuit->publics()) {
      const PublicValues& values = statement.tensors(next++);
      tensors.push_back({values.name(), values.kind() == PublicValues::OUTPUT, values.rows(),
                         values.columns(), tensor.exponent(),
                         std::vector<int64_t>(values.values().begin(), values.values().end())});
    }
  }
  return inputsFirst(std::move(tensors));
}

std::vector<PublicTensorValues> valuesOf(const Claim& claim) {
  std::vector<PublicTensorValues> tensors;
  for (const auto* list : {&claim.inputs, &claim.outputs}) {
    for (const ClaimTensor& tensor : *list) {
      tensors.push_back({tensor.name, list == &claim.outputs, tensor.rows, tensor.columns,
                         static_cast<int>(tensor.exponent), tensor.values});
    }
  }
  return tensors;
}

absl::StatusOr<std::vector<PublicTensorValues>> valuesOf(const nlohmann::ordered_json& verdict) {
  std::vector<PublicTensorValues> tensors;
  auto list = verdict.find("statement");
  bool valid = list != verdict.end() && list->is_array();
  for (size_t i = 0; valid && i < list->size(); ++i) {
    valid = readTensor((*list)[i], tensors.emplace_back());
  }
  if (valid) return inputsFirst(std::move(tensors));
  return failure(Error::kProverFailed,
                 "the verifier printed no statement that this version can read");
}

std::vector<double> PublicTensorValues::reals() const {
  std::vector<double> reals;
  if (!values) return reals;
  for (int64_t value : *values) reals.push_back(std::ldexp(static_cast<double>(value), -exponent));
  return reals;
}

absl::StatusOr<std::optional<DecodeRun>> findDecodeRun(
    const std::vector<PublicTensorValues>& tensors) {
  const PublicTensorValues *tape = findInput(tensors, kTape),
                           *lengths = findInput(tensors, kLengths);
  if (tape == nullptr || lengths == nullptr || !tape->values || !lengths->values) {
    return std::nullopt;
  }
  absl::StatusOr<DecodeRun> run = readDecodeRun(*tape->values, *lengths->values);
  if (!run.ok()) return failure(Error::kRejected, run.status().message());
  return *std::move(run);
}

std::optional<Continuation> continuationOf(const PublicTensorValues& chosen,
                                           const PublicTensorValues& input) {
  OutputName name = parseOutputName(chosen.name);
  if (!name.argmax || !chosen.isTokens()) return std::nullopt;
  // A model may call its outputs what it likes.
  auto isRow = [&](int64_t position) { return position >= 0 && position < input.rows; };
  if (!name.positions.empty() &&
      (static_cast<int64_t>(name.positions.size()) != chosen.rows ||
       !std::all_of(name.positions.begin(), name.positions.end(), isRow))) {
    return std::nullopt;
  }
  Continuation found;
  for (int64_t i = 0; i < chosen.rows; ++i) {
    int64_t position = name.positions.empty() ? i : name.positions[i];
    if (position + 1 >= input.rows) continue;
    ++found.positions;
    found.same += (*input.values)[position + 1] == (*chosen.values)[i];
  }
  if (found.positions == 0) return std::nullopt;
  return found;
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

}  // namespace lindero::runtime
