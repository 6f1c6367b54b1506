// How integers, truth values and comparisons are spelled in real arithmetic. Truth values are 0 and
// 1, integers whole.
#pragma once

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "passes/import_cleanup/support/whole_range.h"

namespace lindero::passes {

class Arithmetic {
 public:
  // Ops are made there.
  explicit Arithmetic(ir::Builder& builder) : builder_(builder) {}

  // Is an op on reals spelled in others, too?
  bool spellsReal(const ir::Op& op) const;
  // The op on real operands in place of its own; null if it has no such spelling.
  absl::StatusOr<ir::Value*> spell(const ir::Op& op, llvm::ArrayRef<ir::Value*> operands);
  // 0 in every run that is not refused: a run in which x has no value is.
  absl::StatusOr<ir::Value*> never(ir::Value* x);
  // The index that tensor.argmax has of whole numbers.
  absl::StatusOr<ir::Value*> argmax(const ir::Op& op, ir::Value* x);
  // The elements of an axis of `data` that a computed index picks, in [low, high]: one from the end
  // where it is negative. An index of no element has no value.
  absl::StatusOr<ir::Value*> pick(ir::Value* data, ir::Value* index, int64_t axis,
                                  const WholeRange& range);

  absl::StatusOr<ir::Value*> emit(llvm::StringRef op, llvm::ArrayRef<ir::Value*> operands,
                                  llvm::ArrayRef<ir::NamedAttribute> attributes = {});
  ir::Value* constant(const ir::tensor::Array& array);

 private:
  using Result = absl::StatusOr<ir::Value*>;

  ir::Value* number(double value);
  Result function(const std::string& text, ir::Value* x);
  Result reshaped(ir::Value* value, llvm::ArrayRef<int64_t> shape);
  Result castTo(const ir::Op& op, ir::Value* x);
  Result negation(ir::Value* x);
  Result conjunction(ir::Value* a, ir::Value* b);
  Result disjunction(ir::Value* a, ir::Value* b);
  Result comparison(llvm::StringRef name, ir::Value* a, ir::Value* b);
  Result expanded(ir::Value* value, llvm::ArrayRef<int64_t> shape);
  Result choice(const ir::Op& op, ir::Value* condition, ir::Value* a, ir::Value* b);
  Result maximum(ir::Value* a, ir::Value* b);
  Result minimum(ir::Value* a, ir::Value* b);
  Result extremum(bool greatest, ir::Value* x, llvm::ArrayRef<int64_t> axes);

  ir::Builder& builder_;
};

}  // namespace lindero::passes
