#include "runtime/claim/attestation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "runtime/claim/json.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

// RFC 8032, section 7.1, test 2.
TEST(SigningKey, SignsAsTheStandardSays) {
  const std::string seed =
      absl::HexStringToBytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  // PKCS #8: a fixed head, then the seed.
  const std::string der =
      absl::StrCat(absl::HexStringToBytes("302e020100300506032b657004220420"), seed);
  const std::string pem = absl::StrCat("-----BEGIN PRIVATE KEY-----\n", absl::Base64Escape(der),
                                       "\n-----END PRIVATE KEY-----\n");
  absl::StatusOr<SigningKey> key = SigningKey::fromPrivatePem(pem);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->privatePem().value(), pem);
  std::string signature = key->sign("\x72").value();
  EXPECT_EQ(
      absl::BytesToHexString(signature),
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
      "f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  SigningKey other = SigningKey::fromPublicPem(key->publicPem().value()).value();
  EXPECT_TRUE(other.verify("\x72", signature).ok());
  EXPECT_EQ(other.id().value(), key->id().value());
  EXPECT_FALSE(other.sign("x").ok());
  for (size_t bit = 0; bit < 8 * signature.size(); ++bit) {
    std::string changed = signature;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(other.verify("\x72", changed).ok()) << bit;
  }
  EXPECT_FALSE(other.verify("\x73", signature).ok());
  EXPECT_FALSE(other.verify("\x72", signature.substr(1)).ok());
  EXPECT_FALSE(other.verify("\x72", "").ok());
}

TEST(SigningKey, RefusesOtherFiles) {
  SigningKey key = SigningKey::generate().value();
  EXPECT_FALSE(SigningKey::fromPublicPem(key.privatePem().value()).ok());
  EXPECT_FALSE(SigningKey::fromPrivatePem(key.publicPem().value()).ok());
  EXPECT_FALSE(SigningKey::fromPublicPem("").ok());
  EXPECT_FALSE(SigningKey::fromPrivatePem("-----BEGIN PRIVATE KEY-----\n").ok());
}

class Attestation : public ::testing::Test {
 protected:
  Attested attested_ = {.proof = sha256("proof"),
                        .key = sha256("key"),
                        .onnx = sha256("onnx"),
                        .claim = R"({"a":"é","b":[1,2]})"};
  SigningKey signer_ = SigningKey::generate().value();
  std::string envelope_ = attest(attested_, signer_).value();

  void refuses(absl::string_view envelope, absl::string_view why) {
    absl::Status status = checkAttestation(envelope, attested_, signer_);
    EXPECT_FALSE(status.ok()) << why;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(why)));
  }

  // The envelope with another payload, signed again.
  std::string signedAgain(const std::string& payload,
                          const std::string& type = "application/vnd.in-toto+json") {
    std::string message =
        absl::StrCat("DSSEv1 ", type.size(), " ", type, " ", payload.size(), " ", payload);
    Json json = {{"payload", absl::Base64Escape(payload)},
                 {"payloadType", type},
                 {"signatures",
                  {{{"keyid", toHex(signer_.id().value())},
                    {"sig", absl::Base64Escape(signer_.sign(message).value())}}}}};
    return json.dump();
  }

  std::string payload() const {
    std::string bytes;
    absl::Base64Unescape(Json::parse(envelope_)["payload"].get<std::string>(), &bytes);
    return bytes;
  }
};

TEST_F(Attestation, IsAccepted) {
  EXPECT_TRUE(checkAttestation(envelope_, attested_, signer_).ok());
  EXPECT_EQ(signedAgain(payload()), envelope_);
  EXPECT_THAT(payload(), HasSubstr(R"("predicate":{"claim":{"a":"é","b":[1,2]}})"));
}

TEST_F(Attestation, OfAnotherSignerIsRefused) {
  SigningKey other = SigningKey::generate().value();
  refuses(attest(attested_, other).value(), "keyid");
}

TEST_F(Attestation, EveryByteCounts) {
  for (size_t i = 0; i < envelope_.size(); ++i) {
    for (int bit : {0, 3, 6}) {
      std::string changed = envelope_;
      changed[i] = static_cast<char>(changed[i] ^ 1 << bit);
      EXPECT_FALSE(checkAttestation(changed, attested_, signer_).ok()) << i;
    }
    EXPECT_FALSE(checkAttestation(envelope_.substr(0, i), attested_, signer_).ok()) << i;
  }
  refuses(envelope_ + "\n", "canonical");
}

TEST_F(Attestation, SignedAgainIsRefusedAllTheSame) {
  const std::pair<std::pair<const char*, const char*>, const char*> cases[] = {
      {{R"("b":[1,2])", R"("b":[1,3])"}, "claim in its predicate"},
      {{R"("name":"onnx")", R"("name":"model")"}, "subjects"},
      {{"urn:lindero:proven-run:1", "urn:lindero:proven-run:2"}, "predicateType"},
      {{"Statement/v1", "Statement/v0.1"}, "_type"},
      {{R"("predicate":{)", R"("extra":1,"predicate":{)"}, "\"extra\""},
      {{R"("predicate":{)", R"("predicate":{"approved":true,)"}, "\"approved\""},
      {{R"("_type":)", R"("_type":"x","_type":)"}, "canonical"},
      {{R"("name":"claim"},)", R"("name":"claim"},{"digest":{"sha256":"00"},"name":"x"},)"},
       "sha256"},
  };
  for (const auto& [change, why] : cases) {
    std::string changed = payload();
    size_t at = changed.find(change.first);
    ASSERT_NE(at, std::string::npos) << change.first;
    refuses(signedAgain(changed.replace(at, strlen(change.first), change.second)), why);
  }
  refuses(signedAgain(payload(), "application/json"), "payloadType");
}

TEST_F(Attestation, OfAnotherFileIsRefused) {
  for (Digest Attested::* file : {&Attested::proof, &Attested::key, &Attested::onnx}) {
    Attested other = attested_;
    (other.*file)[0] ^= 1;
    refuses(attest(other, signer_).value(), "subject");
  }
}

}  // namespace
}  // namespace lindero::runtime
