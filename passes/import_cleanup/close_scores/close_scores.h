// close-scores: masks of scores that depend on the inputs, in one form.
//
// Requires: softmax recognized; integers not yet spelled as reals (lower-logic). Looks at what each
// softmax over the last axis reads for masks (support/closed_parts.h).
// Guarantees: where one of them is computed, all of them are gone, and the softmax reads
// tensor.mask(scores, open), `open` being 1 where nothing closes the score. Constant masks alone
// stay as they are. Guards of rows that are closed (guards.h) are gone, too.
// Preserves: the probabilities. Of a row in which every score is closed, each probability is the
// same where all of its scores are one finite number in the model, what it is without the mask
// where that adds one number of at most 65536 to all of them, and 0 where the model guards the row:
// chooses 0 in place of NaN, or where all of the mask is -inf. Otherwise such a run is refused,
// since 1 / [number of open scores > 0] has no value there: a model gives it NaN, or what the
// rounding of scores leaves. So is one in which a mask of keys alone closes everything.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createCloseScores();
absl::Status registerCloseScores();

}  // namespace lindero::passes
