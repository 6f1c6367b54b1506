// The part of analyzeCircuit that concerns buses and lookups. Internal to runtime/package.
#ifndef LINDERO_RUNTIME_PACKAGE_CIRCUIT_LOOKUPS_H_
#define LINDERO_RUNTIME_PACKAGE_CIRCUIT_LOOKUPS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "runtime/package/circuit_info.h"
#include "runtime/package/field_path.h"

namespace lindero::runtime {

// `node` exists and reads no columns but those of table t. `what` names the field that refers to
// it.
absl::Status checkTableNode(const Circuit& circuit, const CircuitInfo& info, const FieldPath& field,
                            absl::string_view what, uint32_t node, int t);

// Every lookup of every table. Requires checked tables and buses, and info.nodes.
absl::Status checkLookups(const Circuit& circuit, const CircuitInfo& info);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_CIRCUIT_LOOKUPS_H_
