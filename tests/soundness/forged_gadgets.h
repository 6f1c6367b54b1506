// The rows of gadgets as a cheating prover computes them: with a witness of its choice, and all
// that depends on it in the row. Nothing is range-checked.
#pragma once

#include <optional>

#include "runtime/package/package.h"
#include "runtime/trace/buffers.h"

namespace lindero::test {

struct NormCheat {
  std::optional<int64_t> mean = std::nullopt;  // instead of the honest one
  int64_t mean_error = 0;
  int64_t root_error = 0;
  int64_t square_error = 0;    // of the first element's square
  bool wrap_variance = false;  // mantissa * 4^7 + remainder = variance + p
};
void forgeNormRow(const runtime::Package& package, const LayerNorm& step, runtime::Buffers& buffers,
                  uint64_t row, const NormCheat& cheat);

// The row's log-sum-exp.
int64_t normalizerOf(const Softmax& step, runtime::Buffers& buffers, uint64_t row);
// Keys, probabilities and sums for another one, which is `error` away.
void forgeSoftmaxRow(const runtime::Package& package, const Softmax& step,
                     runtime::Buffers& buffers, uint64_t row, int64_t error);
// The sums of a row after single probabilities were changed.
void sumSoftmaxRow(const Softmax& step, runtime::Buffers& buffers, uint64_t row);

// The choice of an entry, with a maximum of one's own; the public index is the last one at most.
void forgeArgmaxRow(const Argmax& step, runtime::Buffers& buffers, uint64_t row, int64_t chosen,
                    int64_t maximum);

}  // namespace lindero::test
