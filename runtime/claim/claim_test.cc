#include "runtime/claim/claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "runtime/claim/bind.h"
#include "runtime/claim/json.h"
#include "runtime/claim/opening.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

Claim sampleClaim() {
  Claim claim;
  claim.model.onnx.fill(0x0a);
  claim.model.external = {{"a.bin", sha256("a")}, {"b.bin", sha256("b")}};
  claim.model.bucket = 3;
  claim.model.members = {{"whole", sha256("circuit"), sha256("root")}};
  claim.model.bundle = sha256("bundle");
  claim.inputs = {
      {.name = "ids", .rows = 3, .columns = 1, .high = 9, .shape = {1, 3}, .values = {{1, 2, 3}}}};
  claim.outputs = {{.name = "y\n\"é",
                    .rows = 1,
                    .columns = 2,
                    .low = -5,
                    .high = 5,
                    .exponent = -2,
                    .shape = {1, 1, 2},
                    .digest = sha256("y")}};
  claim.policy = {.arithmetic = "i", .boundary = "whole", .digests = {"y\n\"é"}};
  claim.policy.decode = {DecodeKind::kGreedy, {2, 5}};
  claim.frontier.end = Frontier{7, sha256("f")};
  claim.labels.model = "gpt";
  return claim;
}

std::string encoded(const Claim& claim) {
  absl::StatusOr<std::string> bytes = encodeClaim(claim);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(Claim, SurvivesTheRoundTrip) {
  std::string bytes = encoded(sampleClaim());
  absl::StatusOr<Claim> claim = decodeClaim(bytes);
  ASSERT_TRUE(claim.ok()) << claim.status();
  EXPECT_EQ(encoded(*claim), bytes);
  EXPECT_EQ(claim->policy.decode.kind, DecodeKind::kGreedy);
  EXPECT_EQ(claim->frontier.end->position, 7);
  EXPECT_EQ(claim->outputs[0].name, "y\n\"é");
  EXPECT_EQ(claim->model.members, sampleClaim().model.members);
  EXPECT_EQ(claim->model.bundle, sha256("bundle"));
}

TEST(Claim, IsCanonical) {
  std::string bytes = encoded(sampleClaim());
  // Sorted names, no white space, escapes only where RFC 8785 has them.
  EXPECT_THAT(bytes, HasSubstr(R"("frontier":{"end":{"digest":")"));
  EXPECT_THAT(
      bytes,
      HasSubstr(R"("high":5,"low":-5,"name":"y\n\"é","rows":1,"shape":[1,1,2],"values":null)"));
  EXPECT_THAT(bytes, HasSubstr(R"("steps":{"count":0,"first":0},"verifier":)"));
  EXPECT_EQ(bytes.rfind(R"({"format":"lindero/claim/3","frontier":)", 0), 0u);
}

TEST(Claim, RefusesOtherBytes) {
  const std::string bytes = encoded(sampleClaim());
  struct Case {
    std::string what, changed, message;
  };
  const Case cases[] = {
      {"empty", "", "does not parse"},
      {"cut", bytes.substr(0, bytes.size() - 1), "does not parse"},
      {"a byte more", bytes + "\n", "canonical"},
      {"zero byte", bytes + std::string(1, '\0'), "canonical"},
      {"white space", replaced(bytes, ":3", ": 3"), "canonical"},
      {"order", replaced(bytes, R"("count":0,"first":0)", R"("first":0,"count":0)"), "canonical"},
      {"duplicate", replaced(bytes, R"("count":0,)", R"("count":0,"count":0,)"), "canonical"},
      {"unknown", replaced(bytes, R"("count":0,)", R"("count":0,"counter":0,)"), "\"counter\""},
      {"unknown at the top", replaced(bytes, R"("format")", R"("extra":1,"format")"), "\"extra\""},
      {"missing", replaced(bytes, R"("count":0,)", ""), "steps.count is missing"},
      {"real", replaced(bytes, R"("count":0)", R"("count":0.0)"), "steps.count is not an integer"},
      {"exponent", replaced(bytes, R"("count":0)", R"("count":0e0)"), "steps.count"},
      {"minus zero", replaced(bytes, R"("count":0)", R"("count":-0)"), "canonical"},
      {"2^53", replaced(bytes, R"("count":0)", R"("count":9007199254740992)"), "steps.count"},
      {"2^64", replaced(bytes, R"("count":0)", R"("count":18446744073709551616)"), "steps.count"},
      {"string", replaced(bytes, R"("count":0)", R"("count":"0")"), "steps.count"},
      {"null", replaced(bytes, R"("count":0)", R"("count":null)"), "steps.count"},
      {"escape", replaced(bytes, "é", R"(\u00e9)"), "canonical"},
      {"solidus", replaced(bytes, "lindero/claim", R"(lindero\/claim)"), "canonical"},
      {"no UTF-8", replaced(bytes, "é", "\xc3"), "does not parse"},
      {"upper case", replaced(bytes, "0a0a", "0A0A"), "hexadecimal"},
      {"short digest", replaced(bytes, "0a0a", "0a"), "hexadecimal"},
      {"a member without a name", replaced(bytes, R"(,"name":"whole"})", "}"), "name"},
      {"other format", replaced(bytes, "claim/3", "claim/2"), "format"},
      {"other kind", replaced(bytes, "greedy", "sampled"), "policy.decode.kind"},
      {"value beyond its range", replaced(bytes, "[1,2,3]", "[1,2,10]"), "holds 10"},
      {"value too few", replaced(bytes, "[1,2,3]", "[1,2]"), "2 values"},
      {"a shape of other elements", replaced(bytes, "[1,1,2]", "[1,2,2]"), "1 x 2 elements"},
      {"an empty axis", replaced(bytes, "[1,1,2]", "[0,1,2]"), "1 x 2 elements"},
      {"a negative axis", replaced(bytes, "[1,1,2]", "[-1,-1,2]"), "1 x 2 elements"},
      {"no values", replaced(bytes, "[1,2,3]", "null"), "either values or a digest"},
      {"a real value", replaced(bytes, "[1,2,3]", "[1,2,3.0]"), "inputs[0].values[2]"},
      {"digests", replaced(bytes, R"("digests":["y\n\"é"])", R"("digests":[])"), "policy.digests"},
      {"stop order", replaced(bytes, "[2,5]", "[5,2]"), "ascend"},
      {"stop twice", replaced(bytes, "[2,5]", "[2,2]"), "ascend"},
      {"external order", replaced(bytes, "b.bin", "A.bin"), "sorted"},
      {"deep", std::string(100000, '['), "levels"},
      {"deep and closed", std::string(1000, '[') + std::string(1000, ']'), "levels"},
      {"a list", "[]", "not an object"},
  };
  for (const Case& c : cases) {
    absl::StatusOr<Claim> claim = decodeClaim(c.changed);
    ASSERT_FALSE(claim.ok()) << c.what;
    EXPECT_THAT(std::string(claim.status().message()), HasSubstr(c.message)) << c.what;
  }
}

TEST(Claim, RefusesEveryDamage) {
  const std::string bytes = encoded(sampleClaim());
  std::mt19937 random(1);
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(decodeClaim(bytes.substr(0, i)).ok()) << "cut to " << i;
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1 << random() % 8);
    // It may still be a claim, but then another one.
    absl::StatusOr<Claim> claim = decodeClaim(changed);
    if (claim.ok()) {
      EXPECT_EQ(encoded(*claim), changed);
    }
  }
}

TEST(Claim, IsNotWrittenWithWhatHasNoForm) {
  Claim claim = sampleClaim();
  claim.labels.input = "\xff";
  EXPECT_THAT(std::string(encodeClaim(claim).status().message()), HasSubstr("UTF-8"));
  claim = sampleClaim();
  claim.steps.first = int64_t{1} << 53;
  EXPECT_THAT(std::string(encodeClaim(claim).status().message()), HasSubstr("2^53"));
}

TEST(CanonicalJson, EscapesLikeRfc8785) {
  // The string of RFC 8785, section 3.2.2, and the other control characters that have short
  // escapes.
  absl::StatusOr<std::string> text = canonicalJson(Json("€$\x0f\nA'B\"\\\"/\b\t\f\r\x7f"));
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "\"€$\\u000f\\nA'B\\\"\\\\\\\"/\\b\\t\\f\\r\x7f\"");
  EXPECT_FALSE(canonicalJson(Json(1.0)).ok());
  EXPECT_FALSE(canonicalJson({{"é", 1}}).ok());
}

class Hidden : public ::testing::Test {
 protected:
  void SetUp() override {
    claim_ = sampleClaim();
    claim_.outputs[0].digest.reset();
    claim_.outputs[0].values = {{-5, 4}};
    claim_.policy.digests.clear();
    plain_ = encoded(claim_);
    absl::StatusOr<std::vector<Opening>> openings = hideValues(claim_, {"y\n\"é"});
    ASSERT_TRUE(openings.ok()) << openings.status();
    openings_ = *openings;
  }

  Claim claim_;
  std::string plain_;
  std::vector<Opening> openings_;
};

TEST_F(Hidden, OpensToWhatWasHidden) {
  EXPECT_EQ(encoded(claim_).find("-5,4"), std::string::npos);
  std::string file = encodeOpenings(openings_).value();
  absl::StatusOr<Claim> opened = openClaim(claim_, decodeOpenings(file).value());
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(encoded(*opened), plain_);
}

TEST_F(Hidden, OpensToNothingElse) {
  using Change = std::function<void(std::vector<Opening>&)>;
  const std::pair<const char*, Change> cases[] = {
      {"value", [](auto& list) { list[0].values[1] = 3; }},
      {"salt", [](auto& list) { list[0].salt[31] ^= 1; }},
      {"name", [](auto& list) { list[0].name = "ids"; }},
      {"no such name", [](auto& list) { list[0].name = "z"; }},
      {"twice", [](auto& list) { list.push_back(list[0]); }},
      {"a value more", [](auto& list) { list[0].values.push_back(0); }},
  };
  for (const auto& [what, change] : cases) {
    std::vector<Opening> openings = openings_;
    change(openings);
    EXPECT_FALSE(openClaim(claim_, openings).ok()) << what;
  }
  EXPECT_FALSE(hideValues(claim_, {"z"}).ok());
  EXPECT_FALSE(hideValues(claim_, {"ids", "ids"}).ok());
}

TEST_F(Hidden, HasAnotherDigestEachTime) {
  Claim again = decodeClaim(plain_).value();
  ASSERT_TRUE(hideValues(again, {"y\n\"é"}).ok());
  EXPECT_NE(again.outputs[0].digest, claim_.outputs[0].digest);
}

// A digest of values of a wrong shape or range hashes right, and is refused all the same.
TEST_F(Hidden, OpensOnlyToValuesInRange) {
  for (std::vector<int64_t> values : {std::vector<int64_t>{-5, 6}, {1}, {}}) {
    Opening opening{"y\n\"é", sha256("salt"), values};
    claim_.outputs[0].digest = openingDigest(opening).value();
    EXPECT_FALSE(openClaim(claim_, {opening}).ok());
  }
}

}  // namespace
}  // namespace lindero::runtime
