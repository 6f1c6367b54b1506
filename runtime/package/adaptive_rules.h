// The adaptive rules R0 to R7 of FORMAT.md, section 10.
//
// A prover chooses what it commits in phases 2 and 3 after it has seen challenges. The rules say
// that all of it is nevertheless a function of phases 0 and 1 and of the challenges, or bound by a
// challenge that comes later still: nothing is left to be solved for. They are read off circuit.pb
// alone, name nothing of ours, and hold for a circuit of anybody.
// Cost: that of CircuitPoints and CircuitReads; some milliseconds for real circuits.
#ifndef LINDERO_RUNTIME_PACKAGE_ADAPTIVE_RULES_H_
#define LINDERO_RUNTIME_PACKAGE_ADAPTIVE_RULES_H_

#include "absl/status/status.h"
#include "runtime/package/circuit_info.h"

namespace lindero::runtime {

// Requires what analyzeCircuit checks before. Sets info.definitions, when R0 does not hold, too,
// and info.work.
// The error names the column and the rule.
absl::Status checkAdaptiveRules(const Circuit& circuit, CircuitInfo& info);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_ADAPTIVE_RULES_H_
