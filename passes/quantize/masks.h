// Scores that constants mask: a softmax is to give them zero. How far below the others they are
// does not matter, so what the integer program holds of them is a choice, made here for all that
// follows the mask on the way to the softmax (sums, selections, copies, products with positive
// constants):
//
// - Where one sum masks all of them, and softmax alone reads copies of nothing but its result, the
//   sum adds to them a constant below all that it can reach.
// - Else masked scores are zero from their mask on, whatever is added to them, and the softmax sets
//   them below all that it reads.
//
// So no range between the mask and the softmax can bridge the gap. An analysis: calibration's
// chooser, the lowering and the comparison ask it. Masks of what an ArgMax chooses from are
// tensor.mask (close-choices).
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "llvm/ADT/DenseMap.h"
#include "passes/quantize/general.h"

namespace lindero::passes {

// A constant at or below this masks the score that it is added to or takes the place of.
inline constexpr double kMasked = -1e4;
// Added to a number of ordinary size, this is all that is left, in double precision too.
inline constexpr double kAbsorbs = -1e30;
// Of the gap between a softmax's open and masked scores, in nats: e^-64 is below any probability.
inline constexpr double kMaskGap = 64;

// Which values are read by softmax alone, perhaps through copies, masks, sums and positive factors.
// Cost: linear in what reads the values that it is asked for, once.
class Scores {
 public:
  bool contains(const ir::Value& value);

 private:
  llvm::DenseMap<const ir::Value*, bool> known_;
};
bool isScores(const ir::Value& value);

// Is it a result of tensor.mask that only choices of the largest element read?
bool isChoiceMask(const ir::Op& op);

// The constant with zero for what masks.
ir::tensor::Array withoutMasks(ir::tensor::Array constant);

class Masks {
 public:
  // By element, what the constants that mask it add up to in the model: below zero, -inf at the
  // least; zero where none does. Empty: none is masked.
  const std::vector<double>& of(const ir::Value& value);

  // May elements of the value that masks closed be any numbers below all others? They are scores,
  // or what tensor.mask makes.
  bool hides(const ir::Value& value);

 private:
  std::vector<double> copied(const ir::Op& op);
  std::vector<double> summed(const ir::Op& op);

  Scores scores_;
  std::map<const ir::Value*, std::vector<double>> levels_;  // which stay where they are
};

// The sum as the integer program computes it: `masks` are those that it sets below all others.
std::optional<AffineForm> scoresForm(const ir::Op& op, Masks& masks);

// Does a sum put the masked ones of what a softmax reads below all others? Else the softmax has to.
bool haveMasksSet(const ir::Value& scores, Masks& masks);

// Has each row of what the softmax reads a score that no constant masks? Else what it makes of the
// row hangs on how far each one is below zero, which is not kept.
bool hasOpenScores(const ir::Op& softmax);

}  // namespace lindero::passes
