// select-outputs: what of a model's outputs gets proven.
//
// Requires: canonical form (verify-canonical), or the integer program that quantize makes of it:
// the pass speaks both dialects. Guarantees: @main returns the named outputs, in the order in which
// they are named, or all. Of a single one that can be some positions (rows), as values or as the
// index of the largest value of each row. Where it is a linear's result, rows are selected before
// the linear, so that the others cost nothing. Its name says what was selected: <output>_argmax for
// the argmax of all columns, and after that the positions, [32:64] or [3,7,9], unless it is all of
// them. Ops that nothing reads any more stay, for eliminate-dead-ops. Preserves: the values of what
// is left.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace lindero::passes {

struct SelectOutputsOptions {
  std::vector<std::string> outputs;  // empty: all
  std::string positions = "all";     // or "last:N", or "3,7,9": rows, from 0
  bool argmax = false;
};

std::unique_ptr<Pass> createSelectOutputs(SelectOutputsOptions options);
absl::Status registerSelectOutputs();

}  // namespace lindero::passes
