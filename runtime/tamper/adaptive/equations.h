// The constraints that a prover has to satisfy in a challenge phase, as equations in that phase's
// cells: which cells each of them reads on each row, by exact derivatives.
//
// The phase of an equation is that of the latest column or claimed sum in it. On each row it reads
// a cell where its derivative by that cell is not zero; a derivative is a polynomial in the cells,
// and is taken on a filled trace (`reads`) and on random cells (`reads_any`).
#ifndef LINDERO_RUNTIME_TAMPER_ADAPTIVE_EQUATIONS_H_
#define LINDERO_RUNTIME_TAMPER_ADAPTIVE_EQUATIONS_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tamper/adaptive/derivatives.h"
#include "runtime/tamper/adaptive/witness.h"

namespace lindero::runtime {

using RowMask = std::vector<uint8_t>;

struct Reading {
  Leaf leaf;  // a column or claimed sum of the equation's phase
  uint32_t derivative;
  RowMask reads = {}, reads_any = {};
};

// The equation  d (sum - sum[-1] + is_first claimed_sum) = …  with d not zero on any row.
struct RunningSum {
  uint32_t column;
  uint32_t claimed_sum;
};

struct Equation {
  uint32_t table;
  uint32_t constraint;
  uint32_t node;
  uint32_t phase;
  std::vector<Reading> readings;  // ascending by leaf
  RowMask violated = {};          // rows of the filled trace where it does not hold
  std::optional<RunningSum> running = {};

  const Reading* find(const Leaf& leaf) const;
};

// Of phases 2 and 3, by table and constraint. Adds nodes to `derivatives`.
std::vector<Equation> findEquations(Derivatives& derivatives);

// Fills what is read off traces. An error when a derived challenge inverts zero.
absl::Status evaluateEquations(const Derivatives& derivatives, const Witness& filled,
                               const Columns& any, ThreadPool& pool,
                               std::vector<Equation>& equations);

// The phase of a column or claimed sum.
uint32_t phaseOf(const Circuit& circuit, const CircuitInfo& info, uint32_t table, const Leaf& leaf);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_ADAPTIVE_EQUATIONS_H_
