// The row-independent nodes of a circuit: constants, challenges, claimed sums, and what is computed
// from them alone ("derived challenges", inverses included). Each is computed once per proof.
#ifndef LINDERO_RUNTIME_EVAL_SCALARS_H_
#define LINDERO_RUNTIME_EVAL_SCALARS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "runtime/field/qm31.h"
#include "runtime/package/circuit_info.h"

namespace lindero::runtime {

class Scalars {
 public:
  // Constants only; whatever reads challenges or claimed sums is unknown.
  Scalars(const Circuit& circuit, const CircuitInfo& info);

  // Computes what becomes known with these challenges (drawn after phases <= phase) and the claimed
  // sums of phases <= phase; `challenges` and `claimed_sums` are indexed as in the circuit. An
  // error when a derived challenge inverts zero: the challenges have to be drawn again.
  absl::Status advance(uint32_t phase, absl::Span<const QM31> challenges,
                       absl::Span<const QM31> claimed_sums);

  // Of a row-independent node that is known.
  const QM31& at(uint32_t node) const { return values_[node]; }

 private:
  absl::Status compute(uint32_t node, absl::Span<const QM31> challenges,
                       absl::Span<const QM31> claimed_sums);

  const Circuit& circuit_;
  const CircuitInfo& info_;
  std::vector<QM31> values_;
  std::vector<bool> known_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_EVAL_SCALARS_H_
