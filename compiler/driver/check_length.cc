#include "compiler/driver/check_length.h"

#include <memory>
#include <vector>

#include "ir/core/status_macros.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/compare.h"

namespace lindero::compiler {
namespace {

using ir::tensor::Array;

// The same with the shapes of the function's inputs: their first elements.
passes::Sample inputsOf(const ir::Function& function, const passes::Sample& sample) {
  passes::Sample inputs = sample;
  for (auto [argument, input] : llvm::zip(function.body().arguments(), inputs)) {
    const bool real = input.isReal();
    input.shape = argument->type().shape;
    real ? input.reals.resize(input.elements()) : input.integers.resize(input.elements());
  }
  return inputs;
}

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

}  // namespace

absl::StatusOr<std::set<std::string>> outputsThatKnowTheLength(const std::string& path,
                                                               const ImportOptions& options,
                                                               const ir::Function& imported,
                                                               const ir::Function& tokens,
                                                               int64_t length) {
  ImportOptions shorter{.dims = options.dims, .most_elements = options.most_elements};
  bool bound = false;
  for (auto& [name, size] : shorter.dims) {
    if (size != length || length < 2) continue;
    size = length / 2;
    bound = true;
  }
  if (!bound) return std::set<std::string>();
  const absl::StatusOr<std::unique_ptr<ir::Module>> half = importOnnx(path, shorter);
  if (!half.ok()) return std::set<std::string>();
  const ir::Function& function = *(*half)->findFunction("main");
  IR_ASSIGN_OR_RETURN(const std::vector<passes::Sample> samples,
                      passes::defaultSamples(tokens, 1, /*seed=*/1, /*rounds=*/0));
  IR_ASSIGN_OR_RETURN(const std::vector<Array> all,
                      ir::tensor::interpret(imported, inputsOf(imported, samples[0])));
  IR_ASSIGN_OR_RETURN(const std::vector<Array> some,
                      ir::tensor::interpret(function, inputsOf(function, samples[0])));
  std::set<std::string> outputs;
  const auto& names =
      std::get<std::vector<std::string>>(*imported.body().terminator()->find("names"));
  for (auto [name, whole, own] : llvm::zip(names, all, some)) {
    const std::vector<double> expected = beginning(own, own.shape);
    if (!passes::checkSameReals(expected, beginning(whole, own.shape)).ok()) outputs.insert(name);
  }
  return outputs;
}

}  // namespace lindero::compiler
