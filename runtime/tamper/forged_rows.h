// The rows of gadgets as a cheating prover computes them: with a witness of its choice, and all
// that depends on it in the row. Nothing is range-checked.
#ifndef LINDERO_RUNTIME_TAMPER_FORGED_ROWS_H_
#define LINDERO_RUNTIME_TAMPER_FORGED_ROWS_H_

#include <optional>
#include <vector>

#include "runtime/package/package.h"
#include "runtime/trace/buffers.h"

namespace lindero::runtime {

struct NormCheat {
  std::optional<int64_t> mean = std::nullopt;  // instead of the honest one
  int64_t mean_error = 0;
  int64_t root_error = 0;
  int64_t square_error = 0;  // of one element's square
  uint64_t square_element = 0;
  bool wrap_variance = false;  // mantissa * 4^max_exponent + remainder = variance + p
  int64_t exponent_error = 0;
  int64_t mantissa_error = 0;  // the remainder makes up for it
  int64_t shift_error = 0;
  int64_t power_error = 0;               // of 2^shift, which the elements are divided by
  std::vector<int64_t> tile_means = {};  // what a row tile's mean is off by; of the first tiles
};
// False: the cheat leaves what the tables hold; nothing is useful then.
bool forgeNormRow(const Package& package, const LayerNorm& step, Buffers& buffers, uint64_t row,
                  const NormCheat& cheat);

// What a softmax row has of a key: open keys are those of open windows before, and the row's own
// window up to its query; closed ones are of other windows before.
enum class Attended { kOpen, kClosed, kMasked };
// The elements of a row that are so.
std::vector<uint64_t> elementsOf(const Softmax& step, Buffers& buffers, uint64_t row, Attended how);
// Has the row attend to a closed key as if it were the best one.
void attendClosedKey(const Package& package, const Softmax& step, Buffers& buffers,
                     uint64_t element);

// The row's log-sum-exp.
int64_t normalizerOf(const Softmax& step, Buffers& buffers, uint64_t row);
// Keys, probabilities and sums for another one, which is `error` away.
void forgeSoftmaxRow(const Package& package, const Softmax& step, Buffers& buffers, uint64_t row,
                     int64_t error);
// The same for the open ones of the keys [first, last) alone, and the row's sums.
void forgeSoftmaxScores(const Package& package, const Softmax& step, Buffers& buffers, uint64_t row,
                        uint64_t first, uint64_t last, int64_t error);
// The sums of a row after single probabilities were changed.
void sumSoftmaxRow(const Softmax& step, Buffers& buffers, uint64_t row);

// The choice of an entry, with a maximum of one's own; the public index is the last one at most.
void forgeArgmaxRow(const Argmax& step, Buffers& buffers, uint64_t row, int64_t chosen,
                    int64_t maximum);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_FORGED_ROWS_H_
