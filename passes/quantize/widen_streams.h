// Which values of the residual stream are held finer or wider than in 16 bits, because a row that a
// norm reads is small beside the largest one: a massive token, or a table so small that epsilon
// counts. An analysis: it writes exponents and bits, and changes no function.
//
// A norm divides each row by its own size, so what counts is a row's size in units of the stream.
// Where the smallest row that calibration saw has too few of them, the value gets the exponent at
// which it has enough, with up to 24 bits; where 16 do, it stays as narrow as it was. A norm of a
// wide value shifts each row by itself (integer.layernorm, row_shift). A wide sum is exact: a
// branch of 16 bits, whose columns may have coarser exponents, is added without rounding
// (integer.affine), so that no value of it can be out of range. An addend that is finer than its
// sum needs it is rounded at the sum (addendDrop). Where a wide sum adds the copy of a norm
// with gamma and beta, as in BERT, that is as fine as the sum asks for (wide_copy.h), if it has no
// other readers than sums.
#pragma once

#include <map>
#include <set>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/choose_exponents.h"
#include "passes/quantize/exponents.h"

namespace lindero::passes {

// An addend may be finer than its sum by so much: the shift that brings it to the accumulator's
// unit must not be negative.
inline constexpr int kLargestAddendGap = 8;

// Has the value, by its site, more than 16 bits? Of a normalized one, its copy.
bool isWide(const ExponentSite& site);

// How many bits of an addend, by the site of what is stored, a sum of 16 bits and this exponent
// rounds off first.
int addendDrop(const ExponentSite& addend, int exponent);

// The exponent of a column of the branch that a wide sum adds; an error if its site says none.
absl::StatusOr<int> branchExponent(const ExponentSite& sum, int64_t column);

// `needs`: the largest magnitude that a stored value must hold, by site. `exponents` has the bits
// and exponents of all of these. Returns the sites that changed.
std::set<size_t> widenStreams(const ir::Function& function, const Calibration& calibration,
                              const std::map<size_t, double>& needs, const QuantizeOptions& options,
                              Exponents& exponents);

}  // namespace lindero::passes
