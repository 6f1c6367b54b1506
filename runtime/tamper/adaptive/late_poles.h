// Which free cells of a challenge phase are bound after all: by a pole of their own under a
// challenge that is drawn when they are committed.
//
// Let c be such a challenge. If c stands nowhere but in denominators +-(c - a), a over fixed
// columns, whose numerators were committed before c, then a sum group sums to zero only if the
// residues at each pole a do, but with negligible probability: one linear equation for each (group,
// pole), over the columns and tables of the whole circuit. Poles are compared by value under one
// draw (error about 2^-100). An equation with one unknown binds it; of several unknowns it binds
// one, and the others are free directions that move it, too.
#ifndef LINDERO_RUNTIME_TAMPER_ADAPTIVE_LATE_POLES_H_
#define LINDERO_RUNTIME_TAMPER_ADAPTIVE_LATE_POLES_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/check/influence.h"
#include "runtime/tamper/adaptive/fractions.h"

namespace lindero::runtime {

// A free cell, and one that has to follow it to keep a pole's residue: by `follow` times as much.
struct SharedPole {
  Cell cell, follower;
  QM31 follow;
};

struct LatePoles {
  std::map<Place, RowMask> open;   // parameters that no pole binds, those of shared poles included
  std::vector<SharedPole> shared;  // of the first ones
  std::map<Place, std::set<std::string>> why_not;  // what might bind a column, and does not
  uint64_t poles = 0, bound = 0;
};

// `linked`: of each sum group, whether a link closes it. `phases[p]` is the peeling of phase p, for
// 2 and 3.
absl::StatusOr<LatePoles> bindByLatePoles(Derivatives& derivatives, const std::vector<bool>& linked,
                                          const Peeling* const phases[4], uint32_t phase,
                                          const Witness& filled, ThreadPool& pool);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_ADAPTIVE_LATE_POLES_H_
