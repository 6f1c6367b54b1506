// Exact rank analysis of a circuit's challenge phases: is every cell of phases 2 and 3, and every
// claimed sum, a function of what was committed before its challenges, or bound by a pole of its
// own? A cell that is not is a direction: a prover chooses it after it has seen the challenges, and
// solves with it for whatever a sum should say.
//
// On a filled trace: exact for it, and generic for all witnesses when its main cells are random.
// Knows no names: circuits and fixed columns alone. Seconds for a few million cells.
#ifndef LINDERO_RUNTIME_TAMPER_ADAPTIVE_RANK_H_
#define LINDERO_RUNTIME_TAMPER_ADAPTIVE_RANK_H_

#include <array>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/check/checker.h"
#include "runtime/tamper/adaptive/late_poles.h"

namespace lindero::runtime {

struct RankCounts {
  uint64_t columns = 0, cells = 0, claimed_sums = 0;
  uint64_t equations = 0;    // constraints times rows
  uint64_t derivatives = 0;  // of them
  uint64_t parameters = 0;   // cells that no equation of the phase pins: directions examined
  uint64_t bound = 0;        // by poles of their own
  uint64_t harmless = 0, holes = 0;
};

struct RankFinding {
  enum class Kind {
    kHole,      // free cells that equations read, or a claimed sum that nothing determines
    kSuspect,   // what was found is not exact: a pivot that might vanish
    kNote,      // rows of an equation that determine nothing
    kHarmless,  // free cells that nothing reads
  };
  Kind kind;
  uint32_t phase, table, column;
  std::vector<uint64_t> rows;  // free ones; empty for suspects and notes
  uint64_t row_count;
  std::string why;

  bool isAlarm() const { return kind == Kind::kHole || kind == Kind::kSuspect; }
};
const char* nameOf(RankFinding::Kind kind);

struct RankReport {
  std::array<RankCounts, 4> phases;  // 2 and 3
  std::vector<RankFinding> findings;
  std::vector<SharedPole> shared;  // of phase 2

  bool ok() const;
};

// `checker` is filled.
absl::StatusOr<RankReport> rankChallengePhases(const Package& package, const Checker& checker,
                                               ThreadPool& pool);

// One line: kind, place, ONNX node of the first row.
std::string describe(const RankFinding& finding, const Circuit& circuit);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_ADAPTIVE_RANK_H_
