// The working state of quantize(): which integer value holds each tensor value, and emission of
// integer ops. Internal.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "passes/quantize/exponents.h"
#include "passes/quantize/fold_linear.h"
#include "passes/quantize/general.h"
#include "passes/quantize/masks.h"
#include "passes/quantize/quantize.h"
#include "passes/quantize/rounding.h"
#include "passes/quantize/storage.h"
#include "passes/quantize/tables.h"
#include "passes/quantize/whole.h"

namespace lindero::passes {

// The integer value behind a tensor value. Column c stands for value_c / 2^exponents[c], times
// gamma[c], plus beta[c].
struct Stored {
  ir::Value* value = nullptr;
  std::vector<int> exponents;
  std::vector<double> gamma, beta;  // of LayerNorm, still to be absorbed; or empty
  int shift = 0;                    // of an accumulator that its reader rounds
  // LayerNorm's result with gamma and beta applied, where something reads it.
  std::shared_ptr<Stored> copy;
  // Of an accumulator: what rounding took from its weights, as a product of its own, rounded.
  std::shared_ptr<Stored> rest;
};

// The role of what is chosen from, where masks have put numbers below all others: it is not
// compared.
inline constexpr char kChoice[] = "choice";

// The rounding of a constant that is what it stands for.
inline constexpr double kExact = 0;

// With the exponent of its type in each column.
Stored storedAs(ir::Value* value);

class Lowering {
 public:
  Lowering(const ir::Function& source, const Exponents& exponents, ir::Function& target,
           std::vector<TensorRecord>* records);

  absl::Status run();

 private:
  // Linears and sums are in lower_linear.cc, weights of two parts in lower_parts.cc; layernorm,
  // attention, activation and product in lower_rows.cc; the others in lowering.cc.
  absl::Status lowerArguments();
  absl::Status lowerIntegers(const ir::Value& argument);
  absl::Status lower(const ir::Op& op);
  absl::Status lowerEmbedding(const ir::Op& op);
  absl::Status lowerLayerNorm(const ir::Op& op);
  absl::Status lowerLinear(const ir::Op& op);
  absl::Status lowerAttention(const ir::Op& op);
  absl::Status lowerActivation(const ir::Op& op);
  absl::Status lowerMultiply(const ir::Op& op);
  absl::Status lowerAdd(const ir::Op& op);
  absl::Status lowerView(const ir::Op& op);
  absl::Status lowerArgmax(const ir::Op& op);
  absl::Status lowerReturn(const ir::Op& op);

  // Ops outside of all idioms (lower_general.cc).
  absl::Status lowerGeneral(const ir::Op& op);
  absl::Status lowerCopy(const ir::Op& op);
  absl::Status lowerNumber(const ir::Op& op);
  absl::Status lowerWholeQuotient(const ir::Op& op);
  // A whole number, exactly, in a finer unit.
  ir::Value* finer(ir::Value* x, int exponent);
  absl::Status lowerAffine(const ir::Op& op);
  absl::Status lowerReduction(const ir::Op& op);
  absl::Status lowerQuotient(const ir::Op& op);
  absl::Status lowerSoftmax(const ir::Op& op);
  absl::Status lowerMatmul(const ir::Op& op);
  // Limbs of whole numbers (lower_limbs.cc).
  absl::Status lowerLimb(const ir::Op& op);
  // x by 2^shift, rounded, within `largest`; in the unit of x.
  ir::Value* highLimb(ir::Value* x, int shift, double largest);
  // Masked scores (lower_masks.cc).
  // How large what is no mask gets in the model where all that is stored is in its range.
  absl::StatusOr<double> reach(const ir::Value& scores);
  // What the softmax reads, with masked scores below all others (masks.h).
  absl::StatusOr<ir::Value*> masked(const ir::Op& softmax, ir::Value* scores);
  absl::Status lowerMask(const ir::Op& op);
  absl::Status lowerChoiceMask(const ir::Op& op);
  absl::Status checkWithin(const ir::Op& op);
  // integer.affine of these operands, which nothing rounds: |sum| <= bound.
  absl::StatusOr<ir::Value*> exactSum(llvm::ArrayRef<ir::Value*> operands, int64_t bound);
  // The integers of a stored value, if they have one exponent.
  absl::StatusOr<ir::Value*> form(const ir::Value& value);
  // Without its last bits, rounded.
  ir::Value* narrowed(ir::Value* value, int dropped);
  // A stored value, or a constant as one of so many bits.
  absl::StatusOr<ir::Value*> factor(const ir::Value& value, int bits);
  // The factor that it made of the operand, without so many of its lowest bits.
  absl::StatusOr<ir::Value*> narrowedFactor(const ir::Value& operand, ir::Value* factor,
                                            int dropped);
  // An operand as its reader takes it, of fewer bits if its site says so.
  absl::StatusOr<ir::Value*> input(const ir::Op& op, unsigned operand);
  // Elements of values, in other places; nothing new where they stay where they are, unless
  // `always`.
  ir::Value* copied(llvm::ArrayRef<ir::Value*> from, llvm::ArrayRef<int64_t> shape,
                    const std::vector<int64_t>& elements, bool always = false);
  ir::Value* spread(ir::Value* value, llvm::ArrayRef<int64_t> shape);

  absl::StatusOr<Rounding> roundingOf(const ir::Op& linear, Storage storage);
  absl::StatusOr<Rounding> slicedRounding(const ir::Op& linear);
  absl::Status lowerWideAdd(const ir::Op& op, const Stored& branch, ir::Value* addend);
  absl::Status addAddend(const ir::Value& addend, int exponent, Rounding& rounding);
  // The accumulator of a linear over x, with the largest shift that the bounds allow (0 with
  // bits = 0: a raw accumulator).
  absl::StatusOr<Stored> product(const ir::Op& op, const Stored& x, const ir::tensor::Array& weight,
                                 const ir::tensor::Array* bias, const Rounding& rounding,
                                 llvm::StringRef name);
  // A linear whose readers are slices, each slice by itself.
  absl::Status lowerParts(const ir::Op& op, const Stored& x, const ir::tensor::Array& weight,
                          const ir::tensor::Array* bias, const Rounding& rounding,
                          llvm::StringRef name);
  // Of an accumulator below `limit`: what the rests of its weights add.
  std::shared_ptr<Stored> restOf(const FoldLinear& fold, const IntegerLinear& folded,
                                 const Stored& acc, const Stored& x, int64_t limit,
                                 llvm::StringRef name);
  Stored round(const Stored& acc, int bits, const Stored* addend = nullptr, int addend_shift = 0);
  absl::StatusOr<ir::Value*> softmax(ir::Value* scores, ScoreScale scale, int64_t keys,
                                     int probability_bits, bool causal);
  absl::Status addAffineCopy(const ir::Op& op, Stored& normalized);
  absl::Status addWideCopy(const ir::Op& op, int exponent, int bits, Stored& normalized);
  absl::StatusOr<Stored> keyed(const ir::Op& activation, int key_exponent, int key_bits);

  absl::StatusOr<int> exponent(const ir::Value& value, llvm::StringRef name) const;
  // Of the stored value, where this is a view of its rows.
  const ExponentSite& siteOf(const ir::Value& value) const;
  // What a reader that knows nothing of gamma and beta gets.
  absl::StatusOr<const Stored*> plain(const ir::Value& value) const;
  const Stored& stored(const ir::Value& value) const { return *stored_.find(&value)->second; }
  void keep(const ir::Value& value, Stored stored, llvm::StringRef role, int weight_bits = 0);
  void record(int64_t site, const Stored& stored, llvm::StringRef role, int weight_bits);

  // In the narrowest of i16 and i32. `rounding`: how far a value may be from what it stands for.
  ir::Value* narrowConstant(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                            llvm::ArrayRef<int32_t> values, int exponent, double rounding = 0.5);
  // A table that layers share: made once per key, and called that unless it has a name. An empty
  // shape stands for one row of all values.
  absl::StatusOr<ir::Value*> table(const std::string& key, llvm::ArrayRef<int64_t> shape,
                                   int exponent,
                                   llvm::function_ref<absl::StatusOr<std::vector<int32_t>>()> make,
                                   llvm::StringRef name = {});
  ir::Value* use(const ir::Constant& constant, int exponent, int64_t low, int64_t high);

  const ir::Function& source_;
  const Exponents& exponents_;
  ir::Function& target_;
  std::vector<TensorRecord>* records_;
  ir::Builder builder_;
  std::string node_;
  llvm::DenseMap<const ir::Value*, size_t> site_;
  llvm::DenseMap<const ir::Value*, std::unique_ptr<Stored>> stored_;
  struct Table {
    const ir::Constant* constant;
    int64_t low, high;
  };
  std::map<std::string, Table> tables_;
  std::map<std::string, int64_t> first_keys_;  // of tables of functions
  std::map<std::string, ExponentialTable> softmaxes_;
  std::map<std::pair<ir::Value*, int>, ir::Value*> narrowed_;
  llvm::DenseMap<ir::Value*, ir::Value*> reshaped_;  // of what
  const llvm::DenseSet<const ir::Value*> whole_;     // of the source (whole.h)
  const llvm::DenseMap<const ir::Value*, DoubleInterval> whole_ranges_;
  llvm::DenseSet<const ir::Value*> exact_;  // what holds them
  bool computes_whole_ = false;             // the op that is lowered
  bool inexact_ = false;                    // one of them was rounded
  Masks masks_;
  llvm::DenseMap<const ir::Value*, double> reach_;
};

}  // namespace lindero::passes
