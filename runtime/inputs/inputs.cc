#include "runtime/inputs/inputs.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "runtime/error/error.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

using Json = nlohmann::ordered_json;

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

absl::Status wrongInput(const TensorFacts& wanted, absl::string_view why) {
  return failure(Error::kInput, absl::StrCat("input '", wanted.name, "': ", why,
                                             "; the model wants ", describe(wanted)));
}

absl::Status checkNames(const ModelFacts& facts, const std::vector<InputArray>& arrays) {
  const auto read = std::count_if(facts.inputs.begin(), facts.inputs.end(),
                                  [](const TensorFacts& input) { return !input.unread; });
  for (const InputArray& array : arrays) {
    if (array.name.empty() && read > 1) {
      return failure(Error::kInput,
                     absl::StrCat("tokens, a text or an array without a name fit a model of one "
                                  "input; this one has ",
                                  describeInputs(facts),
                                  "; give all by name, in a file (--input, .json or .npz)"));
    }
    if (!array.name.empty() && facts.input(array.name) == nullptr) {
      return failure(Error::kInput, absl::StrCat("the model has no input '", array.name,
                                                 "'; its inputs are ", describeInputs(facts)));
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
  const bool ids = wanted.values > 0 && !(low == 0 && high == 1);
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= low && tokens[i] <= high) continue;
    return failure(Error::kToken, absl::StrCat("input '", wanted.name, "': ", ids ? "token " : "",
                                               tokens[i], " at position ", i, " is outside of ",
                                               ids ? "the vocabulary " : "", low, " .. ", high));
  }
  return absl::OkStatus();
}

std::string shapeOf(const InputArray& array) {
  return absl::StrCat("[", absl::StrJoin(array.shape, ", "), "]");
}

absl::Status checkShape(const ModelFacts& facts, const TensorFacts& wanted,
                        const InputArray& array) {
  const std::vector<int64_t> given = withoutOnes(array.shape), asked = withoutOnes(wanted.shape);
  if (given == asked) return absl::OkStatus();
  const auto axis = std::find(array.shape.begin(), array.shape.end(), 0);
  if (axis != array.shape.end()) {
    return wrongInput(wanted, absl::StrCat("it has the shape ", shapeOf(array),
                                           ", which holds no element: a run needs at least one"));
  }
  int64_t length = 1;
  for (int64_t size : wanted.shape) length *= size;
  const auto count = static_cast<int64_t>(array.integers.size());
  if (wanted.integer && facts.causal && count < length && given.size() <= 1) {
    return absl::OkStatus();  // padded
  }
  std::string why;
  if (wanted.integer && count > length) {
    why = ", which is too long";
  } else if (wanted.integer && given.size() <= 1) {
    why = " (a model that is known to be causal would take fewer tokens)";
  }
  return wrongInput(wanted, absl::StrCat("it has the shape ", shapeOf(array), why));
}

// Element type, shape, and that reals are numbers.
absl::Status checkArray(const ModelFacts& facts, const TensorFacts& wanted,
                        const InputArray& array) {
  if (wanted.integer && array.integers.empty() && !array.reals.empty())
    return wrongInput(wanted, "its values are not integers");
  if (!wanted.integer && array.integer && array.reals.empty()) {
    return wrongInput(wanted, "its values are integers");
  }
  LINDERO_RETURN_IF_ERROR(checkShape(facts, wanted, array));
  if (wanted.integer) return absl::OkStatus();
  for (size_t i = 0; i < array.reals.size(); ++i) {
    if (std::isfinite(array.reals[i])) continue;
    return failure(Error::kOutOfRange,
                   absl::StrFormat("input '%s': element %d is %g, which is %s; a run needs finite "
                                   "values",
                                   wanted.name, i, array.reals[i],
                                   std::isnan(array.reals[i]) ? "not a number" : "infinite"));
  }
  return absl::OkStatus();
}

absl::Status missing(const ModelFacts& facts, const std::string& name) {
  return failure(Error::kInput, absl::StrCat("input '", name, "' is missing; the inputs are ",
                                             describeInputs(facts)));
}

absl::Status bindTokens(const PublicTensor& tensor, const TensorFacts& wanted,
                        const InputArray& array, PublicValues& values) {
  LINDERO_RETURN_IF_ERROR(checkTokens(tensor.low(), tensor.high(), wanted, array.integers));
  const int64_t length = int64_t{tensor.rows()} * tensor.columns();
  for (int64_t token : array.integers) values.add_values(token);
  for (auto i = static_cast<int64_t>(array.integers.size()); i < length; ++i) values.add_values(0);
  return absl::OkStatus();
}

absl::Status bindReals(const PublicTensor& tensor, const TensorFacts& wanted,
                       const InputArray& array, PublicValues& values) {
  for (size_t i = 0; i < array.reals.size(); ++i) {
    double value = std::floor(std::ldexp(array.reals[i], tensor.exponent()) + 0.5);
    if (!(value >= static_cast<double>(tensor.low()) &&
          value <= static_cast<double>(tensor.high()))) {
      return failure(
          Error::kOutOfRange,
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

namespace {

// Reals that are whole numbers are integers, too: masks often are.
void addIntegers(InputArray& array) {
  constexpr double kMost = 0x1p53;
  const bool whole =
      !array.integer && std::all_of(array.reals.begin(), array.reals.end(), [](double x) {
        return x == std::floor(x) && std::abs(x) <= kMost;
      });
  if (whole) array.integers.assign(array.reals.begin(), array.reals.end());
}

}  // namespace

absl::StatusOr<std::vector<InputArray>> readInputFile(const std::string& path) {
  absl::StatusOr<std::string> bytes = readFile(path, kMostBytes);
  if (!bytes.ok()) return withError(bytes.status(), Error::kFile);
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
    return failure(Error::kInput, absl::StrCat(path, ": ", arrays.status().message()));
  }
  for (InputArray& array : *arrays) addIntegers(array);
  return arrays;
}

absl::StatusOr<std::vector<int64_t>> promptOf(const ModelFacts& facts,
                                              const std::vector<InputArray>& arrays) {
  LINDERO_RETURN_IF_ERROR(checkNames(facts, arrays));
  const TensorFacts& wanted = facts.inputs.front();
  const InputArray* array = findArray(arrays, wanted.name);
  if (array == nullptr) return failure(Error::kInput, absl::StrCat("no input '", wanted.name, "'"));
  if (!array->integer) return wrongInput(wanted, "its values are not integers");
  if (withoutOnes(array->shape).size() > 1 || array->integers.empty()) {
    return wrongInput(wanted, absl::StrCat("it has the shape ", shapeOf(*array)));
  }
  LINDERO_RETURN_IF_ERROR(checkTokens(0, wanted.values - 1, wanted, array->integers));
  return array->integers;
}

absl::Status checkInputs(const ModelFacts& facts, const std::vector<InputArray>& arrays,
                         bool decode) {
  if (decode) return promptOf(facts, arrays).status();
  LINDERO_RETURN_IF_ERROR(checkNames(facts, arrays));
  for (const TensorFacts& wanted : facts.inputs) {
    if (wanted.unread) continue;
    const InputArray* array = findArray(arrays, wanted.name);
    if (array == nullptr) return missing(facts, wanted.name);
    LINDERO_RETURN_IF_ERROR(checkArray(facts, wanted, *array));
    if (wanted.values == 0) continue;
    LINDERO_RETURN_IF_ERROR(checkTokens(0, wanted.values - 1, wanted, array->integers));
  }
  return absl::OkStatus();
}

namespace {

// Adds what is given for a public input.
absl::Status bindTensor(const PublicTensor& tensor, const ModelFacts& facts,
                        const std::vector<InputArray>& arrays, BoundInputs& bound) {
  const TensorFacts* wanted = facts.input(tensor.name());
  if (wanted == nullptr) {
    return failure(Error::kPackage, absl::StrCat("the package's report.json does not know input '",
                                                 tensor.name(), "'; compile the model again"));
  }
  const InputArray* array = findArray(arrays, tensor.name());
  if (array == nullptr) return missing(facts, tensor.name());
  LINDERO_RETURN_IF_ERROR(checkArray(facts, *wanted, *array));
  PublicValues& values = *bound.statement.add_tensors();
  values.set_name(tensor.name());
  values.set_kind(PublicValues::INPUT);
  values.set_rows(tensor.rows());
  values.set_columns(tensor.columns());
  if (wanted->integer) {
    LINDERO_RETURN_IF_ERROR(bindTokens(tensor, *wanted, *array, values));
    const auto given = static_cast<int64_t>(array->integers.size());
    const int64_t length = int64_t{tensor.rows()} * tensor.columns();
    if (given < length) bound.short_inputs.push_back({tensor.name(), given, length});
  } else {
    LINDERO_RETURN_IF_ERROR(bindReals(tensor, *wanted, *array, values));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BoundInputs> bindInputs(absl::Span<const Circuit* const> circuits,
                                       const ModelFacts& facts,
                                       const std::vector<InputArray>& arrays) {
  LINDERO_RETURN_IF_ERROR(checkNames(facts, arrays));
  BoundInputs bound;
  bound.statement.set_format(1);
  for (const Circuit* circuit : circuits) {
    for (const PublicTensor& tensor : circuit->publics()) {
      if (tensor.kind() != PublicTensor::INPUT) continue;
      LINDERO_RETURN_IF_ERROR(bindTensor(tensor, facts, arrays, bound));
    }
  }
  return bound;
}

}  // namespace lindero::runtime
