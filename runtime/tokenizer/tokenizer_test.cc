#include "runtime/tokenizer/tokenizer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/error/error.h"

namespace lindero::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kTokenizer[] = R"({"type": "char", "vocab": ["a", "b", "é", " "]})";

TEST(TokenizerTest, EncodesAndDecodesCharacters) {
  absl::StatusOr<Tokenizer> tokenizer = Tokenizer::parse(kTokenizer, "t.json");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(*tokenizer->encode("bé a"), ElementsAre(1, 2, 3, 0));
  EXPECT_EQ(tokenizer->decode({1, 2, 3, 0}), "bé a");
  absl::Status missing = tokenizer->encode("abX").status();
  EXPECT_EQ(errorOf(missing), Error::kToken);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("'X' at position 2"));
}

TEST(TokenizerTest, RefusesOtherFiles) {
  for (const char* text :
       {"", "[]", "{}", R"({"type": "BPE"})", R"({"type": "char"})",
        R"({"type": "char", "vocab": ["ab"]})", R"({"type": "char", "vocab": ["a", "a"]})",
        R"({"type": "char", "vocab": [3]})"}) {
    absl::Status status = Tokenizer::parse(text, "t.json").status();
    EXPECT_EQ(errorOf(status), Error::kInput) << text;
  }
}

}  // namespace
}  // namespace lindero::runtime
