// What `lindero compare` measured: tables, JSON, and a CSV file of the raw rows.
#pragma once

#include <string>
#include <vector>

#include "compiler/compare/comparison.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

struct ComparedPlacements {
  std::vector<compiler::Placement> placements = {};
  std::vector<compiler::Transcript> transcripts = {};
  std::string commit = {}, prover = {};  // what measured: Lindero's commit; name, version, commit
  int threads = 0;
};

// One row: all that is known of a transcript, numbers as they were measured.
Json transcriptJson(const ComparedPlacements& compared, const compiler::Transcript& transcript);
// Medians with the least and the most, and what was predicted.
Json placementJson(const ComparedPlacements& compared, size_t placement);

// A line of names, then a line for each; members of members are named "stages.fri". All have the
// columns of the first, and those that only others have. Lines end with "\n", texts are quoted as
// RFC 4180 says.
std::string csvOf(const std::vector<Json>& rows);

void addComparison(const ComparedPlacements& compared, Summary& summary);

}  // namespace lindero::cli
