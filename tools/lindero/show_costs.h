// What a model is and what a proof of it costs, in plain words.
#pragma once

#include <vector>

#include "compiler/driver/compile_model.h"
#include "compiler/emit/report.h"
#include "compiler/estimate/estimate.h"
#include "runtime/model/model_facts.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

// `all`: in JSON all facts.
void addModel(const runtime::ModelFacts& facts, Summary& summary, bool all = false);
// How far the integer program is from the float model.
void addAgreement(const passes::Comparison& comparison, Summary& summary);
// The same in a line, as compiling measures it. `inputs`: on what, as in "calibration samples".
void addMeasured(const passes::Comparison& comparison, const char* inputs, Summary& summary);
// What that is without the input of a run.
const char* measuredOn(const compiler::ModelOptions& options);

void addEstimate(const compiler::Estimate& estimate, Summary& summary);
// A line for each bucket of a package.
void addBuckets(const std::vector<compiler::BucketCost>& buckets, Summary& summary);
// Of a circuit that is proven for block after block of `steps`. All costs beside it are of one.
void addBlocks(int64_t steps, int64_t most, Summary& summary);
// Cells of every region; in text, one line for the same region of all layers.
void addRegions(const compiler::CostReport& cost, Summary& summary);

}  // namespace lindero::cli
