#include "compiler/driver/samples.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/driver/errors.h"
#include "llvm/ADT/STLExtras.h"
#include "runtime/inputs/inputs.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::tensor::Array;

constexpr uint64_t kMostText = uint64_t{1} << 28;

int64_t elements(const TensorFacts& tensor) {
  int64_t count = 1;
  for (int64_t size : tensor.shape) count *= size;
  return count;
}

absl::Status checkTokens(const std::vector<int64_t>& ids, int64_t vocabulary,
                         const std::string& path) {
  for (int64_t id : ids) {
    if (id < 0 || id >= vocabulary) {
      return failure(Error::kToken,
                     absl::StrCat(path, ": token ", id, " is outside of the vocabulary 0 .. ",
                                  vocabulary - 1));
    }
  }
  return absl::OkStatus();
}

// How many runs the array holds; 0 if it does not fit.
int64_t runsOf(const runtime::InputArray& array, const TensorFacts& tensor) {
  int64_t count = array.integer ? array.integers.size() : array.reals.size();
  int64_t each = elements(tensor);
  bool fits = each > 0 && count % each == 0 && (!tensor.integer || !array.integers.empty());
  return fits ? count / each : 0;
}

Array runOf(const runtime::InputArray& array, const TensorFacts& tensor, int64_t run) {
  int64_t each = elements(tensor);
  auto slice = [&](const auto& values) {
    using Values = std::decay_t<decltype(values)>;
    return Values(values.begin() + run * each, values.begin() + (run + 1) * each);
  };
  if (tensor.integer) return Array::integer(tensor.shape, slice(array.integers));
  return Array::real(tensor.shape, slice(array.reals));
}

// The samples that are taken, spread evenly over all.
std::vector<int64_t> chooseSamples(int64_t total, const MostSamples& most, const std::string& path,
                                   runtime::Monitor& monitor) {
  const int64_t count = std::min(most.count, total);
  if (count < total) {
    monitor.note(absl::StrCat("of the ", total, " samples in ", path, ", ", count,
                              " are used; more with ", most.option));
  }
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < count; ++i) chosen.push_back(i * total / count);
  return chosen;
}

}  // namespace

bool isArrayFile(const std::string& path) {
  return absl::EndsWith(path, ".json") || absl::EndsWith(path, ".npy") ||
         absl::EndsWith(path, ".npz");
}

absl::StatusOr<std::vector<passes::ComparisonSample>> readTextSamples(
    const std::string& path, const ModelFacts& facts, const runtime::Tokenizer& tokenizer,
    const MostSamples& most, runtime::Monitor& monitor) {
  if (!facts.readsTokens() || facts.inputs.size() != 1) {
    return failure(Error::kInput, absl::StrCat(path,
                                               ": a text fits only a model whose one input is "
                                               "tokens; give arrays (.json, .npz)"));
  }
  absl::StatusOr<std::string> text = runtime::readFile(path, kMostText);
  if (!text.ok()) return withError(text.status(), Error::kFile);
  LINDERO_ASSIGN_OR_RETURN(std::vector<int64_t> ids, tokenizer.encode(*text));
  LINDERO_RETURN_IF_ERROR(checkTokens(ids, facts.vocabulary, path));
  int64_t length = elements(facts.inputs[0]);
  std::vector<passes::ComparisonSample> all = passes::textSamples(ids, length);
  if (all.empty()) {
    return failure(Error::kInput, absl::StrCat(path, ": the text has ", ids.size(),
                                               " tokens; one window takes ", length + 1));
  }
  std::vector<passes::ComparisonSample> chosen;
  for (int64_t i : chooseSamples(all.size(), most, path, monitor))
    chosen.push_back(std::move(all[i]));
  return chosen;
}

absl::StatusOr<std::vector<passes::Sample>> readArraySamples(const std::string& path,
                                                             const ModelFacts& facts,
                                                             const MostSamples& most,
                                                             runtime::Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(std::vector<runtime::InputArray> arrays, runtime::readInputFile(path));
  std::vector<const runtime::InputArray*> chosen;
  std::optional<int64_t> total;
  for (const TensorFacts& tensor : facts.inputs) {
    auto found = std::find_if(arrays.begin(), arrays.end(), [&](const runtime::InputArray& array) {
      return array.name == tensor.name || (array.name.empty() && facts.inputs.size() == 1);
    });
    int64_t runs = found == arrays.end() ? 0 : runsOf(*found, tensor);
    if (runs == 0) {
      return failure(Error::kInput, absl::StrCat(path, ": ",
                                                 found == arrays.end() ? "has no"
                                                                       : "wrong shape or "
                                                                         "type of",
                                                 " input '", tensor.name, "'; the model wants ",
                                                 describe(tensor), ", or a leading axis of runs"));
    }
    if (tensor.values > 0) {
      LINDERO_RETURN_IF_ERROR(checkTokens(found->integers, tensor.values, path));
    }
    total = std::min(total.value_or(runs), runs);
    chosen.push_back(&*found);
  }
  std::vector<passes::Sample> samples;
  for (int64_t i : chooseSamples(total.value_or(1), most, path, monitor)) {
    passes::Sample& sample = samples.emplace_back();
    for (auto [tensor, array] : llvm::zip(facts.inputs, chosen))
      sample.push_back(runOf(*array, tensor, i));
  }
  return samples;
}

passes::Sample sampleOf(const ModelFacts& facts, const std::vector<runtime::InputArray>& arrays) {
  passes::Sample sample;
  for (const TensorFacts& tensor : facts.inputs) {
    const auto found =
        std::find_if(arrays.begin(), arrays.end(), [&](const runtime::InputArray& array) {
          return array.name == tensor.name || (array.name.empty() && arrays.size() == 1);
        });
    Array array =
        Array::zeros(tensor.integer ? ir::Element::kInt : ir::Element::kFloat, tensor.shape);
    if (found == arrays.end()) {
      array.integers.assign(array.integers.size(), 1);
    } else if (tensor.integer) {
      std::copy_n(found->integers.begin(), std::min(found->integers.size(), array.integers.size()),
                  array.integers.begin());
    } else {
      std::copy_n(found->reals.begin(), std::min(found->reals.size(), array.reals.size()),
                  array.reals.begin());
    }
    sample.push_back(std::move(array));
  }
  return sample;
}

std::vector<runtime::InputArray> arraysOf(const ModelFacts& facts, const passes::Sample& sample) {
  std::vector<runtime::InputArray> arrays;
  for (size_t i = 0; i < sample.size(); ++i) {
    const Array& values = sample[i];
    arrays.push_back({.name = facts.inputs[i].name,
                      .shape = {values.shape.begin(), values.shape.end()},
                      .integer = !values.isReal(),
                      .integers = values.integers,
                      .reals = values.reals});
  }
  return arrays;
}

absl::StatusOr<passes::Sample> inputsOf(const ir::Function& function,
                                        const passes::Sample& sample) {
  const auto arguments = function.body().arguments();
  if (arguments.size() != sample.size()) {
    return absl::InternalError(
        absl::StrCat("the graph has other inputs than these ", sample.size()));
  }
  passes::Sample inputs = sample;
  for (auto [argument, input] : llvm::zip(arguments, inputs)) {
    const bool real = input.isReal();
    input.shape = argument->type().shape;
    const int64_t elements = input.elements();
    real ? input.reals.resize(elements) : input.integers.resize(elements);
  }
  return inputs;
}

}  // namespace lindero::compiler
