// The rules of FORMAT.md, section 9, by their numbers: every refusal of a file names one, or one of
// section 10 (R0 to R7).
#ifndef LINDERO_RUNTIME_PACKAGE_FORMAT_RULES_H_
#define LINDERO_RUNTIME_PACKAGE_FORMAT_RULES_H_

#include <string>

#include "absl/strings/str_cat.h"

namespace lindero::runtime {

// In the order of the numbers, from F1 on.
enum class FormatRule {
  kEncoding = 1,
  kLimits,
  kNames,
  kColumns,
  kPhases,
  kInstances,
  kSegments,
  kNodes,
  kOneTable,
  kInverses,
  kDegree,
  kKnown,
  kCycles,
  kScans,
  kGathers,
  kClaimedSums,
  kPublics,
  kAddresses,
  kExports,
  kLookups,
  kProviders,
  kWitness,
  kTotalDegree,
  kZeroInverses,
  kFractions,
  kWork,
  kColumnFiles,
  kBuffers,
  kSteps,
  kOutputs,
  kSlots,
  kPlacements,
  kStatements,
  kMembers,
  kLinks,
  kBundleSteps,
};

inline std::string ruleName(FormatRule rule) { return absl::StrCat("F", static_cast<int>(rule)); }

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_FORMAT_RULES_H_
