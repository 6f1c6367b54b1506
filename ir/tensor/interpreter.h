// Evaluates functions of the tensor dialect, raw or canonical, in double precision: the accuracy
// reference, and what calibration watches. Reals that integers alone decide are in single precision
// (of_integers.h).
//
// Every op is evaluated once per run, in order; an intermediate value lives until its last use.
// Matrix products run through Eigen, those with weights in parallel over columns; everything else
// is a plain loop. Results depend on the machine in the last bits, which is why nothing that is
// proven may depend on them but through the exponents file.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "ir/tensor/of_integers.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::ir::tensor {

// Sees values as they are computed.
class Observer {
 public:
  virtual ~Observer() = default;
  // Every argument, constant and op result, once per run.
  virtual void observe(const Value& value, const Array& array) = 0;
  // The scores q k^T * scale inside an attention op, [heads, T, T], before the mask is applied.
  virtual void observeScores(const Op& attention, const Array& scores) {}
};

// In single precision the results of each node (the ops of one location) are rounded; what is
// inside of one is computed in double, as a runtime may compute it in any way.
enum class Precision { kDouble, kSingle };

// Do only other ops of its node read the value?
bool isInsideNode(const Value& value);

// Keeps small constants in double precision between runs; weights are read where they are. The
// function must not change meanwhile.
class Interpreter {
 public:
  explicit Interpreter(const Function& function, Precision precision = Precision::kDouble)
      : function_(function), precision_(precision), of_integers_(realsOfIntegers(function)) {}

  // `inputs` are the function's arguments, with exactly their types. Returns what the function
  // returns. Errors name the node: a type mismatch, an index out of range, an op without a meaning
  // here.
  absl::StatusOr<std::vector<Array>> run(llvm::ArrayRef<Array> inputs,
                                         Observer* observer = nullptr);

  // The same for several runs side by side: each weight is read once, and all ops use all cores.
  // Results are those of run(), bit for bit. Each run has an observer, or none has; several may
  // have the same, which sees each value once per run, in the order of the runs. An error is that
  // of any run. Memory: that of as many runs.
  absl::StatusOr<std::vector<std::vector<Array>>> runAll(
      llvm::ArrayRef<llvm::ArrayRef<Array>> inputs, llvm::ArrayRef<Observer*> observers = {});

 private:
  absl::StatusOr<const Array*> constant(const Op& op);

  const Function& function_;
  const Precision precision_;
  llvm::DenseSet<const Value*> of_integers_;
  llvm::DenseMap<const Op*, std::unique_ptr<Array>> constants_;
};

// One run of a new Interpreter.
absl::StatusOr<std::vector<Array>> interpret(const Function& function, llvm::ArrayRef<Array> inputs,
                                             Observer* observer = nullptr);

// One op of one result on given operands; neither a constant nor a terminator.
absl::StatusOr<Array> evaluate(const Op& op, llvm::ArrayRef<const Array*> operands,
                               Observer* observer = nullptr);

}  // namespace lindero::ir::tensor
