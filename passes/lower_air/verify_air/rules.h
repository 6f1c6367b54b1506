// The rules R1 to R7 for cells that a prover chooses after challenges are drawn.
//
// A prover chooses a cell of phase k when it has seen every challenge that is drawn before phase k
// is committed; it can solve for the cell that cancels an error in a sum under such a challenge.
// The rules say that all cells of phases 2 and 3 and all claimed sums are nevertheless functions of
// phases 0 and 1 and the challenges. Readers of a key check the same ones, with the same numbers
// (FORMAT.md); R0, that each generated column that is no gather has the constraint that its
// generator says, holds here by construction: an air.expression, air.scan or air.fraction is both.
//
//   R1 No zero denominators. Each factor of a denominator reads fixed columns alone (that it is
//      nowhere zero is checked by verify-intervals), or is a polynomial in one or two challenges,
//      drawn after every column that it reads, whose top form is a nonzero constant.
//   R2 A gathered column is read in numerators only, at the row itself, and by constraints
//      y - s y with fixed s.
//   R3 Bound once. Exactly one fraction that reads a gathered column y of phase k has a challenge
//      drawn after phase k in its denominator. It is (s y + rest) / (c - a), up to signs, for one
//      such challenge c, fixed a, and s a fixed column or 1; rest depends neither on another
//      gathered column nor on c; its sum is not linked and has no public tensor. Nothing else
//      in the circuit reads c, but for denominators of this form.
//   R4 Nothing where unbound. Every other numerator is free of y where s is zero, or y - s y is a
//      constraint.
//   R5 No late values under early challenges. Each challenge in a denominator is drawn after every
//      column there, and after every column of the numerator is determined.
//   R6 A running column is read by nothing.
//   R7 A sum that is linked is one of fractions whose columns are of phases 0 and 1.
//
// On air.term, before lower-sums, the same is checked term by term.
//
// Identities of polynomials are tested at random points (ir/air/points.h). Rules are checked in
// order, each on the whole circuit. Cost: a few visits per value for R1 and R5, per gathered column
// for the others.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::passes {

// `seed`: of the points; a digest of the circuit. The error names the table and column or op, the
// rule and the reason.
absl::Status checkLateCells(ir::Function& circuit, const std::string& seed);

}  // namespace lindero::passes
