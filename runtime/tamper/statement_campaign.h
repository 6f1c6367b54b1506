// Claims other values of public tensors than those of the run, and counts what a verifier would let
// pass.
#ifndef LINDERO_RUNTIME_TAMPER_STATEMENT_CAMPAIGN_H_
#define LINDERO_RUNTIME_TAMPER_STATEMENT_CAMPAIGN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.pb.h"
#include "runtime/tamper/necessity.h"

namespace lindero::runtime {

struct StatementTally {
  std::string tensor;
  uint64_t tried = 0;
  uint64_t caught = 0;   // a sum group does not cancel
  uint64_t refused = 0;  // out of the tensor's range
  uint64_t survived = 0;
};

// Each value of each public tensor, a step up and a step down; `necessity` may be null. An error
// when the trace is not accepted, or Recheck refuses the circuit.
absl::StatusOr<std::vector<StatementTally>> tamperStatement(const Package& package,
                                                            const Statement& statement,
                                                            absl::Span<const uint32_t> main,
                                                            Necessity* necessity);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_STATEMENT_CAMPAIGN_H_
