// Runs a function of the integer dialect: this is the definition of what gets proven (the functions
// themselves: kernels.h).
//
// Every value is checked against the range of its type, and every function against the ranges it
// states; an error names the ONNX node, the op, the value and the range. Regions are transparent:
// their ops run where the region stands. The result is a function of the inputs and constants
// alone, bit for bit on every machine; matrix products run in double precision, which is exact
// because types bound them. Time is that of the products; memory that of the live values (freed
// after their last use).
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/integer/kernels.h"

namespace lindero::ir::integer {

// Sees the arguments and every computed value once, after its range check. Constants are not shown.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void observe(const Value& value, const IntArray& array) = 0;
};

// `inputs` in the order of the function's arguments; results in the order of integer.return's
// operands.
absl::StatusOr<std::vector<IntArray>> interpret(const Function& function,
                                                llvm::ArrayRef<IntArray> inputs,
                                                Observer* observer = nullptr);

// The same for several runs side by side, each with inputs and an observer, or without observers at
// all: weights are read once for all of them, and ops use all cores. Each run has the result that
// it has alone, and an error of one stops no other. Several may have the same observer, which sees
// each value run by run.
std::vector<absl::StatusOr<std::vector<IntArray>>> interpretAll(
    const Function& function, llvm::ArrayRef<std::vector<IntArray>> inputs,
    llvm::ArrayRef<Observer*> observers = {});

// The elements of a constant of integer type, as int64.
absl::StatusOr<IntArray> readConstant(const Constant& constant);

}  // namespace lindero::ir::integer
