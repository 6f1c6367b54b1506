// drop-class: what one class of constraints says is no longer checked; all else is. For
// experiments: which class is it that refuses a trace? Such a circuit proves nothing.
//
// Requires: @circuit as `lower-to-air` leaves it, before `lower-sums`.
// Guarantees: no air.constrain and no air.term of the class is left; nor lookups and providers,
// which are local, public tensors, which are boundary, and links, which are continuity.
// Definitions stay (air.scan, and the fractions that `lower-sums` makes of what is left): every
// witness has columns that satisfy them. Expressions and gathered columns that nothing reads any
// more go, too; a witness column x stays, with the constraint x - x = 0, for provers want each to
// be read. Preserves: the columns of phases 0 and 1, so a trace of the whole circuit fits this one.
// The terms of a class sum to zero by themselves in each group, so an honest trace is still
// accepted.
// @trace goes: it is the whole circuit's.
// `verify-intervals` refuses what is left, as it should.
#pragma once

#include <memory>
#include <string>

#include "passes/pass.h"

namespace lindero::passes {

struct DropClassOptions {
  std::string dropped;  // "class" in text: local, continuity or boundary
};

std::unique_ptr<Pass> createDropClass(DropClassOptions options);
absl::Status registerDropClass();

}  // namespace lindero::passes
