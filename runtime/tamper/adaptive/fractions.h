// Fraction columns taken apart: the single fractions that a column sums, the factors of a
// denominator, and the sum group that it ends in.
#ifndef LINDERO_RUNTIME_TAMPER_ADAPTIVE_FRACTIONS_H_
#define LINDERO_RUNTIME_TAMPER_ADAPTIVE_FRACTIONS_H_

#include <optional>
#include <vector>

#include "runtime/package/circuit_info.h"
#include "runtime/tamper/adaptive/derivatives.h"
#include "runtime/tamper/adaptive/peeling.h"

namespace lindero::runtime {

// n1 d2 + n2 d1 over d1 d2 is n1 / d1 and n2 / d2, those taken apart again; else what it is.
std::vector<SingleFraction> singleFractions(const Circuit& circuit, ColumnRef column);

// What is multiplied to make the node.
std::vector<uint32_t> factorsOf(const Circuit& circuit, uint32_t node);

// The group whose claimed sums a fraction column ends in: its own claimed sum's, or that of the one
// running column of its table that adds it; none: of no such, or of several.
std::optional<uint32_t> groupOf(Derivatives& derivatives, uint32_t table, uint32_t column);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_ADAPTIVE_FRACTIONS_H_
