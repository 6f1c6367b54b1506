// The copy of a LayerNorm's result z with gamma and beta applied, in more than 16 bits: exact but
// for half a unit, as no product's rounding is. With z at exponent e and the copy at exponent E,
//   copy = z m + (z n >> kRestShift) + b,   m + n / 2^kRestShift = gamma 2^(E - e),  b = beta 2^E,
// channel by channel: m takes what is whole, n what rounding took from it, b is rounded.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"

namespace lindero::passes {

struct WideCopy {
  // Of z n: a quotient of 16 bits has room for |n| <= 2^(kRestShift - 1).
  static constexpr int kRestShift = 15, kRestBits = 16;

  std::vector<int32_t> factors, rests, offsets;  // m, n and b, by channel
  int64_t reach = 0;                             // |copy|, whatever z of its bits
};

// gamma, or beta, of a LayerNorm; empty if it has none.
absl::StatusOr<std::vector<double>> gammaOf(const ir::Op& layernorm);
absl::StatusOr<std::vector<double>> betaOf(const ir::Op& layernorm);

// Of the LayerNorm's result of `bits` bits at `exponent`. An error if its parameters are not
// constants or not even 32 bits hold what is made of them.
absl::StatusOr<WideCopy> wideCopy(const ir::Op& layernorm, int bits, int exponent,
                                  int copy_exponent);

}  // namespace lindero::passes
