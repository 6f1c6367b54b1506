#include "runtime/claim/bind.h"

#include <algorithm>
#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "runtime/claim/decode_claim.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

using Shapes = std::map<absl::string_view, const std::vector<int64_t>*>;

ClaimTensor tensorOf(const PublicTensor& tensor, int64_t steps, const Shapes& shapes) {
  ClaimTensor result;
  result.name = tensor.name();
  result.rows = tensor.rows() * steps;
  result.columns = tensor.columns();
  result.low = tensor.low();
  result.high = tensor.high();
  result.exponent = tensor.exponent();
  result.shape = {result.rows, result.columns};
  if (auto known = shapes.find(tensor.name()); known != shapes.end()) result.shape = *known->second;
  return result;
}

// How many steps the claim is of, as far as its first tensor tells.
int64_t stepsOf(const Claim& claim, const Key& key) {
  for (const Circuit* circuit : key.memberCircuits()) {
    if (circuit->publics_size() == 0) continue;
    const PublicTensor& tensor = circuit->publics(0);
    const auto& list = tensor.kind() == PublicTensor::INPUT ? claim.inputs : claim.outputs;
    const int64_t steps = list.empty() ? 1 : list[0].rows / tensor.rows();
    return std::clamp<int64_t>(steps, 1, key.mostSteps());
  }
  return 1;
}

// Without values, labels and nonce.
Claim claimOfKey(const Key& key, int64_t steps) {
  const StwoParameters& stwo = key.message.stwo();
  Claim claim;
  claim.model = {key.model.onnx,   key.model.external, key.model.id, key.model.bucket, {},
                 key.bundle_digest};
  for (const KeyMember& member : key.members) {
    claim.model.members.push_back({member.name, member.circuit_digest, member.fixed_root});
  }
  for (const TensorShape& input : key.model.unread) claim.model.unread.push_back(input.name);
  Shapes shapes;
  for (const TensorShape& known : key.model.shapes) shapes[known.name] = &known.shape;
  for (const Circuit* circuit : key.memberCircuits()) {
    for (const PublicTensor& tensor : circuit->publics()) {
      (tensor.kind() == PublicTensor::INPUT ? claim.inputs : claim.outputs)
          .push_back(tensorOf(tensor, steps, shapes));
    }
  }
  claim.policy.arithmetic = key.model.arithmetic;
  claim.policy.boundary = key.model.boundary;
  claim.policy.limits.context = key.model.context;
  claim.verifier.protocol = kProofProtocol;
  claim.verifier.backend = key.message.backend();
  claim.verifier.parameters = {.batching_pow_bits = stwo.batching_pow_bits(),
                               .challenge_pow_bits = stwo.challenge_pow_bits(),
                               .composition_pow_bits = stwo.composition_pow_bits(),
                               .fold_pow_bits = stwo.fold_pow_bits(),
                               .fold_step = stwo.fold_step(),
                               .log_blowup = stwo.log_blowup(),
                               .log_last_layer_degree = stwo.log_last_layer_degree(),
                               .out_of_domain_pow_bits = stwo.out_of_domain_pow_bits(),
                               .pow_bits = stwo.pow_bits(),
                               .queries = stwo.queries()};
  const SecurityTarget& security = key.message.security();
  claim.verifier.security.bits = security.bits();
  claim.verifier.security.regime = regimeName(security.regime());
  return claim;
}

std::string show(const std::string& value) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(value), "\"");
}
std::string show(int64_t value) { return absl::StrCat(value); }
std::string show(const Digest& value) { return toHex(value); }
std::string show(const std::vector<int64_t>& value) {
  return absl::StrCat("[", absl::StrJoin(value, ", "), "]");
}

// Compares members with what the key says; the first difference is kept.
class Comparison {
 public:
  template <typename T>
  void operator()(absl::string_view member, const T& claimed, const T& expected) {
    if (!status_.ok() || claimed == expected) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat("claim: ", member, " is ", show(claimed), ", the key says ", show(expected)));
  }
  void require(bool holds, absl::string_view message) {
    if (status_.ok() && !holds)
      status_ = absl::InvalidArgumentError(absl::StrCat("claim: ", message));
  }
  const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
};

void compareModel(const ModelIdentity& claimed, const ModelIdentity& expected,
                  Comparison& compare) {
  compare("model.onnx", claimed.onnx, expected.onnx);
  compare.require(claimed.external == expected.external,
                  "model.external lists other files than the key");
  compare("model.id", claimed.id, expected.id);
  compare("model.bucket", claimed.bucket, expected.bucket);
  compare("number of model.members", static_cast<int64_t>(claimed.members.size()),
          static_cast<int64_t>(expected.members.size()));
  for (size_t i = 0; compare.status().ok() && i < expected.members.size(); ++i) {
    const ClaimMember &ours = claimed.members[i], &keys = expected.members[i];
    auto at = [&](absl::string_view field) {
      return absl::StrCat("model.members[", i, "].", field);
    };
    compare(at("name"), ours.name, keys.name);
    compare(at("circuit"), ours.circuit, keys.circuit);
    compare(at("fixed_root"), ours.fixed_root, keys.fixed_root);
  }
  compare("model.bundle", claimed.bundle, expected.bundle);
  compare.require(claimed.unread == expected.unread,
                  "model.unread lists other inputs than the key");
}

void compareTensors(absl::string_view list, const std::vector<ClaimTensor>& claimed,
                    const std::vector<ClaimTensor>& expected, Comparison& compare) {
  compare(absl::StrCat("number of ", list), static_cast<int64_t>(claimed.size()),
          static_cast<int64_t>(expected.size()));
  for (size_t i = 0; compare.status().ok() && i < expected.size(); ++i) {
    auto at = [&](absl::string_view member) { return absl::StrCat(list, "[", i, "].", member); };
    compare(at("name"), claimed[i].name, expected[i].name);
    compare(at("rows"), claimed[i].rows, expected[i].rows);
    compare(at("columns"), claimed[i].columns, expected[i].columns);
    compare(at("low"), claimed[i].low, expected[i].low);
    compare(at("high"), claimed[i].high, expected[i].high);
    compare(at("exponent"), claimed[i].exponent, expected[i].exponent);
    compare(at("shape"), claimed[i].shape, expected[i].shape);
  }
}

void compareVerifier(const VerifierDomain& claimed, const VerifierDomain& expected,
                     Comparison& compare) {
  const ProofParameters &ours = claimed.parameters, &keys = expected.parameters;
  compare("verifier.protocol", claimed.protocol, expected.protocol);
  compare("verifier.backend", claimed.backend, expected.backend);
  compare("verifier.parameters.batching_pow_bits", ours.batching_pow_bits, keys.batching_pow_bits);
  compare("verifier.parameters.challenge_pow_bits", ours.challenge_pow_bits,
          keys.challenge_pow_bits);
  compare("verifier.parameters.composition_pow_bits", ours.composition_pow_bits,
          keys.composition_pow_bits);
  compare("verifier.parameters.fold_pow_bits", ours.fold_pow_bits, keys.fold_pow_bits);
  compare("verifier.parameters.fold_step", ours.fold_step, keys.fold_step);
  compare("verifier.parameters.log_blowup", ours.log_blowup, keys.log_blowup);
  compare("verifier.parameters.log_last_layer_degree", ours.log_last_layer_degree,
          keys.log_last_layer_degree);
  compare("verifier.parameters.out_of_domain_pow_bits", ours.out_of_domain_pow_bits,
          keys.out_of_domain_pow_bits);
  compare("verifier.parameters.pow_bits", ours.pow_bits, keys.pow_bits);
  compare("verifier.parameters.queries", ours.queries, keys.queries);
  compare("verifier.security.bits", claimed.security.bits, expected.security.bits);
  compare("verifier.security.regime", claimed.security.regime, expected.security.regime);
}

}  // namespace

absl::StatusOr<Claim> claimOf(const Key& key, const Statement& statement, const StopRule& rule) {
  const std::vector<const Circuit*> circuits = key.memberCircuits();
  LINDERO_RETURN_IF_ERROR(checkStatement(circuits, statement, key.mostSteps()));
  Claim claim = claimOfKey(key, blocksOf(circuits, statement));
  size_t inputs = 0, outputs = 0;
  for (const PublicValues& given : statement.tensors()) {
    ClaimTensor& tensor =
        given.kind() == PublicValues::INPUT ? claim.inputs[inputs++] : claim.outputs[outputs++];
    tensor.values.emplace(given.values().begin(), given.values().end());
  }
  LINDERO_ASSIGN_OR_RETURN(std::optional<DecodeRun> run, decodeRunOf(claim, key));
  if (run) LINDERO_RETURN_IF_ERROR(describeRun(*run, rule, claim));
  return claim;
}

absl::StatusOr<std::vector<Opening>> hideValues(Claim& claim,
                                                const std::vector<std::string>& names) {
  std::vector<Opening> openings;
  for (const std::string& name : names) {
    if (claim.frontier.end &&
        std::any_of(claim.inputs.begin(), claim.inputs.end(),
                    [&](const ClaimTensor& input) { return input.name == name; })) {
      return absl::InvalidArgumentError("the inputs of a decode run cannot be given by digest");
    }
    ClaimTensor* tensor = findTensor(claim, name);
    if (tensor == nullptr || !tensor->values) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", absl::Utf8SafeCEscape(name),
                       tensor == nullptr ? "\" is no public tensor" : "\" is named twice"));
    }
    LINDERO_ASSIGN_OR_RETURN(Digest salt, randomDigest());
    openings.push_back({name, salt, *std::move(tensor->values)});
    tensor->values.reset();
    LINDERO_ASSIGN_OR_RETURN(tensor->digest, openingDigest(openings.back()));
  }
  for (const auto* list : {&claim.inputs, &claim.outputs}) {
    for (const ClaimTensor& tensor : *list) {
      if (tensor.digest) claim.policy.digests.push_back(tensor.name);
    }
  }
  return openings;
}

absl::Status checkClaim(const Claim& claim, const Key& key) {
  Claim expected = claimOfKey(key, stepsOf(claim, key));
  Comparison compare;
  compareModel(claim.model, expected.model, compare);
  compareTensors("inputs", claim.inputs, expected.inputs, compare);
  compareTensors("outputs", claim.outputs, expected.outputs, compare);
  compare("policy.arithmetic", claim.policy.arithmetic, expected.policy.arithmetic);
  compare("policy.boundary", claim.policy.boundary, expected.policy.boundary);
  compare("policy.limits.context", claim.policy.limits.context, expected.policy.limits.context);
  compareVerifier(claim.verifier, expected.verifier, compare);
  LINDERO_RETURN_IF_ERROR(compare.status());
  return checkDecodeClaim(claim, key);
}

}  // namespace lindero::runtime
