// From a direction that is left to an adaptive prover to a false trace that is accepted.
//
// A main cell is changed so that sums alone are wrong. Then the free cells are solved for: with the
// challenges that are drawn before them known, the sums are linear in them. What the checker then
// accepts, it has to accept under other challenges of later phases, too: a prover does not know
// those when it commits the cells.
#ifndef LINDERO_RUNTIME_TAMPER_ADAPTIVE_ATTACK_H_
#define LINDERO_RUNTIME_TAMPER_ADAPTIVE_ATTACK_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/check/recheck.h"
#include "runtime/tamper/adaptive/rank.h"

namespace lindero::runtime {

// Cells of a challenge phase that move together: each by its coefficient.
struct Direction {
  struct Part {
    Cell cell;
    QM31 coefficient;
  };
  std::vector<Part> parts;
};

// Some directions of what a rank analysis found, over all of the columns in it.
std::vector<Direction> directionsOf(const RankReport& report);

struct Attack {
  CellChange wrong;                 // what is false
  uint32_t honest;                  // what stood there
  std::vector<std::string> groups;  // sums that refuse it without the cells
  std::vector<FreeCell> cells;      // what a prover solves for, under the challenges of `seed`
  uint64_t seed;                    // of drawChallenges
  bool buses_balance;               // also as multisets, which no verifier sees
};

// Nothing: no attack was found with any one of the directions, or with all of them together.
// InvalidArgument when the trace is not accepted.
absl::StatusOr<std::optional<Attack>> buildAttack(const Package& package,
                                                  const Statement& statement,
                                                  absl::Span<const uint32_t> main,
                                                  absl::Span<const Direction> directions,
                                                  const CheckOptions& options = {});

std::string describe(const Attack& attack, const Circuit& circuit);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_ADAPTIVE_ATTACK_H_
