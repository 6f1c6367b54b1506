#include "passes/quantize/error_bound.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/integer/interpreter.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/quantize/bound_propagation.h"
#include "passes/quantize/compare.h"
#include "passes/quantize/masks.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::integer::IntArray;
using ir::tensor::Array;
using Doubles = std::vector<double>;

Doubles realsOf(const Array& array) {
  if (array.isReal()) return array.reals;
  return {array.integers.begin(), array.integers.end()};
}

// Does a mask hide the element, so that what the integers hold is a choice (masks.h)?
bool isHidden(bool scores, double expected, llvm::ArrayRef<double> masks, size_t i) {
  return (scores && expected <= kMasked) || (!masks.empty() && masks[i] < 0);
}

double readingOf(const TensorRecord& record, double integer, size_t column) {
  const double gamma = record.gamma.empty() ? 1 : record.gamma[column];
  const double beta = record.beta.empty() ? 0 : record.beta[column];
  return std::ldexp(integer, -record.exponents[column]) * gamma + beta;
}

// Runs the float function and looks at what the integer program stores on the way.
class Beside {
 public:
  Beside(const ir::Function& source, llvm::ArrayRef<TensorRecord> records, BoundPropagation& bounds,
         bool alone)
      : source_(source), bounds_(bounds), alone_(alone) {
    const std::vector<const Value*> sites = exponentSites(source);
    for (const TensorRecord& record : records)
      if (record.site >= 0) records_[sites[record.site]] = &record;
  }

  absl::StatusOr<std::vector<BoundedTensor>> run(const Sample& inputs) {
    for (auto [argument, input] : llvm::zip(source_.body().arguments(), inputs))
      add(*argument, input);
    for (const Op& op : source_.body().ops()) {
      if (op.def().terminator) continue;
      if (op.is("tensor.constant")) {
        IR_ASSIGN_OR_RETURN(reals_[op.result()],
                            ir::tensor::readConstant(*constantOf(*op.result())));
        continue;
      }
      std::vector<const Array*> operands;
      for (const Value* operand : op.operands()) operands.push_back(&reals_.find(operand)->second);
      IR_ASSIGN_OR_RETURN(Array result, ir::tensor::evaluate(op, operands));
      add(*op.result(), std::move(result));
    }
    return std::move(tensors_);
  }

  const Array& of(const Value& value) const { return reals_.find(&value)->second; }

 private:
  // Alone, the integers' value goes on instead of the float one.
  void add(const Value& site, Array array) {
    const TensorRecord* record = records_.lookup(&site);
    if (record != nullptr && array.isReal()) {
      const Bounded& stored = bounds_.of(record->value);
      const std::vector<double>& masks = masks_.of(site);
      const bool scores = masks_.hides(site);
      BoundedTensor tensor = {.role = record->role, .node = record->node};
      for (size_t i = 0; i < array.reals.size(); ++i) {
        double& expected = array.reals[i];
        if (isHidden(scores, expected, masks, i)) continue;
        const size_t column = i % record->exponents.size();
        const double actual = readingOf(*record, stored.values[i], column);
        const double unit = std::ldexp(record->gamma.empty() ? 1 : record->gamma[column],
                                       -record->exponents[column]);
        tensor.expected.push_back(expected);
        tensor.actual.push_back(actual);
        tensor.bounds.push_back(times(std::abs(unit), stored.bounds[i]));
        if (alone_) expected = actual;
      }
      tensors_.push_back(std::move(tensor));
    }
    reals_[&site] = std::move(array);
  }

  const ir::Function& source_;
  BoundPropagation& bounds_;
  bool alone_;
  llvm::DenseMap<const Value*, const TensorRecord*> records_;
  Masks masks_;
  std::map<const Value*, Array> reals_;
  std::vector<BoundedTensor> tensors_;
};

BoundedTensor outputOf(llvm::StringRef name, const ir::Type& type, const Array& expected,
                       const Bounded& found) {
  BoundedTensor output = {.role = "output", .node = name.str(), .expected = realsOf(expected)};
  const int exponent = type.element == ir::Element::kFixed ? type.exponent : 0;
  for (double value : found.values) output.actual.push_back(std::ldexp(value, -exponent));
  for (double bound : found.bounds) output.bounds.push_back(std::ldexp(bound, -exponent));
  return output;
}

}  // namespace

int64_t BoundedTensor::firstBeyond() const {
  double largest = 0;
  for (double x : expected) largest = std::isfinite(x) ? std::max(largest, std::abs(x)) : largest;
  for (size_t i = 0; i < expected.size(); ++i) {
    // The float function is in doubles, too.
    const double slack = 1e-9 * largest;
    if (std::isfinite(expected[i]) && !(std::abs(actual[i] - expected[i]) <= bounds[i] + slack))
      return static_cast<int64_t>(i);
  }
  return -1;
}

absl::StatusOr<BoundedRun> boundErrors(const ir::Function& source, const ir::Function& integer,
                                       llvm::ArrayRef<TensorRecord> records, const Sample& inputs) {
  std::vector<IntArray> converted;
  for (auto [input, argument] : llvm::zip(inputs, integer.body().arguments())) {
    IR_ASSIGN_OR_RETURN(IntArray one, toIntegerInput(input, *argument));
    converted.push_back(std::move(one));
  }
  BoundedRun run;
  for (bool alone : {true, false}) {
    BoundPropagation bounds(source, integer, records, inputs, alone);
    IR_RETURN_IF_ERROR(ir::integer::interpret(integer, converted, &bounds).status());
    IR_RETURN_IF_ERROR(bounds.status());
    Beside comparison(source, records, bounds, alone);
    IR_ASSIGN_OR_RETURN(std::vector<BoundedTensor> tensors, comparison.run(inputs));
    (alone ? run.steps : run.tensors) = std::move(tensors);
    if (alone) continue;
    const Op &end = *integer.body().terminator(), &ideal = *source.body().terminator();
    const auto* names = std::get_if<std::vector<std::string>>(end.find("names"));
    for (unsigned i = 0; i < end.numOperands(); ++i) {
      run.outputs.push_back(outputOf(names != nullptr ? (*names)[i] : "", end.operand(i)->type(),
                                     comparison.of(*ideal.operand(i)), bounds.of(end.operand(i))));
    }
  }
  return run;
}

}  // namespace lindero::passes
