#include "runtime/claim/attestation.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/claim/fields.h"

namespace lindero::runtime {
namespace {

struct SubjectDigest {
  Digest sha256 = {};
};

struct Subject {
  SubjectDigest digest;
  std::string name;
};

struct Predicate {
  Json claim;
};

struct InTotoStatement {
  std::string type = kStatementType;
  std::vector<Subject> subject;
  std::string predicate_type = kPredicateType;
  Predicate predicate;
};

struct EnvelopeSignature {
  Digest keyid = {};
  std::string sig;  // base64
};

struct Envelope {
  std::string payload;  // base64
  std::string payload_type = kPayloadType;
  std::vector<EnvelopeSignature> signatures;
};

}  // namespace

template <>
struct Fields<SubjectDigest> {
  static void visit(auto& each, auto& digest) { each("sha256", digest.sha256); }
};

template <>
struct Fields<Subject> {
  static void visit(auto& each, auto& subject) {
    each("digest", subject.digest);
    each("name", subject.name);
  }
};

template <>
struct Fields<Predicate> {
  static void visit(auto& each, auto& predicate) { each("claim", predicate.claim); }
};

template <>
struct Fields<InTotoStatement> {
  static void visit(auto& each, auto& statement) {
    each("_type", statement.type);
    each("predicate", statement.predicate);
    each("predicateType", statement.predicate_type);
    each("subject", statement.subject);
  }
};

template <>
struct Fields<EnvelopeSignature> {
  static void visit(auto& each, auto& signature) {
    each("keyid", signature.keyid);
    each("sig", signature.sig);
  }
};

template <>
struct Fields<Envelope> {
  static void visit(auto& each, auto& envelope) {
    each("payload", envelope.payload);
    each("payloadType", envelope.payload_type);
    each("signatures", envelope.signatures);
  }
};

namespace {

// DSSE's pre-authentication encoding: what is signed.
std::string signedBytes(absl::string_view type, absl::string_view payload) {
  return absl::StrCat("DSSEv1 ", type.size(), " ", type, " ", payload.size(), " ", payload);
}

absl::StatusOr<InTotoStatement> statementOf(const Attested& attested) {
  InTotoStatement statement;
  statement.subject = {{{sha256(attested.claim)}, "claim"},
                       {{attested.key}, "key"},
                       {{attested.onnx}, "onnx"},
                       {{attested.proof}, "proof"}};
  LINDERO_ASSIGN_OR_RETURN(statement.predicate.claim, parseJson(attested.claim, "claim"));
  return statement;
}

absl::Status differs(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("attestation: ", what));
}

absl::StatusOr<std::string> fromBase64(const std::string& text, absl::string_view what) {
  std::string bytes;
  if (absl::Base64Unescape(text, &bytes) && absl::Base64Escape(bytes) == text) return bytes;
  return differs(absl::StrCat(what, " is not in base64, or not in its one form"));
}

// The payload, if the signer signed it.
absl::StatusOr<std::string> signedPayload(absl::string_view bytes, const SigningKey& signer) {
  LINDERO_ASSIGN_OR_RETURN(Envelope envelope, decodeFields<Envelope>(bytes, "attestation"));
  LINDERO_ASSIGN_OR_RETURN(Digest id, signer.id());
  if (envelope.payload_type != kPayloadType) return differs("payloadType is not in-toto's");
  if (envelope.signatures.size() != 1) return differs("it must have one signature");
  if (envelope.signatures[0].keyid != id) return differs("keyid is not that of the signer's key");
  LINDERO_ASSIGN_OR_RETURN(std::string payload, fromBase64(envelope.payload, "payload"));
  LINDERO_ASSIGN_OR_RETURN(std::string signature, fromBase64(envelope.signatures[0].sig, "sig"));
  if (absl::Status status = signer.verify(signedBytes(envelope.payload_type, payload), signature);
      !status.ok()) {
    return differs(status.message());
  }
  return payload;
}

absl::Status compareSubjects(const InTotoStatement& found, const InTotoStatement& expected) {
  if (found.subject.size() != expected.subject.size()) {
    return differs("its subjects are not claim, key, onnx and proof");
  }
  for (size_t i = 0; i < expected.subject.size(); ++i) {
    const std::string& name = expected.subject[i].name;
    if (found.subject[i].name != name) {
      return differs("its subjects are not claim, key, onnx and proof");
    }
    if (found.subject[i].digest.sha256 == expected.subject[i].digest.sha256) continue;
    return differs(absl::StrCat("subject \"", name, "\" is ", toHex(found.subject[i].digest.sha256),
                                ", not ", toHex(expected.subject[i].digest.sha256)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> attest(const Attested& attested, const SigningKey& signer) {
  LINDERO_ASSIGN_OR_RETURN(InTotoStatement statement, statementOf(attested));
  LINDERO_ASSIGN_OR_RETURN(std::string payload, encodeFields(statement, "attestation"));
  Envelope envelope;
  envelope.payload = absl::Base64Escape(payload);
  LINDERO_ASSIGN_OR_RETURN(std::string signature,
                           signer.sign(signedBytes(envelope.payload_type, payload)));
  LINDERO_ASSIGN_OR_RETURN(Digest id, signer.id());
  envelope.signatures = {{id, absl::Base64Escape(signature)}};
  return encodeFields(envelope, "attestation");
}

absl::Status checkAttestation(absl::string_view envelope, const Attested& attested,
                              const SigningKey& signer) {
  LINDERO_ASSIGN_OR_RETURN(std::string payload, signedPayload(envelope, signer));
  LINDERO_ASSIGN_OR_RETURN(InTotoStatement found,
                           decodeFields<InTotoStatement>(payload, "attestation: payload"));
  LINDERO_ASSIGN_OR_RETURN(InTotoStatement expected, statementOf(attested));
  if (found.type != expected.type) return differs("_type is not in-toto's statement, version 1");
  if (found.predicate_type != expected.predicate_type) {
    return differs(absl::StrCat("predicateType is not \"", kPredicateType, "\""));
  }
  LINDERO_RETURN_IF_ERROR(compareSubjects(found, expected));
  if (found.predicate.claim != expected.predicate.claim) {
    return differs("the claim in its predicate is not that of the proof");
  }
  return absl::OkStatus();
}

}  // namespace lindero::runtime
