// What the uniqueness of phase 1 rests on beside intervals and constraints (GADGETS.md): facts
// about fixed columns, checked by counting on a trace with random main cells.
//
// - Elements: within a sum group, each element of an edge (a copy argument: a send/receive bus
//   whose addresses are fixed) is given once and taken once: cells,
//   and public values, whose derivatives of the group's sum are equal up to the sign are one
//   element, but with negligible probability. One with a single end is a cell that the sum holds
//   at zero: it is padding, which the trace program never writes. What a link takes and leaves are
//   the same elements, with the other sign; an exported group that no link names is like any other.
// - Copies: at each pole that binds gathered cells, one is given and one is taken.
// - Products: each product has summands, and one result. Without any, since its fixed factors are
//   zero, the sum holds the result at zero: it is zero in the honest run, too.
// - Weights: no two main cells of one fold have the same weight, but for those of one lane.
// - Folds: none goes on over more rows than the circuit declares, by which degrees are counted.
// - Lookup tables: one row for each key; ranges have a row for each of their values; exponentials
//   do not increase, leave no gap and name their predecessor; a power is two to its tag.
// - Tagged buses: each tag is given by one row, as often as it is looked up.
// - Unread cells: main cells of rows in use that nothing reads, for any witness.
//
// The rules for lookup tables know the names that lower-to-air gives to buses and columns; the
// others know none but the family of a lane's columns ("x" of "x.3").
#ifndef LINDERO_RUNTIME_TAMPER_ADAPTIVE_PREMISES_H_
#define LINDERO_RUNTIME_TAMPER_ADAPTIVE_PREMISES_H_

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tamper/adaptive/derivatives.h"
#include "runtime/tamper/adaptive/witness.h"

namespace lindero::runtime {

struct Premise {
  std::string name;
  uint64_t examined = 0;
  uint64_t wrong = 0;
  std::vector<std::string> examples = {};  // of what is wrong, the first ones

  void fail(std::string example, uint64_t count = 1);
};

// At the ends of links: of a sum group, the places of elements, and their signs.
using LinkedElements = std::map<std::pair<uint32_t, std::array<uint32_t, 4>>, bool>;

// `any` is filled from random main cells; `run` from an accepted trace, if it is not null.
// `linked`, if it is not null, gets what stands at the ends of links.
absl::StatusOr<std::vector<Premise>> checkPremises(const Package& package, const Witness& any,
                                                   const Columns* run, ThreadPool& pool,
                                                   LinkedElements* linked = nullptr);

// Adds what the ends of links have, of `members` whose challenges of phase 1 were shared by name:
// one end gives what the other takes, the same elements with the other sign.
void checkLinkEnds(const Bundle& bundle, absl::Span<const Circuit* const> circuits,
                   absl::Span<const LinkedElements* const> members, Premise& premise);

// Its parts.
absl::StatusOr<std::vector<Premise>> checkElements(Derivatives& derivatives, const Package& package,
                                                   const Witness& any, ThreadPool& pool,
                                                   LinkedElements* linked = nullptr);
absl::StatusOr<std::vector<Premise>> checkCopiesAndProducts(Derivatives& derivatives,
                                                            const Witness& any, const Columns* run,
                                                            ThreadPool& pool);
absl::StatusOr<std::vector<Premise>> checkFolds(Derivatives& derivatives, const Witness& any,
                                                ThreadPool& pool);
std::vector<Premise> checkLookupTables(const Package& package);
absl::StatusOr<Premise> checkUnread(Derivatives& derivatives, const Package& package,
                                    const Witness& any, ThreadPool& pool);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_ADAPTIVE_PREMISES_H_
