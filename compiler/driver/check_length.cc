#include "compiler/driver/check_length.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "compiler/driver/import_model.h"
#include "compiler/driver/samples.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/row_figures.h"

namespace lindero::compiler {
namespace {

using ir::tensor::Array;

// The elements of a larger array that stand where those of this shape do; empty if it is no larger
// array of the same rank.
std::vector<double> beginning(const Array& whole, llvm::ArrayRef<int64_t> shape) {
  if (whole.shape.size() != shape.size()) return {};
  int64_t count = 1;
  for (auto [all, some] : llvm::zip(whole.shape, shape)) {
    if (some > all) return {};
    count *= some;
  }
  std::vector<double> elements;
  for (int64_t i = 0; i < count; ++i) {
    int64_t place = 0, stride = 1, left = i;
    for (size_t axis = shape.size(); axis-- > 0;) {
      place += left % shape[axis] * stride;
      left /= shape[axis];
      stride *= whole.shape[axis];
    }
    elements.push_back(whole.isReal() ? whole.reals[place]
                                      : static_cast<double>(whole.integers[place]));
  }
  return elements;
}

// The same numbers, to within what single precision makes of the largest one that is no mask; the
// same integers.
bool isBeginning(const Array& whole, const Array& own) {
  const std::vector<double> expected = beginning(own, own.shape),
                            actual = beginning(whole, own.shape);
  if (expected.size() != actual.size()) return false;
  const double most = own.isReal() ? 1e-4 * passes::largestBelowMasks(expected) : 0;
  return llvm::all_of(llvm::zip(expected, actual), [&](auto pair) {
    const auto [x, y] = pair;
    if (x == y || (std::isnan(x) && std::isnan(y))) return true;
    return std::abs(x - y) <= std::max(most, 1e-6 * std::abs(x));
  });
}

using Outputs = std::vector<std::vector<Array>>;  // of each sample

absl::StatusOr<Outputs> outputsOf(const ir::Function& function,
                                  llvm::ArrayRef<passes::Sample> samples) {
  Outputs outputs;
  for (const passes::Sample& sample : samples) {
    IR_ASSIGN_OR_RETURN(const passes::Sample inputs, inputsOf(function, sample));
    IR_ASSIGN_OR_RETURN(outputs.emplace_back(), ir::tensor::interpret(function, inputs));
  }
  return outputs;
}

// Fewer than the length: short and long ones, and some next to each other.
std::set<int64_t> fewer(int64_t length) {
  constexpr int64_t kAll = 9;
  std::set<int64_t> numbers;
  for (int64_t n : {int64_t{1}, int64_t{2}, int64_t{3}, length / 2, length / 2 + 1, length - 3,
                    length - 2, length - 1})
    if (0 < n && n < length) numbers.insert(n);
  for (int64_t n = 1; n < std::min(length, kAll); ++n) numbers.insert(n);
  return numbers;
}

// As many as a large model is run on, at each length, in a second.
int64_t samplesFor(const ir::Function& function) {
  return std::clamp<int64_t>((int64_t{1} << 30) / passes::productsOfRun(function), 1, 4);
}

}  // namespace

absl::StatusOr<std::set<std::string>> outputsThatKnowTheLength(const std::string& path,
                                                               const ImportOptions& options,
                                                               const ir::Function& imported,
                                                               const ir::Function& tokens,
                                                               int64_t length) {
  const bool bound =
      llvm::any_of(options.dims, [&](const auto& dim) { return dim.second == length; });
  if (!bound || length < 2) return std::set<std::string>();
  const auto& names =
      std::get<std::vector<std::string>>(*imported.body().terminator()->find("names"));
  IR_ASSIGN_OR_RETURN(const std::vector<passes::Sample> samples,
                      passes::defaultSamples(tokens, samplesFor(tokens), /*seed=*/1,
                                             /*rounds=*/0));
  IR_ASSIGN_OR_RETURN(const auto all, outputsOf(imported, samples));
  std::set<std::string> outputs;
  bool some_there = false, some_missing = false;
  for (int64_t count : fewer(length)) {
    ImportOptions shorter{.dims = options.dims, .most_elements = options.most_elements};
    for (auto& [name, size] : shorter.dims)
      if (size == length) size = count;
    const absl::StatusOr<std::unique_ptr<ir::Module>> module = importModel(path, shorter);
    const auto some = module.ok() ? outputsOf(*(*module)->findFunction("main"), samples)
                                  : absl::StatusOr<Outputs>(module.status());
    some_there |= some.ok();
    some_missing |= !some.ok();
    if (!some.ok()) continue;
    for (auto [whole, own] : llvm::zip(all, *some)) {
      for (auto [name, of_all, of_some] : llvm::zip(names, whole, own))
        if (!isBeginning(of_all, of_some)) outputs.insert(name);
    }
  }
  if (some_there && some_missing) outputs.insert(names.begin(), names.end());
  return outputs;
}

}  // namespace lindero::compiler
