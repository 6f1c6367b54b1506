// Where single precision loses what double precision computes.

#include <cmath>
#include <vector>

#include "compiler/driver/compilation.h"
#include "compiler/driver/samples.h"
#include "ir/core/op_table.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/DenseMap.h"
#include "passes/quantize/row_figures.h"

namespace lindero::compiler {
namespace {

using ir::tensor::Array;

constexpr int64_t kMostKept = int64_t{1} << 26;  // elements

bool isBorder(const ir::Value& value) {
  return value.definingOp() != nullptr && !value.definingOp()->is("tensor.constant") &&
         !ir::tensor::isInsideNode(value);
}

class Recorder : public ir::tensor::Observer {
 public:
  void observe(const ir::Value& value, const Array& array) override {
    if (isBorder(value)) arrays[&value] = array;
  }
  llvm::DenseMap<const ir::Value*, Array> arrays;
};

bool differ(const Array& exact, const Array& single, const passes::PrecisionLimits& limits) {
  if (!exact.isReal()) return exact.integers != single.integers;
  const int64_t width = passes::rowWidth(exact.shape);
  std::vector<passes::RowFigures> rows;
  for (int64_t first = 0; first < exact.elements(); first += width)
    rows.push_back(
        passes::measureBelowMasks(llvm::ArrayRef<double>(exact.reals).slice(first, width),
                                  llvm::ArrayRef<double>(single.reals).slice(first, width)));
  const passes::RowSummary found = passes::summarize(rows);
  return !(found.largest_error <= limits.row_error) || !(found.zero_error <= limits.row_error);
}

class FirstDifference : public ir::tensor::Observer {
 public:
  FirstDifference(const Recorder& exact, const passes::PrecisionLimits& limits)
      : exact_(exact), limits_(limits) {}
  void observe(const ir::Value& value, const Array& array) override {
    if (found != nullptr) return;
    const auto it = exact_.arrays.find(&value);
    if (it != exact_.arrays.end() && differ(it->second, array, limits_)) found = &value;
  }
  const ir::Value* found = nullptr;

 private:
  const Recorder& exact_;
  const passes::PrecisionLimits& limits_;
};

}  // namespace

std::string Compilation::firstRounded(llvm::ArrayRef<passes::Sample> samples,
                                      const passes::PrecisionLimits& limits) const {
  const ir::Function& graph = *imported_->findFunction("main");
  int64_t elements = 0;
  for (const ir::Op& op : graph.body().ops()) {
    for (unsigned i = 0; i < op.numResults(); ++i)
      if (isBorder(*op.result(i))) elements += op.result(i)->type().elements();
  }
  if (elements > kMostKept) return "";
  for (const passes::Sample& sample : samples) {
    const absl::StatusOr<passes::Sample> inputs = inputsOf(graph, sample);
    if (!inputs.ok()) return "";
    Recorder exact;
    if (!ir::tensor::interpret(graph, *inputs, &exact).ok()) return "";
    FirstDifference first(exact, limits);
    ir::tensor::Interpreter single(graph, ir::tensor::Precision::kSingle);
    if (single.run(*inputs, &first).ok() && first.found != nullptr)
      return ir::describe(*first.found->definingOp());
  }
  return "";
}

}  // namespace lindero::compiler
