// The adaptive adversary: what a circuit leaves to a prover that sees all challenges of earlier
// phases and solves for each cell, examined in three ways, and turned into a false trace where it
// leaves something.
//
// - Every cell of challenge phases is mutated: one that only sums under earlier challenges refuse
//   is solvable (cell_campaign.h).
// - The rank of the challenge phases: exact, on this run and on random main cells (rank.h).
// - The premises of phase 1, over fixed columns (premises.h).
// - For what was found: the attack (attack.h).
#ifndef LINDERO_RUNTIME_TAMPER_ADAPTIVE_ADAPTIVE_H_
#define LINDERO_RUNTIME_TAMPER_ADAPTIVE_ADAPTIVE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tamper/adaptive/attack.h"
#include "runtime/tamper/adaptive/premises.h"
#include "runtime/tamper/adaptive/rank.h"
#include "runtime/tamper/cell_campaign.h"

namespace lindero::runtime {

struct AdaptiveOptions {
  uint64_t seed = 1;
  int threads = 0;
  uint64_t rows_per_column = 0;  // to mutate; 0: all
  // Of the random main cells' witness: those of the bundle's member; empty: drawn ones.
  std::vector<QM31> challenges;
  // Of mutated cells, or below 0; one call at a time, from any thread.
  std::function<void(const std::string& stage, double fraction)> progress;
};

struct AdaptiveReport {
  // Of phases 2 and 3; none: `campaign_error` says why the campaign refuses the circuit, which it
  // does when a generated column has no definition.
  CellCampaignReport cells;
  std::string campaign_error;
  RankReport run, any;  // on the given trace, and on random main cells
  std::vector<Premise> premises;
  LinkedElements linked;  // on random main cells, under the challenges that were given
  bool attack_tried = false;
  std::optional<Attack> attack;

  // How many things were found: solvable cells and others that survived, holes and suspects of
  // either rank analysis, and failed premises.
  uint64_t alarms() const;
};

// Requires an accepted trace, as tamperCells does.
absl::StatusOr<AdaptiveReport> tamperAdaptively(const Package& package, const Statement& statement,
                                                absl::Span<const uint32_t> main,
                                                const AdaptiveOptions& options = {});

// Where no trace is known, of a program that runs on no input that was tried: `any` and the
// premises alone. Of an element with a single end, which the sum holds at zero, nothing shows that
// an honest run has a zero there, too: that is a matter of completeness.
absl::StatusOr<AdaptiveReport> examineAnyWitness(const Package& package,
                                                 const AdaptiveOptions& options = {});

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_ADAPTIVE_ADAPTIVE_H_
