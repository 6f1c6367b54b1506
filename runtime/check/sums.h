// Claimed sums, and the public terms that they have to cancel with.
#ifndef LINDERO_RUNTIME_CHECK_SUMS_H_
#define LINDERO_RUNTIME_CHECK_SUMS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "runtime/check/report.h"
#include "runtime/eval/columns.h"
#include "runtime/package/bundle.pb.h"
#include "runtime/package/statement.pb.h"

namespace lindero::runtime {

// sign * sum_ij v_ij / ((za - a_ij) (zr - i % tile_rows) (zc - j % tile_columns)), see
// circuit.proto. One inversion per tile, tile row and tile column. Requires checkValues; an error
// when a challenge hits an address.
absl::StatusOr<QM31> publicTerm(const PublicTensor& tensor, const PublicValues& values,
                                const QM31& za, const QM31& zr, const QM31& zc);

// The claimed sums: the last rows of their columns, which are filled. Those of later phases than
// `phase` stay 0.
std::vector<QM31> readClaimedSums(const Circuit& circuit, const CircuitInfo& info,
                                  const Columns& columns, uint32_t phase);

// The sum of each group's claimed sums.
std::vector<QM31> sumsOfGroups(const Circuit& circuit, absl::Span<const QM31> claimed_sums);

// That the links of a bundle hold in every step: the sums of the ends of each add up to zero, those
// of the step before the first being zero. `blocks` are the claimed sums of each block, in order,
// under challenges that they share. `circuits` has that of each member.
absl::Status checkLinks(const Bundle& bundle, absl::Span<const Circuit* const> circuits,
                        absl::Span<const std::vector<QM31>> blocks);

// One failure per group, of those that are not `linked`, that does not sum to zero; its detail
// lists claimed sums and public terms, and the column sums of the fractions that stand beside a
// running column in the claiming tables.
absl::StatusOr<std::vector<Failure>> checkSumGroups(const Circuit& circuit, const CircuitInfo& info,
                                                    const Columns& columns,
                                                    const Statement& statement,
                                                    absl::Span<const QM31> challenges,
                                                    absl::Span<const QM31> claimed_sums,
                                                    const std::vector<bool>& linked);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_SUMS_H_
