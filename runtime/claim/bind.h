// A claim and the key that it is about.
#ifndef LINDERO_RUNTIME_CLAIM_BIND_H_
#define LINDERO_RUNTIME_CLAIM_BIND_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/claim/claim.h"
#include "runtime/claim/key.h"
#include "runtime/claim/opening.h"
#include "runtime/decode/decode_run.h"
#include "runtime/package/statement.pb.h"

namespace lindero::runtime {

// The claim of a run: everything that the key and the circuit determine, the values of the run,
// and what they say of it; `rule` is for decode runs. Labels and nonce stay empty. Fails where the
// statement is not of the key's circuit.
absl::StatusOr<Claim> claimOf(const Key& key, const Statement& statement, const StopRule& rule);

// Puts digests in place of the values of these tensors, under fresh salts. Fails on a name that is
// no tensor of the claim.
absl::StatusOr<std::vector<Opening>> hideValues(Claim& claim,
                                                const std::vector<std::string>& names);

// Everything in the claim that does not come from the run is what the key says, every tensor is a
// public tensor of its circuit, in order, and the decode policy is one that the circuit proves. The
// error names the member and both values.
absl::Status checkClaim(const Claim& claim, const Key& key);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_BIND_H_
