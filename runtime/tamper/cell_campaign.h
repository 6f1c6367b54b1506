// Mutates the cells of an accepted trace, one by one, and counts what a verifier would let pass.
//
// A mutation of a main cell is tried alone, and, where it changes what is looked up, once more with
// the multiplicities that fit. It is caught when a constraint, a sum group or a zero denominator
// rejects it. What passes must be padding: a cell that has no influence (influence.h). Anything
// else that passes is a survivor: a cell that nothing pins.
//
// A cell of phase 2 or 3 is chosen after the challenges of earlier phases are known. Its mutation,
// with all that follows from it, is caught by a constraint, or by a sum that it changes by an
// amount that depends on a later challenge. If it changes sums by an amount that does not, a prover
// solves for the cell: such a mutation is *solvable*, and a survivor, too.
//
// Deterministic for a seed; about 5 microseconds per mutation and thread, after one full check per
// thread, and a second one where cells of phase 2 are not pinned by constraints.
#ifndef LINDERO_RUNTIME_TAMPER_CELL_CAMPAIGN_H_
#define LINDERO_RUNTIME_TAMPER_CELL_CAMPAIGN_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.pb.h"
#include "runtime/tamper/necessity.h"

namespace lindero::runtime {

// kMoveToNextRow: one of a multiplicity that a constraint reads, between rows that provide one
// tuple, all of which are tried; other cells stay.
enum class Mutator { kIncrement, kDecrement, kNegate, kRandom, kSwapWithNextRow, kMoveToNextRow };
inline constexpr Mutator kMutators[] = {Mutator::kIncrement,       Mutator::kDecrement,
                                        Mutator::kNegate,          Mutator::kRandom,
                                        Mutator::kSwapWithNextRow, Mutator::kMoveToNextRow};
const char* nameOf(Mutator mutator);

struct CellCampaignOptions {
  uint64_t seed = 1;
  int threads = 0;               // 0: as many as the machine has
  uint64_t rows_per_column = 0;  // that many, at random; 0: every row
  uint32_t first_phase = 1;      // 2: cells of challenge phases only
  std::vector<Mutator> mutators{std::begin(kMutators), std::end(kMutators)};
  Necessity* necessity = nullptr;  // sees every mutation
  // Of cells; one call at a time, from any thread.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

// How many cells of phases 1 to 3 a campaign mutates.
uint64_t cellsToMutate(const Circuit& circuit, uint64_t rows_per_column, uint32_t first_phase = 1);

struct ColumnTally {
  uint32_t table = 0;
  uint32_t column = 0;
  uint64_t tried = 0;  // mutations that change something
  uint64_t caught = 0;
  uint64_t padding = 0;  // passed, declared and shown to be without influence
  uint64_t survived = 0;

  void add(const ColumnTally& other);  // what happened to other cells
};

struct Survivor {
  uint32_t table = 0;
  uint32_t column = 0;
  uint64_t row = 0;
  Mutator mutator = Mutator::kIncrement;
  bool multiplicities = false;  // with them
  std::string influence;        // what may depend on the cell, and did not notice
  bool solvable = false;        // `influence`: the sums that alone refuse it
};

// What a survivor should have been noticed by.
std::string describeInfluence(const Survivor& survivor);

struct CellCampaignReport {
  std::vector<ColumnTally> columns;  // of phases 1 to 3, by table and column
  std::vector<Survivor> survivors;   // the first ones of each column
  ColumnTally total() const;
  // A line per table, or per column, and one per survivor with its ONNX node.
  std::string toString(const Circuit& circuit, bool by_column = false) const;
};

// An error when the trace is not accepted, or Recheck refuses the circuit.
absl::StatusOr<CellCampaignReport> tamperCells(const Package& package, const Statement& statement,
                                               absl::Span<const uint32_t> main,
                                               const CellCampaignOptions& options = {});

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_CELL_CAMPAIGN_H_
