// The analyses of ir/air/analysis.h under the names that the passes of this phase use.
#pragma once

#include "ir/air/analysis.h"

namespace lindero::passes {

using ir::air::ExpressionFacts;
using ir::air::isColumn;
using AirAnalysis = ir::air::Analysis;

}  // namespace lindero::passes
