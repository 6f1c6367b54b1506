// How integers, truth values and comparisons are spelled in real arithmetic. Truth values are 0 and
// 1, integers whole.
//
// Sums of whole numbers are exact up to 2^26; tables and products of two of them have less room.
// What would read larger ones there reads their limbs.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "passes/import_cleanup/support/whole_range.h"

namespace lindero::passes {

// Integers from here on are refused: sums of such ones still have an exact form (whole.h).
inline constexpr int64_t kMostInteger = 1 << 26;

// Larger whole numbers are not exact in a table of 14-bit keys, with its margin.
inline constexpr int64_t kMostWhole = 1 << 11;

// What is divided by what is computed, and its divisors, but for powers of 2.
inline constexpr int64_t kMostDivided = 1 << 11;
// What has its bits compared with others.
inline constexpr int64_t kMostShared = (1 << 16) - 1;

// Is it 2 to a power that is computed?
bool isPowerOfTwo(const ir::Value* value);

class Arithmetic {
 public:
  // Ops are made there.
  explicit Arithmetic(ir::Builder& builder) : builder_(builder) {}

  // Is an op on reals spelled in others, too?
  bool spellsReal(const ir::Op& op) const;
  // The op on real operands in place of its own; null if it has no such spelling.
  // `ranges`: of operands that are whole.
  absl::StatusOr<ir::Value*> spell(const ir::Op& op, llvm::ArrayRef<ir::Value*> operands,
                                   llvm::ArrayRef<std::optional<WholeRange>> ranges);
  // 0 in every run that is not refused: a run in which x has no value is.
  absl::StatusOr<ir::Value*> never(ir::Value* x);
  // The index that tensor.argmax has of whole numbers.
  absl::StatusOr<ir::Value*> argmax(const ir::Op& op, ir::Value* x, const WholeRange& range);
  // Of any reals.
  absl::StatusOr<ir::Value*> argmaxOfReals(const ir::Op& op, ir::Value* x);
  // With its range, if it is whole.
  struct Number {
    ir::Value* value;
    std::optional<WholeRange> range;
  };
  // The elements of an axis of `data` that a computed index picks: one from the end where it is
  // negative. An index of no element has no value.
  absl::StatusOr<ir::Value*> pick(Number data, Number index, int64_t axis);

  absl::StatusOr<ir::Value*> emit(llvm::StringRef op, llvm::ArrayRef<ir::Value*> operands,
                                  llvm::ArrayRef<ir::NamedAttribute> attributes = {});
  ir::Value* constant(const ir::tensor::Array& array);

 private:
  using Result = absl::StatusOr<ir::Value*>;

  ir::Value* number(double value);
  Result function(const std::string& text, ir::Value* x);
  Result reshaped(ir::Value* value, llvm::ArrayRef<int64_t> shape);
  Result castTo(const ir::Op& op, Number x);
  Result negation(ir::Value* x);
  Result conjunction(ir::Value* a, ir::Value* b);
  Result disjunction(ir::Value* a, ir::Value* b);
  Result comparison(llvm::StringRef name, Number a, Number b);
  Result expanded(ir::Value* value, llvm::ArrayRef<int64_t> shape);
  Result choice(const ir::Op& op, ir::Value* condition, Number a, Number b);
  // Exact: one of the two as it is, for a comparison that looks for it. Costs more.
  enum class Exactness { kRounded, kExact };
  static Exactness exactnessFor(const ir::Op& op);
  // b + c (a - b), or c a + (1 - c) b.
  Result chosen(ir::Value* c, Number a, Number b, Exactness exactness);
  Result eitherOf(ir::Value* c, Number a, Number b);
  Result extremeOfTwo(bool greatest, Number a, Number b, Exactness exactness = Exactness::kRounded);
  Result extremum(bool greatest, Number x, llvm::ArrayRef<int64_t> axes,
                  Exactness exactness = Exactness::kRounded);
  Result sum(ir::Value* x, llvm::ArrayRef<int64_t> axes);
  Result product(Number a, Number b);
  // Powers of a whole number, and of 2.
  Result power(const ir::Op& op, Number base, Number exponent);
  Result magnitude(Number x);
  // Toward zero.
  Result quotient(const ir::Op& op, Number a, Number b);
  Result shifted(Number a, Number b);
  // Bits of whole numbers (bits.cc).
  Result wrap(const ir::Op& op, Number x);
  Result sharedBits(Number a, Number b);
  absl::StatusOr<llvm::SmallVector<ir::Value*>> bitsOf(Number x, int count);
  Result slice(ir::Value* x, int64_t axis, int64_t start, int64_t size);
  Result oneHot(Number index, int64_t size);
  // A whole number is the sum of its limbs times 2^shift, which tables and products have room for.
  struct Limb {
    ir::Value* value;
    int shift;
  };
  using Limbs = llvm::SmallVector<Limb, 4>;
  // As those of any number that is as large as `most`.
  absl::StatusOr<Limbs> limbsOf(ir::Value* x, int64_t most);
  Result pickByRows(ir::Value* chosen, Limbs data, llvm::ArrayRef<int64_t> picked, int64_t axis);
  Result high(ir::Value* x, int shift);
  Result low(ir::Value* x, int shift);
  Result joined(llvm::ArrayRef<Limb> limbs);
  // A small number with the sign of a - b.
  Result order(llvm::ArrayRef<Limb> a, llvm::ArrayRef<Limb> b);
  absl::StatusOr<Limbs> chosenLimbs(ir::Value* c, llvm::ArrayRef<Limb> a, llvm::ArrayRef<Limb> b);
  absl::StatusOr<Limbs> extremeLimbs(bool greatest, llvm::ArrayRef<Limb> a, llvm::ArrayRef<Limb> b);

  ir::Builder& builder_;
};

}  // namespace lindero::passes
