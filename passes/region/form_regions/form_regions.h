// form-regions: sorts the ops of the integer function @main into regions by their kind of work.
//
// Requires: @main in the integer dialect (quantize).
// Guarantees: ops of one kind in one layer that stand next to each other are in one region.region,
// labelled "embedding", "layer0/attention" (with "…/views", "…/compare", "…/normalize" and "…/mix"
// inside), "layer0/normalization", "layer0/linear", "layer0/lookup", "decode"; sort_ops.h says what
// is what. A kind that occurs more than once in a layer has a region with the same label each time.
// Preserves: the ops, their order (but for constants, which move to their readers) and with it the
// circuit, bit for bit; only names are added. A function that has regions already stays as it is.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createFormRegions();
absl::Status registerFormRegions();

}  // namespace lindero::passes
