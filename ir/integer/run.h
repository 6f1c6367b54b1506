// One run of a function of the integer dialect: its values, and what an op makes of them. Private
// to the interpreter, which takes several runs through the ops together.
#pragma once

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ir/core/live_values.h"
#include "ir/integer/interpreter.h"
#include "ir/integer/kernels.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::ir::integer {

// What the runs have in common.
struct Constants {
  explicit Constants(const ConstantPool& pool) : pool(pool) {}

  const ConstantPool& pool;
  LiveValues<IntArray> arrays;
  // Matrices that are read where they are, and not copied.
  llvm::DenseMap<const Value*, Rows> matrices;
};

class Run {
 public:
  Run(const Constants& constants, Observer* observer)
      : constants_(constants), observer_(observer) {}

  // An error ends the run.
  void end(absl::Status status) { status_.Update(std::move(status)); }
  const absl::Status& status() const { return status_; }
  Observer* observer() const { return observer_; }

  // An argument; the shape of the input may have a batch of 1.
  absl::Status bind(const Value& argument, const IntArray& input);
  // An argument, a computed value or a constant.
  absl::StatusOr<const IntArray*> read(const Value* value) const;
  absl::StatusOr<Rows> rows(const Value* value) const;
  // The result of an op that has neither a block nor a function. Two threads may compute at once,
  // also of two runs.
  absl::StatusOr<IntArray> compute(const Op& op) const;
  // A result: checks its range, and shows it to the observer.
  absl::Status define(const Value& value, IntArray array, llvm::StringRef what = "value");
  // The results of an op with a block: what the block hands out, which was checked and observed
  // where it was computed.
  absl::Status yield(const Op& terminator, const Op& holder);
  // The operands of an op that hands them on. Those that nobody reads after it are gone.
  absl::StatusOr<std::vector<IntArray>> take(const Op& op);
  void release(const Op& op) { values_.release(op); }

 private:
  using Array = const IntArray*;

  absl::StatusOr<IntArray> embedding(const Op& op) const;
  absl::StatusOr<IntArray> layerNorm(const Op& op) const;
  absl::StatusOr<IntArray> linearOp(const Op& op) const;
  absl::StatusOr<IntArray> requantizeOp(const Op& op) const;
  absl::StatusOr<IntArray> affineOp(const Op& op) const;
  absl::StatusOr<IntArray> copyOp(const Op& op) const;
  absl::StatusOr<IntArray> lookup(const Op& op) const;
  absl::StatusOr<IntArray> softmax(const Op& op) const;

  const Constants& constants_;
  Observer* observer_;
  absl::Status status_ = absl::OkStatus();
  LiveValues<IntArray> values_;
};

}  // namespace lindero::ir::integer
