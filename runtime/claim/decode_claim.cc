#include "runtime/claim/decode_claim.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/claim/json.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

absl::Status wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("claim: ", what));
}

const ClaimTensor* findInput(const Claim& claim, absl::string_view name) {
  for (const ClaimTensor& tensor : claim.inputs) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

absl::Status checkForward(const Claim& claim) {
  if (claim.policy.decode.kind != DecodeKind::kForward) {
    return wrong("policy.decode.kind is not \"forward\", which is all that the circuit proves");
  }
  if (!claim.policy.decode.stop.empty()) {
    return wrong("policy.decode.stop names tokens, but a forward run does not stop");
  }
  if (claim.policy.limits.steps != 0) {
    return wrong("policy.limits.steps is not 0, but a forward run chooses no tokens");
  }
  if (claim.steps.first != 0 || claim.steps.count != 0) {
    return wrong("steps names decode steps, but a forward run has none");
  }
  if (claim.frontier.start || claim.frontier.end) {
    return wrong("frontier is not null, but a forward run has none");
  }
  return absl::OkStatus();
}

bool same(const std::optional<Frontier>& a, const std::optional<Frontier>& b) {
  return a.has_value() == b.has_value() &&
         (!a || (a->position == b->position && a->digest == b->digest));
}

// Whether a member has a tensor of the step table. What several would say of tokens is not defined.
bool readsTokens(const Key& key) {
  for (const Circuit* circuit : key.memberCircuits()) {
    for (const PublicTensor& tensor : circuit->publics()) {
      if (tensor.name() == kTape || tensor.name() == kLengths) return true;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<std::optional<DecodeRun>> decodeRunOf(const Claim& claim, const Key& key) {
  if (key.members.size() > 1) {
    if (!readsTokens(key)) return std::nullopt;
    return wrong("a decode run is of a bundle of one member, and the key has more");
  }
  if (mostSteps(key.circuit(), key.mostSteps()) == 0) return std::nullopt;
  const ClaimTensor *tape = findInput(claim, kTape), *lengths = findInput(claim, kLengths);
  if (tape == nullptr || lengths == nullptr || !tape->values || !lengths->values) {
    return wrong("the tokens of a decode run are not given by their values");
  }
  LINDERO_ASSIGN_OR_RETURN(DecodeRun run, readDecodeRun(*tape->values, *lengths->values));
  LINDERO_ASSIGN_OR_RETURN(Statement inputs, decodeInputs(key.circuit(), key.mostSteps(), run));
  for (const PublicValues& expected : inputs.tensors()) {
    const ClaimTensor* claimed = findInput(claim, expected.name());
    if (claimed == nullptr || !claimed->values ||
        !std::equal(claimed->values->begin(), claimed->values->end(), expected.values().begin(),
                    expected.values().end())) {
      return wrong(absl::StrCat(expected.name(), " is not that of the decode run"));
    }
  }
  return run;
}

absl::StatusOr<Frontier> frontierBehind(const Digest& model_id, absl::Span<const int64_t> tokens) {
  const auto position = static_cast<int64_t>(tokens.size());
  Json state = {{"model", toHex(model_id)},
                {"position", position},
                {"tokens", std::vector<int64_t>(tokens.begin(), tokens.end())}};
  LINDERO_ASSIGN_OR_RETURN(std::string bytes, canonicalJson(state));
  return Frontier{position, sha256(bytes)};
}

absl::Status describeRun(const DecodeRun& run, const StopRule& rule, Claim& claim) {
  const bool chosen = run.generated() > 0;
  claim.policy.decode.kind = chosen ? DecodeKind::kGreedy : DecodeKind::kTeacherForced;
  claim.policy.decode.stop.clear();
  if (chosen) {
    std::vector<int64_t> stop = rule.stop;
    std::sort(stop.begin(), stop.end());
    stop.erase(std::unique(stop.begin(), stop.end()), stop.end());
    claim.policy.decode.stop = std::move(stop);
  }
  claim.policy.limits.steps = chosen ? rule.most : 0;
  claim.steps = {0, run.steps()};
  absl::Span<const int64_t> tokens = run.tokens;
  LINDERO_ASSIGN_OR_RETURN(
      claim.frontier.start,
      frontierBehind(claim.model.id, tokens.first(static_cast<size_t>(run.prompt))));
  LINDERO_ASSIGN_OR_RETURN(claim.frontier.end, frontierBehind(claim.model.id, tokens));
  return absl::OkStatus();
}

absl::Status checkDecodeClaim(const Claim& claim, const Key& key) {
  LINDERO_ASSIGN_OR_RETURN(std::optional<DecodeRun> run, decodeRunOf(claim, key));
  if (!run) return checkForward(claim);
  const StopRule rule{claim.policy.limits.steps, claim.policy.decode.stop};
  Claim expected = claim;
  LINDERO_RETURN_IF_ERROR(describeRun(*run, rule, expected));
  if (claim.policy.decode.kind != expected.policy.decode.kind) {
    return wrong("policy.decode.kind is not that of the proven run");
  }
  if (claim.policy.decode.stop != expected.policy.decode.stop) {
    return wrong("policy.decode.stop does not fit the proven run, or is not in ascending order");
  }
  if (claim.policy.limits.steps != expected.policy.limits.steps) {
    return wrong("policy.limits.steps is not 0, but no token was chosen");
  }
  if (claim.steps.first != expected.steps.first || claim.steps.count != expected.steps.count) {
    return wrong("steps are not those of the proven run");
  }
  if (!same(claim.frontier.start, expected.frontier.start)) {
    return wrong("frontier.start is not the state after the proven prompt");
  }
  if (!same(claim.frontier.end, expected.frontier.end)) {
    return wrong("frontier.end is not the state after the proven run");
  }
  if (run->generated() == 0) return absl::OkStatus();
  return checkStop(*run, rule);
}

absl::Status checkChain(absl::Span<const Claim> claims) {
  for (size_t i = 0; i < claims.size(); ++i) {
    if (!claims[i].frontier.start || !claims[i].frontier.end) {
      return absl::InvalidArgumentError(
          absl::StrCat("run ", i + 1, " is no decode run: it has no frontier"));
    }
    if (i == 0) continue;
    const Frontier &end = *claims[i - 1].frontier.end, &start = *claims[i].frontier.start;
    if (claims[i].model.id != claims[0].model.id) {
      return absl::InvalidArgumentError(absl::StrCat("run ", i + 1, " is of another model"));
    }
    if (start.position != end.position) {
      return absl::InvalidArgumentError(absl::StrCat("run ", i + 1, " starts after token ",
                                                     start.position, ", run ", i,
                                                     " ends after token ", end.position));
    }
    if (start.digest != end.digest) {
      return absl::InvalidArgumentError(
          absl::StrCat("run ", i + 1, " starts from other tokens than run ", i, " ends with"));
    }
  }
  return absl::OkStatus();
}

}  // namespace lindero::runtime
