#include "runtime/inputs/inputs.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

using Json = nlohmann::ordered_json;
using compiler::ModelFacts;
using compiler::TensorFacts;

constexpr uint64_t kMostBytes = uint64_t{1} << 30;
constexpr int kMostAxes = 8;

// Collects a nested list of numbers; every list of one depth has the same length.
class NestedList {
 public:
  explicit NestedList(InputArray& array) : array_(array) {}

  absl::Status read(const Json& json) {
    for (const Json* inner = &json; inner->is_array(); inner = &inner->front()) {
      array_.shape.push_back(static_cast<int64_t>(inner->size()));
      if (array_.shape.size() > kMostAxes) return wrong("is nested too deeply");
      if (inner->empty()) return wrong("holds an empty list");
    }
    LINDERO_RETURN_IF_ERROR(readAxis(json, 0));
    array_.integer = all_integers_;
    if (!array_.integer) array_.integers.clear();
    return absl::OkStatus();
  }

 private:
  absl::Status wrong(absl::string_view why) const {
    return absl::InvalidArgumentError(absl::StrCat("'", array_.name, "' ", why));
  }

  absl::Status readAxis(const Json& json, size_t axis) {
    if (axis == array_.shape.size()) return readNumber(json);
    if (!json.is_array() || static_cast<int64_t>(json.size()) != array_.shape[axis]) {
      return wrong("holds lists of different lengths");
    }
    for (const Json& inner : json) LINDERO_RETURN_IF_ERROR(readAxis(inner, axis + 1));
    return absl::OkStatus();
  }

  absl::Status readNumber(const Json& json) {
    if (!json.is_number()) return wrong("holds something that is not a number");
    all_integers_ &= json.is_number_integer();
    array_.reals.push_back(json.get<double>());
    if (all_integers_) array_.integers.push_back(json.get<int64_t>());
    return absl::OkStatus();
  }

  InputArray& array_;
  bool all_integers_ = true;
};

std::vector<int64_t> withoutOnes(const std::vector<int64_t>& shape) {
  std::vector<int64_t> rest;
  for (int64_t size : shape) {
    if (size != 1) rest.push_back(size);
  }
  return rest;
}

std::string namesOf(const ModelFacts& facts) {
  return absl::StrJoin(facts.inputs, ", ", [](std::string* out, const TensorFacts& tensor) {
    absl::StrAppend(out, "'", tensor.name, "' (", describe(tensor), ")");
  });
}

absl::Status wrongInput(const TensorFacts& wanted, absl::string_view why) {
  return failure(Exit::kInput, absl::StrCat("input '", wanted.name, "': ", why,
                                            "; the model wants ", describe(wanted)));
}

absl::Status checkNames(const ModelFacts& facts, const std::vector<InputArray>& arrays) {
  for (const InputArray& array : arrays) {
    if (!array.name.empty() && facts.input(array.name) == nullptr) {
      return failure(Exit::kInput, absl::StrCat("the model has no input '", array.name,
                                                "'; its inputs are ", namesOf(facts)));
    }
  }
  return absl::OkStatus();
}

const InputArray* findArray(const std::vector<InputArray>& arrays, const std::string& name) {
  for (const InputArray& array : arrays) {
    if (array.name == name || (array.name.empty() && arrays.size() == 1)) return &array;
  }
  return nullptr;
}

absl::Status checkTokens(int64_t low, int64_t high, const TensorFacts& wanted,
                         const std::vector<int64_t>& tokens) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= low && tokens[i] <= high) continue;
    return failure(Exit::kToken,
                   absl::StrCat("input '", wanted.name, "': token ", tokens[i], " at position ", i,
                                " is outside of the vocabulary ", low, " .. ", high));
  }
  return absl::OkStatus();
}

absl::Status bindTokens(const PublicTensor& tensor, const ModelFacts& facts,
                        const TensorFacts& wanted, const InputArray& array, PublicValues& values) {
  if (!array.integer) return wrongInput(wanted, "its values are not integers");
  int64_t length = int64_t{tensor.rows()} * tensor.columns();
  auto given = static_cast<int64_t>(array.integers.size());
  bool shorter = facts.causal && given < length && withoutOnes(array.shape).size() <= 1;
  if (!shorter && withoutOnes(array.shape) != withoutOnes(wanted.shape)) {
    return wrongInput(wanted, absl::StrCat("it has the shape [", absl::StrJoin(array.shape, ", "),
                                           "]", given > length ? ", which is too long" : ""));
  }
  LINDERO_RETURN_IF_ERROR(checkTokens(tensor.low(), tensor.high(), wanted, array.integers));
  for (int64_t token : array.integers) values.add_values(token);
  for (int64_t i = given; i < length; ++i) values.add_values(0);
  return absl::OkStatus();
}

absl::Status bindReals(const PublicTensor& tensor, const TensorFacts& wanted,
                       const InputArray& array, PublicValues& values) {
  if (withoutOnes(array.shape) != withoutOnes(wanted.shape)) {
    return wrongInput(wanted,
                      absl::StrCat("it has the shape [", absl::StrJoin(array.shape, ", "), "]"));
  }
  if (array.integer && array.reals.empty()) return wrongInput(wanted, "its values are integers");
  for (size_t i = 0; i < array.reals.size(); ++i) {
    double value = std::floor(std::ldexp(array.reals[i], tensor.exponent()) + 0.5);
    if (!(value >= static_cast<double>(tensor.low()) &&
          value <= static_cast<double>(tensor.high()))) {
      return failure(
          Exit::kOutOfRange,
          absl::StrFormat("input '%s': value %g at element %d is outside of its calibrated range "
                          "%g .. %g; calibrate with samples that cover it",
                          wanted.name, array.reals[i], i,
                          std::ldexp(static_cast<double>(tensor.low()), -tensor.exponent()),
                          std::ldexp(static_cast<double>(tensor.high()), -tensor.exponent())));
    }
    values.add_values(static_cast<int64_t>(value));
  }
  return absl::OkStatus();
}

absl::StatusOr<InputArray> tokensOf(const InputOptions& options, const ModelFacts& facts,
                                    const Tokenizer* tokenizer) {
  if (!facts.readsTokens()) {
    return failure(Exit::kInput, absl::StrCat("the model reads no tokens; give ", namesOf(facts),
                                              " with --input"));
  }
  InputArray array;
  array.integer = true;
  array.integers = options.tokens;
  if (options.prompt) {
    if (tokenizer == nullptr) {
      return failure(Exit::kInput,
                     "--prompt needs a tokenizer: give --tokenizer tokenizer.json, or token ids "
                     "with --tokens");
    }
    LINDERO_ASSIGN_OR_RETURN(array.integers, tokenizer->encode(*options.prompt));
  }
  if (array.integers.empty()) return failure(Exit::kInput, "the prompt is empty");
  array.shape = {static_cast<int64_t>(array.integers.size())};
  return array;
}

}  // namespace

absl::StatusOr<std::vector<InputArray>> parseInputJson(absl::string_view text) {
  Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  std::vector<InputArray> arrays;
  if (json.is_array()) {
    LINDERO_RETURN_IF_ERROR(NestedList(arrays.emplace_back()).read(json));
    return arrays;
  }
  if (!json.is_object()) {
    return absl::InvalidArgumentError("not JSON of the form {\"name\": [numbers]}");
  }
  for (const auto& [name, value] : json.items()) {
    arrays.emplace_back().name = name;
    LINDERO_RETURN_IF_ERROR(NestedList(arrays.back()).read(value));
  }
  return arrays;
}

absl::StatusOr<std::vector<InputArray>> readInputFile(const std::string& path) {
  absl::StatusOr<std::string> bytes = runtime::readFile(path, kMostBytes);
  if (!bytes.ok()) return withExit(bytes.status(), Exit::kFile);
  absl::StatusOr<std::vector<InputArray>> arrays;
  if (absl::EndsWith(path, ".npz")) {
    arrays = readNpz(path);
  } else if (absl::EndsWith(path, ".npy")) {
    absl::StatusOr<InputArray> array = parseNpy(*bytes);
    arrays =
        array.ok() ? absl::StatusOr<std::vector<InputArray>>(std::vector{*array}) : array.status();
  } else {
    arrays = parseInputJson(*bytes);
  }
  if (!arrays.ok()) {
    return failure(Exit::kInput, absl::StrCat(path, ": ", arrays.status().message()));
  }
  return arrays;
}

absl::StatusOr<std::vector<InputArray>> gatherInputs(const InputOptions& options,
                                                     const ModelFacts& facts,
                                                     const Tokenizer* tokenizer) {
  if (!options.file.empty()) return readInputFile(options.file);
  if (!options.from.empty()) {
    InputOptions tokens = options;
    tokens.from.clear();
    LINDERO_ASSIGN_OR_RETURN(tokens.tokens, tokensOfProof(options.from));
    return gatherInputs(tokens, facts, tokenizer);
  }
  LINDERO_ASSIGN_OR_RETURN(InputArray array, tokensOf(options, facts, tokenizer));
  return std::vector{std::move(array)};
}

absl::StatusOr<std::vector<int64_t>> promptOf(const ModelFacts& facts,
                                              const std::vector<InputArray>& arrays) {
  LINDERO_RETURN_IF_ERROR(checkNames(facts, arrays));
  const TensorFacts& wanted = facts.inputs.front();
  const InputArray* array = findArray(arrays, wanted.name);
  if (array == nullptr) return failure(Exit::kInput, absl::StrCat("no input '", wanted.name, "'"));
  if (!array->integer) return wrongInput(wanted, "its values are not integers");
  if (withoutOnes(array->shape).size() > 1 || array->integers.empty()) {
    return wrongInput(wanted,
                      absl::StrCat("it has the shape [", absl::StrJoin(array->shape, ", "), "]"));
  }
  LINDERO_RETURN_IF_ERROR(checkTokens(0, facts.vocabulary - 1, wanted, array->integers));
  return array->integers;
}

absl::StatusOr<BoundInputs> bindInputs(const Circuit& circuit, const ModelFacts& facts,
                                       const std::vector<InputArray>& arrays) {
  LINDERO_RETURN_IF_ERROR(checkNames(facts, arrays));
  BoundInputs bound;
  bound.statement.set_format(1);
  for (const PublicTensor& tensor : circuit.publics()) {
    if (tensor.kind() != PublicTensor::INPUT) continue;
    const TensorFacts* wanted = facts.input(tensor.name());
    if (wanted == nullptr) {
      return failure(Exit::kPackage, absl::StrCat("the package's report.json does not know input '",
                                                  tensor.name(), "'; compile the model again"));
    }
    const InputArray* array = findArray(arrays, tensor.name());
    if (array == nullptr) {
      return failure(Exit::kInput, absl::StrCat("input '", tensor.name(),
                                                "' is missing; the inputs are ", namesOf(facts)));
    }
    PublicValues& values = *bound.statement.add_tensors();
    values.set_name(tensor.name());
    values.set_kind(PublicValues::INPUT);
    values.set_rows(tensor.rows());
    values.set_columns(tensor.columns());
    if (wanted->integer) {
      LINDERO_RETURN_IF_ERROR(bindTokens(tensor, facts, *wanted, *array, values));
      bound.given_tokens = static_cast<int64_t>(array->integers.size());
    } else {
      LINDERO_RETURN_IF_ERROR(bindReals(tensor, *wanted, *array, values));
    }
  }
  return bound;
}

}  // namespace lindero::cli
