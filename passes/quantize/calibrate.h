// Calibration: the float interpreter runs over sample inputs, and the largest magnitudes of every
// value are kept.
//
// An analysis: it never changes the function. Its numbers are floating point and depend on the
// machine in their last bits; chooseExponents turns them into integers. Cost: one float pass per
// sample; weights are read once for some samples together (samplesAtATime).
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "llvm/ADT/ArrayRef.h"

namespace lindero::passes {

// The inputs of one run, in the order of the function's arguments.
using Sample = std::vector<ir::tensor::Array>;

// Of one value over all samples.
struct TensorRange {
  double largest = 0;            // max |x|
  double first_row_largest = 0;  // max |x| in row 0: where massive activations live
  std::vector<double> channels;  // max |x| per column

  // If a LayerNorm reads the value; d = x - mean of the row (x without mean),
  // z = d / sqrt(mean d^2 + epsilon).
  std::vector<double> deviations;  // max |d| per column
  std::vector<double> normalized;  // max |z| per column
  double square_sum = 0;           // max over rows of sum d^2
  // Of rows whose elements are not all equal: the least sqrt(mean d^2 + epsilon), infinite if there
  // are none, and the largest of sum d^2 / max d^2.
  double least_deviation = std::numeric_limits<double>::infinity();
  double largest_crest = 1;
};

struct Calibration {
  std::vector<TensorRange> ranges;  // one per value of exponentSites(), in order
  int64_t samples = 0;
  int64_t rows = 0;  // of all samples together: tokens
  // What the function returns for the first samples, as many as were asked for.
  std::vector<std::vector<ir::tensor::Array>> outputs;
};

// Products of weights with elements that a run of the function takes, about: as if each weight were
// multiplied with one element of each row of the longest argument.
int64_t productsOfRun(const ir::Function& function);

// As many samples as a large model is run on in some seconds, but `least` at least, if each takes
// so many runs.
int64_t affordableSamples(const ir::Function& function, int64_t most, int64_t least,
                          int64_t runs_of_each = 1);

absl::StatusOr<Calibration> calibrate(const ir::Function& function, llvm::ArrayRef<Sample> samples,
                                      size_t outputs = 0);

// As many samples as may go through the function side by side, if the elements that live at the
// same time, and `kept` ones of each sample, are to take no more than some hundred megabytes.
size_t samplesAtATime(const ir::Function& function, int64_t kept = 0);

// Samples for a user who gives none. Token ids start pseudo-random, from `seed` alone. Then, if the
// function predicts the next id, each of `rounds` passes, of fewer if the model is large, replaces
// all but the first quarter of every sample by ids drawn from the predictions for them, so that
// ranges are those of text that the model finds likely as well as of noise. Float inputs are
// standard normal, or the magnitudes of such numbers where the function has no finite value for the
// first sample; integers that are 0 or 1, and reals of which all that matters is which of the two
// they are near, are masks, which hide nothing in every other sample, else the end of each row.
absl::StatusOr<std::vector<Sample>> defaultSamples(const ir::Function& function, int64_t count,
                                                   uint64_t seed = 1, int rounds = 4);

}  // namespace lindero::passes
