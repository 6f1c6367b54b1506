#include "runtime/claim/claim.h"

#include <algorithm>

#include "runtime/claim/model_fields.h"

namespace lindero::runtime {

template <>
struct Words<DecodeKind> {
  static constexpr absl::string_view kWords[] = {"forward", "greedy", "teacher-forced"};
};

template <>
struct Fields<ClaimMember> {
  static void visit(auto& each, auto& member) {
    each("circuit", member.circuit);
    each("fixed_root", member.fixed_root);
    each("name", member.name);
  }
};

template <>
struct Fields<ModelIdentity> {
  static void visit(auto& each, auto& model) {
    each("bucket", model.bucket);
    each("bundle", model.bundle);
    each("external", model.external);
    each("id", model.id);
    each("members", model.members);
    each("onnx", model.onnx);
    each("unread", model.unread);
  }
};

template <>
struct Fields<ClaimTensor> {
  static void visit(auto& each, auto& tensor) {
    each("columns", tensor.columns);
    each("digest", tensor.digest);
    each("exponent", tensor.exponent);
    each("high", tensor.high);
    each("low", tensor.low);
    each("name", tensor.name);
    each("rows", tensor.rows);
    each("shape", tensor.shape);
    each("values", tensor.values);
  }
};

template <>
struct Fields<DecodePolicy> {
  static void visit(auto& each, auto& decode) {
    each("kind", decode.kind);
    each("stop", decode.stop);
  }
};

template <>
struct Fields<Limits> {
  static void visit(auto& each, auto& limits) {
    each("context", limits.context);
    each("steps", limits.steps);
  }
};

template <>
struct Fields<Policy> {
  static void visit(auto& each, auto& policy) {
    each("arithmetic", policy.arithmetic);
    each("boundary", policy.boundary);
    each("decode", policy.decode);
    each("digests", policy.digests);
    each("limits", policy.limits);
  }
};

template <>
struct Fields<Steps> {
  static void visit(auto& each, auto& steps) {
    each("count", steps.count);
    each("first", steps.first);
  }
};

template <>
struct Fields<Frontier> {
  static void visit(auto& each, auto& frontier) {
    each("digest", frontier.digest);
    each("position", frontier.position);
  }
};

template <>
struct Fields<FrontierPair> {
  static void visit(auto& each, auto& frontier) {
    each("end", frontier.end);
    each("start", frontier.start);
  }
};

template <>
struct Fields<ProofParameters> {
  static void visit(auto& each, auto& parameters) {
    each("batching_pow_bits", parameters.batching_pow_bits);
    each("challenge_pow_bits", parameters.challenge_pow_bits);
    each("composition_pow_bits", parameters.composition_pow_bits);
    each("fold_pow_bits", parameters.fold_pow_bits);
    each("fold_step", parameters.fold_step);
    each("log_blowup", parameters.log_blowup);
    each("log_last_layer_degree", parameters.log_last_layer_degree);
    each("out_of_domain_pow_bits", parameters.out_of_domain_pow_bits);
    each("pow_bits", parameters.pow_bits);
    each("queries", parameters.queries);
  }
};

template <>
struct Fields<ClaimedSecurity> {
  static void visit(auto& each, auto& security) {
    each("bits", security.bits);
    each("regime", security.regime);
  }
};

template <>
struct Fields<VerifierDomain> {
  static void visit(auto& each, auto& verifier) {
    each("backend", verifier.backend);
    each("parameters", verifier.parameters);
    each("protocol", verifier.protocol);
    each("security", verifier.security);
  }
};

template <>
struct Fields<Labels> {
  static void visit(auto& each, auto& labels) {
    each("input", labels.input);
    each("model", labels.model);
    each("output", labels.output);
  }
};

template <>
struct Fields<Claim> {
  static void visit(auto& each, auto& claim) {
    each("format", claim.format);
    each("model", claim.model);
    each("inputs", claim.inputs);
    each("outputs", claim.outputs);
    each("policy", claim.policy);
    each("steps", claim.steps);
    each("frontier", claim.frontier);
    each("verifier", claim.verifier);
    each("labels", claim.labels);
    each("nonce", claim.nonce);
  }
};

namespace {

absl::Status invalid(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("claim: ", where, " ", what));
}

absl::Status checkTensor(const ClaimTensor& tensor, const std::string& where) {
  constexpr int64_t kMostRows = int64_t{1} << 32;  // as circuit.proto counts them
  if (tensor.rows < 0 || tensor.rows >= kMostRows || tensor.columns < 0 ||
      tensor.columns >= kMostRows) {
    return invalid(where, "has an impossible shape");
  }
  if (!hasElements(tensor.shape, static_cast<uint64_t>(tensor.rows) * tensor.columns)) {
    return invalid(where, absl::StrCat("has a shape of other than ", tensor.rows, " x ",
                                       tensor.columns, " elements"));
  }
  if (tensor.values.has_value() == tensor.digest.has_value()) {
    return invalid(where, "needs either values or a digest");
  }
  if (!tensor.values) return absl::OkStatus();
  if (tensor.values->size() != static_cast<uint64_t>(tensor.rows) * tensor.columns) {
    return invalid(where, absl::StrCat("has ", tensor.values->size(), " values, not ", tensor.rows,
                                       " x ", tensor.columns));
  }
  for (int64_t value : *tensor.values) {
    if (value >= tensor.low && value <= tensor.high) continue;
    return invalid(where, absl::StrCat("holds ", value, ", which is outside of [", tensor.low, ", ",
                                       tensor.high, "]"));
  }
  return absl::OkStatus();
}

absl::Status checkTensors(const Claim& claim) {
  std::vector<std::string> digests;
  for (const auto* list : {&claim.inputs, &claim.outputs}) {
    const char* what = list == &claim.inputs ? "inputs" : "outputs";
    for (size_t i = 0; i < list->size(); ++i) {
      LINDERO_RETURN_IF_ERROR(checkTensor((*list)[i], absl::StrCat(what, "[", i, "]")));
      if ((*list)[i].digest) digests.push_back((*list)[i].name);
    }
  }
  if (digests == claim.policy.digests) return absl::OkStatus();
  return invalid("policy.digests", "does not name the tensors that are given by digest");
}

absl::Status checkSelf(const Claim& claim) {
  if (claim.format != kClaimFormat) {
    return invalid("format", absl::StrCat("is not \"", kClaimFormat, "\""));
  }
  LINDERO_RETURN_IF_ERROR(checkExternal(claim.model.external, "claim: model.external"));
  const std::vector<int64_t>& stop = claim.policy.decode.stop;
  if (std::adjacent_find(stop.begin(), stop.end(), std::greater_equal<>()) != stop.end()) {
    return invalid("policy.decode.stop", "does not ascend");
  }
  return checkTensors(claim);
}

}  // namespace

ClaimTensor* findTensor(Claim& claim, absl::string_view name) {
  for (auto* list : {&claim.inputs, &claim.outputs}) {
    for (ClaimTensor& tensor : *list) {
      if (tensor.name == name) return &tensor;
    }
  }
  return nullptr;
}

absl::StatusOr<std::string> encodeClaim(const Claim& claim) {
  LINDERO_RETURN_IF_ERROR(checkSelf(claim));
  return encodeFields(claim, "claim");
}

absl::StatusOr<Claim> decodeClaim(absl::string_view bytes) {
  LINDERO_ASSIGN_OR_RETURN(Claim claim, decodeFields<Claim>(bytes, "claim"));
  LINDERO_RETURN_IF_ERROR(checkSelf(claim));
  return claim;
}

}  // namespace lindero::runtime
