#include "runtime/claim/key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "runtime/claim/decode_claim.h"
#include "runtime/package/proof.pb.h"
#include "runtime/package/proto_io.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kContext = 64;

ModelRecord sampleRecord(int64_t bucket) {
  ModelRecord record;
  record.bucket = bucket;
  record.context = kContext;
  record.compiler = "1";
  record.exponents = Json::object();
  record.onnx.fill(1);
  record.options.decode = true;
  return record;
}

std::string bytesOf(ModelRecord record) {
  record.id = modelId(record).value();
  return encodeModelRecord(record).value();
}

// A key as far as this library reads it, with a circuit of its own.
VerifyingKey sampleKey(int64_t bucket) {
  Circuit circuit = testing::linearSample().circuit;
  circuit.mutable_publics(0)->set_low(-bucket);
  VerifyingKey key;
  key.set_format(2);
  key.set_backend("stwo");
  key.add_circuits(serializeProto(circuit));
  key.mutable_security()->set_bits(96);
  key.mutable_stwo()->set_queries(30);
  key.add_fixed_roots(std::string(32, 'r'));
  *key.mutable_bundle() = bundleOfOne();
  key.set_model(bytesOf(sampleRecord(bucket)));
  return key;
}

std::string setOf(const std::vector<VerifyingKey>& keys) {
  lindero::KeySet set;
  set.set_format(2);
  for (const VerifyingKey& key : keys) set.add_keys(serializeProto(key));
  return serializeProto(set);
}

std::string proofOf(const VerifyingKey& key) {
  const Digest digest = sha256(serializeProto(key));
  Proof proof;
  proof.set_format(4);
  proof.set_key_digest(std::string(digest.begin(), digest.end()));
  return serializeProto(proof);
}

TEST(KeySet, SurvivesTheRoundTrip) {
  const std::string bytes = setOf({sampleKey(16), sampleKey(32), sampleKey(64)});
  absl::StatusOr<KeySet> set = decodeKeySet(bytes);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(encodeKeySet(set->keys), bytes);
  EXPECT_EQ(describeBuckets(*set), "buckets 16, 32, 64");
  EXPECT_EQ(set->keys[1].digest, sha256(serializeProto(sampleKey(32))));
}

TEST(KeySet, FindsTheKeyOfAProofAndOfAPackage) {
  absl::StatusOr<KeySet> set = decodeKeySet(setOf({sampleKey(16), sampleKey(64)}));
  ASSERT_TRUE(set.ok()) << set.status();
  absl::StatusOr<Key> key = keyOfProof(*set, proofOf(sampleKey(64)));
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->model.bucket, 64);
  const Digest bundle = bundleDigest(bundleOfOne());
  EXPECT_EQ(set->find({sha256(sampleKey(16).circuits(0))}, bundle), &set->keys[0]);
  EXPECT_EQ(set->find({sha256(sampleKey(32).circuits(0))}, bundle), nullptr);
  absl::StatusOr<Key> other = keyOfProof(*set, proofOf(sampleKey(32)));
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(std::string(other.status().message()),
              HasSubstr("made for another key than those of buckets 16, 64"));
}

// Of up to so many blocks of `block` steps.
VerifyingKey linkedKey(int64_t bucket, uint32_t steps, int64_t block) {
  VerifyingKey key = sampleKey(bucket);
  key.set_circuits(0, serializeProto(testing::linkedSample()));
  *key.mutable_bundle() = testing::linkedBundle();
  key.mutable_bundle()->set_most_steps(steps);
  ModelRecord record = sampleRecord(bucket);
  record.options.block = block;
  record.boundary = boundaryOf(record.options);
  key.set_model(bytesOf(record));
  return key;
}

TEST(KeySet, RefusesStepsOfWhatIsSaidToBeOneCircuit) {
  EXPECT_EQ(decodeKeySet(setOf({linkedKey(64, 3, 16)})).status(), absl::OkStatus());
  EXPECT_THAT(std::string(decodeKeySet(setOf({linkedKey(64, 3, 0)})).status().message()),
              HasSubstr("boundary \"whole\", but its bundle is of up to 3 steps"));
}

TEST(KeySet, RefusesSegmentsThatItHasNot) {
  auto refusal = [](std::vector<int64_t> segments, const std::string& boundary) {
    VerifyingKey key = sampleKey(64);
    ModelRecord record = sampleRecord(64);
    record.options.segments = std::move(segments);
    record.boundary = boundary;
    key.set_model(bytesOf(record));
    return std::string(decodeKeySet(setOf({key})).status().message());
  };
  EXPECT_THAT(refusal({0, 1, 1}, "segments=2"),
              HasSubstr("boundary \"segments=2\", but its bundle has 1 members"));
  EXPECT_THAT(refusal({7}, "segments=8"), HasSubstr("segments: 7 is none"));
  EXPECT_THAT(refusal({0, -1}, "segments=1"), HasSubstr("segments: -1 is none"));
  VerifyingKey two = sampleKey(64);
  *two.mutable_bundle()->add_members() = two.bundle().members(0);
  two.mutable_bundle()->mutable_members(1)->set_name("other");
  two.mutable_bundle()->mutable_members(1)->set_circuit(1);
  Circuit other = testing::linearSample().circuit;
  for (PublicTensor& tensor : *other.mutable_publics()) tensor.set_name(tensor.name() + "2");
  two.add_circuits(serializeProto(other));
  two.add_fixed_roots(two.fixed_roots(0));
  EXPECT_THAT(std::string(decodeKeySet(setOf({two})).status().message()),
              HasSubstr("boundary \"whole\", but its bundle has 2 members"));
}

// Links and steps are not the circuit's.
TEST(KeySet, TellsBundlesOfOneCircuitApart) {
  const std::vector<VerifyingKey> keys = {linkedKey(16, 2, 8), linkedKey(64, 3, 8)};
  absl::StatusOr<KeySet> set = decodeKeySet(setOf(keys));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_NE(set->keys[0].bundle_digest, set->keys[1].bundle_digest);
  const Digest circuit = sha256(keys[0].circuits(0));
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(set->find({circuit}, bundleDigest(keys[i].bundle())), &set->keys[i]);
  }
  EXPECT_EQ(set->find({circuit}, bundleDigest(bundleOfOne())), nullptr);
}

TEST(KeySet, RefusesMoreCircuitsThanMembersBeforeItParsesThem) {
  VerifyingKey key = sampleKey(16);
  // No message: parsing would say so.
  for (int i = 0; i < 1000; ++i) key.add_circuits("\xff");
  absl::StatusOr<KeySet> set = decodeKeySet(setOf({key}));
  EXPECT_THAT(std::string(set.status().message()), HasSubstr("1001 circuits, but 1 members"));
}

// Else a claim about tokens would be taken for one of a forward run.
TEST(DecodeClaim, IsOfOneMember) {
  Key key;
  key.members = {{"first", 0}, {"second", 1}};
  key.circuits.resize(2);
  key.message.mutable_bundle()->set_most_steps(1);
  Claim claim;
  EXPECT_EQ(checkDecodeClaim(claim, key), absl::OkStatus());
  for (const char* name : {kTape, kLengths}) {
    Circuit& second = key.circuits[1];
    second.clear_publics();
    second.add_publics()->set_name(name);
    second.mutable_publics(0)->set_rows(3);
    EXPECT_THAT(std::string(checkDecodeClaim(claim, key).message()),
                HasSubstr("a decode run is of a bundle of one member"));
  }
}

TEST(KeySet, SaysWhyItRefusesOldProofs) {
  absl::StatusOr<KeySet> set = decodeKeySet(setOf({sampleKey(16)}));
  ASSERT_TRUE(set.ok()) << set.status();
  Proof proof;
  ASSERT_TRUE(proof.ParseFromString(proofOf(sampleKey(16))));
  proof.set_format(2);
  absl::StatusOr<Key> key = keyOfProof(*set, serializeProto(proof));
  ASSERT_FALSE(key.ok());
  EXPECT_THAT(std::string(key.status().message()), HasSubstr("LINDERO-2026-1"));
  proof.set_format(3);
  key = keyOfProof(*set, serializeProto(proof));
  EXPECT_THAT(std::string(key.status().message()), HasSubstr("does not name the members"));
}

TEST(KeySet, RefusesFilesThatWouldTakeFarMoreMemoryThanBytes) {
  const std::string good = setOf({sampleKey(16)});
  absl::StatusOr<KeySet> set = decodeKeySet(good + std::string(kMaxKeyBytes - good.size() + 1, 0));
  EXPECT_THAT(std::string(set.status().message()), HasSubstr("larger than the 16 MiB"));
  set = decodeKeySet(good);
  ASSERT_TRUE(set.ok()) << set.status();
  // Blocks without content, of two bytes each.
  for (const int blocks : {1 << 16, (1 << 16) + 8}) {
    Proof proof;
    ASSERT_TRUE(proof.ParseFromString(proofOf(sampleKey(16))));
    for (int b = 0; b < blocks; ++b) proof.add_blocks();
    const absl::Status status = keyOfProof(*set, serializeProto(proof)).status();
    EXPECT_EQ(status.ok(), blocks == 1 << 16) << status;
    if (!status.ok()) {
      EXPECT_THAT(std::string(status.message()), HasSubstr("more than 65540 parts"));
    }
  }
}

TEST(KeySet, RefusesCircuitsThatAProverCanSolve) {
  Circuit circuit = testing::linearSample().circuit;
  circuit.mutable_tables(0)->mutable_constraints(0)->set_node(0);
  VerifyingKey bad = sampleKey(16);
  bad.set_circuits(0, serializeProto(circuit));
  absl::StatusOr<KeySet> set = decodeKeySet(setOf({bad, sampleKey(64)}));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_TRUE(keyOfProof(*set, proofOf(sampleKey(64))).ok());
  EXPECT_THAT(std::string(keyOfProof(*set, proofOf(bad)).status().message()),
              HasSubstr("key: circuit.pb: tables[0] \"x\".columns[6] \"a\": R0: "));
}

TEST(KeySet, RefusesWhatIsNotOneModelsKeys) {
  const std::string good = setOf({sampleKey(16), sampleKey(32)});
  auto changed = [](const std::function<void(VerifyingKey&)>& change) {
    VerifyingKey key = sampleKey(32);
    change(key);
    return setOf({sampleKey(16), key});
  };
  auto recorded = [&](const std::function<void(ModelRecord&)>& change) {
    ModelRecord record = sampleRecord(32);
    change(record);
    return changed([&](VerifyingKey& key) { key.set_model(bytesOf(record)); });
  };
  auto compiled = [&](const std::function<void(Circuit&)>& change) {
    Circuit circuit;
    change(circuit);
    return changed([&](VerifyingKey& key) { key.set_circuits(0, serializeProto(circuit)); });
  };
  lindero::KeySet other_format;
  ASSERT_TRUE(other_format.ParseFromString(good));
  other_format.set_format(3);
  lindero::KeySet old_format = other_format;
  old_format.set_format(1);
  struct Case {
    std::string what, bytes, message;
  };
  const Case cases[] = {
      {"no bytes", "", "another format"},
      {"no key", setOf({}), "holds none"},
      {"another format", serializeProto(other_format), "another format"},
      {"an old format", serializeProto(old_format), "compile the model again"},
      {"an old key", changed([](VerifyingKey& key) { key.set_format(1); }), "of format 1; this"},
      {"a key alone", serializeProto(sampleKey(16)), "key"},
      {"cut", good.substr(0, good.size() - 1), "key"},
      {"trailing bytes", good + std::string(2, '\0'), "key"},
      {"an unknown field", good + "\x78\x01", "key"},
      {"a set after the set", good + good, "deterministic encoding"},
      {"fields in another order", good.substr(2) + good.substr(0, 2), "deterministic encoding"},
      {"an empty key", good + std::string("\x12\x00", 2), "another format"},
      {"a bucket twice", setOf({sampleKey(16), sampleKey(16)}), "16, 16"},
      {"a bucket twice, with other weights", changed([](VerifyingKey& key) {
         key = sampleKey(16);
         key.set_fixed_roots(0, std::string(32, 's'));
       }),
       "16, 16"},
      {"descending buckets", setOf({sampleKey(32), sampleKey(16)}), "32, 16"},
      {"a bucket of no length", setOf({sampleKey(0), sampleKey(16)}), "0, 16"},
      {"a bucket beyond the context", setOf({sampleKey(16), sampleKey(65)}), "16, 65"},
      {"another model's file", recorded([](ModelRecord& r) { r.onnx.fill(2); }), "two models"},
      {"other exponents", recorded([](ModelRecord& r) { r.exponents["f"] = 1; }), "two models"},
      {"other weights", recorded([](ModelRecord& r) { r.external = {{"w", {}}}; }), "two models"},
      {"other arithmetic", recorded([](ModelRecord& r) { r.arithmetic = "x"; }), "two models"},
      {"another context", recorded([](ModelRecord& r) { r.context = 128; }), "more than the buck"},
      {"other options", recorded([](ModelRecord& r) { r.options.lanes = 4; }),
       "more than the buck"},
      {"another compiler", recorded([](ModelRecord& r) { r.compiler = "2"; }),
       "more than the buck"},
      {"another backend", changed([](VerifyingKey& key) { key.set_backend("x"); }),
       "more than the"},
      {"less security", changed([](VerifyingKey& key) { key.mutable_security()->set_bits(80); }),
       "more than the"},
      {"no model", changed([](VerifyingKey& key) { key.clear_model(); }), "which model"},
      {"an empty tensor", compiled([](Circuit& c) { c.add_publics()->set_columns(1); }),
       "empty public tensor"},
      {"no bundle", changed([](VerifyingKey& key) { key.clear_bundle(); }),
       "1 circuits, but 0 members"},
      {"steps without a link",
       changed([](VerifyingKey& key) { key.mutable_bundle()->set_most_steps(2); }), "F36"},
      {"links of what is not exported",
       changed([](VerifyingKey& key) { *key.mutable_bundle() = bundleOfSteps(0, 1, 2); }), "F35"},
      {"a circuit twice", changed([](VerifyingKey& key) {
         key.add_circuits(key.circuits(0));
         *key.mutable_bundle()->add_members() = key.bundle().members(0);
       }),
       "a circuit twice"},
      {"a circuit of no member", changed([](VerifyingKey& key) {
         key.add_circuits(serializeProto(Circuit()));
         *key.mutable_bundle()->add_members() = key.bundle().members(0);
       }),
       "F34"},
      {"more circuits than members",
       changed([](VerifyingKey& key) { key.add_circuits(key.circuits(0)); }),
       "2 circuits, but 1 members"},
      {"a root too many",
       changed([](VerifyingKey& key) { key.add_fixed_roots(std::string(32, 'r')); }),
       "a fixed root for each member"},
      {"a shape of no tensor", recorded([](ModelRecord& r) { r.shapes = {{"none", {1}}}; }),
       "\"none\" is no public"},
      {"a shape of other elements", recorded([](ModelRecord& r) { r.shapes = {{"x", {3, 1000}}}; }),
       "other elements"},
      {"no root", changed([](VerifyingKey& key) { key.clear_fixed_roots(); }), "fixed root for"},
      {"a short root", changed([](VerifyingKey& key) { key.mutable_fixed_roots(0)->pop_back(); }),
       "32 bytes"},
  };
  ASSERT_TRUE(decodeKeySet(good).ok());
  for (const Case& c : cases) {
    absl::StatusOr<KeySet> set = decodeKeySet(c.bytes);
    ASSERT_FALSE(set.ok()) << c.what;
    EXPECT_THAT(std::string(set.status().message()), HasSubstr(c.message)) << c.what;
  }
}

}  // namespace
}  // namespace lindero::runtime
