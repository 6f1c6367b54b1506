// What a value is made of where masks close some of its elements: without the masks, and which
// elements they close.
//
// A mask is a term that is 0 or beyond every ordinary number, kMasked (masks.h) at the least:
// functions of a truth value that are so in one case (of_truth.h), choices of constants, constants.
// It is found through sums, choices,
// maxima, minima, factors, copies and joins. That it hides what it closes is for quantize to prove.
#pragma once

#include <limits>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "passes/import_cleanup/support/of_truth.h"
#include "passes/import_cleanup/support/whole_range.h"

namespace lindero::passes {

// Are closed elements far below the others, or far above?
enum class Side { kBelow, kAbove };

struct ClosedParts {
  ir::Value* rest = nullptr;    // without what closes elements; null: zero
  ir::Value* closed = nullptr;  // truth values; null: nothing is
  bool everything = false;      // all is closed, whatever `closed` says
  bool computed = false;        // `closed` depends on the inputs
  // The most that closes; of those above, the least, negated.
  double level = -std::numeric_limits<double>::infinity();
  bool exact = true;   // closed ones are at `level`, whatever the rest is
  bool added = false;  // closed ones are at rest + `level`

  bool closes() const { return everything || closed != nullptr; }
};

// Makes the ops that the parts are results of, where its builder stands.
class PartsFinder {
 public:
  explicit PartsFinder(ir::Builder builder) : builder_(std::move(builder)) {}

  // Of what nothing closes, `rest` is the value.
  absl::StatusOr<ClosedParts> of(ir::Value* value, Side side = Side::kBelow) {
    return partsOf(value, side, 0);
  }

  absl::StatusOr<ir::Value*> emit(llvm::StringRef name, llvm::ArrayRef<ir::Value*> operands,
                                  llvm::ArrayRef<ir::NamedAttribute> attributes = {});
  absl::StatusOr<ir::Value*> expanded(ir::Value* value, llvm::ArrayRef<int64_t> shape);
  ir::Value* constant(const ir::tensor::Array& array);

  // What it made and nothing reads.
  void eraseUnread();

 private:
  using Result = absl::StatusOr<ClosedParts>;

  Result partsOf(ir::Value* value, Side side, int depth);
  Result ofConstant(ir::Value* value, Side side);
  Result ofTruth(ir::Value* value, Side side, int depth);
  struct Truth {
    ir::Value* value = nullptr;  // 0 or 1; null: the number is computed from more than one
    TwoNumbers numbers = {0, 1};
  };
  absl::StatusOr<Truth> truthOf(ir::Value* value, int depth);
  Result ofTwo(const Truth& truth, ir::Value* value, Side side);
  Result ofTerms(ir::Op& sum, Side side, int depth);
  Result ofSum(ir::Op& op, Side side, int depth);
  Result sumOf(const ClosedParts& a, const ClosedParts& b, llvm::StringRef name);
  Result either(const ClosedParts& a, const ClosedParts& b);
  Result ofChoice(ir::Op& op, Side side, int depth);
  Result ofProduct(ir::Op& op, Side side, int depth);
  Result ofMultiple(ir::Value* value, double factor, Side side);
  Result ofLimit(ir::Op& op, Side side, int depth);
  Result ofBound(ir::Op& op, Side side, int depth);
  Result ofMasks(ir::Op& op, Side side, int depth);
  Result ofNegative(ir::Op& op, Side side, int depth);
  Result ofCopy(ir::Op& op, Side side, int depth);
  Result ofJoined(ir::Op& op, Side side, int depth);
  absl::StatusOr<ir::Value*> asReal(ir::Value* value);
  absl::StatusOr<ir::Value*> disjunction(ir::Value* a, ir::Value* b);

  ir::Builder builder_;
  WholeRanges ranges_;
  std::vector<ir::Op*> made_;
  int visits_ = 0;
};

}  // namespace lindero::passes
