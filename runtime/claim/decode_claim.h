// What a claim says of a decode run: how its tokens were chosen, which steps it has, and the states
// that it starts from and ends in.
#ifndef LINDERO_RUNTIME_CLAIM_DECODE_CLAIM_H_
#define LINDERO_RUNTIME_CLAIM_DECODE_CLAIM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/claim/claim.h"
#include "runtime/claim/key.h"
#include "runtime/decode/decode_run.h"

namespace lindero::runtime {

// The run that the claim's values stand for; nothing if the key's circuit has no step table.
absl::StatusOr<std::optional<DecodeRun>> decodeRunOf(const Claim& claim, const Key& key);

// The state after these tokens: their number, and the SHA-256 of the canonical JSON
// {"model", "position", "tokens"}.
absl::StatusOr<Frontier> frontierBehind(const Digest& model_id, absl::Span<const int64_t> tokens);

// Fills decode policy, steps and frontiers for the run; `rule` says when it was to end.
absl::Status describeRun(const DecodeRun& run, const StopRule& rule, Claim& claim);

// That the claim says of its run what describeRun would, and that the run ended where its policy
// says; of a circuit without a step table, that it claims a forward pass. The error names the
// member.
absl::Status checkDecodeClaim(const Claim& claim, const Key& key);

// That each run starts where the one before it ended: the same model, in whatever bucket, and the
// same state. That the circuits are that model's is what the keys say: those of one set.
absl::Status checkChain(absl::Span<const Claim> claims);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_DECODE_CLAIM_H_
