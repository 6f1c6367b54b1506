#include "runtime/tokenizer/byte_level_bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "runtime/error/error.h"
#include "runtime/package/files.h"
#include "runtime/tokenizer/tokenizer.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

Json readJson(const std::string& name) {
  auto text = readFile(absl::StrCat("runtime/tokenizer/testdata/", name), 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.ok() ? Json::parse(*text) : Json();
}

Tokenizer load(const std::string& name) {
  auto tokenizer = Tokenizer::load(absl::StrCat("runtime/tokenizer/testdata/", name));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *tokenizer;
}

class BpeTest : public ::testing::TestWithParam<const char*> {};

TEST_P(BpeTest, EncodesAsTheLibraryThatDefinesTheFormat) {
  Tokenizer tokenizer = load(absl::StrCat(GetParam(), ".json"));
  EXPECT_EQ(tokenizer.vocabulary(), 420);
  const Json cases = readJson(absl::StrCat(GetParam(), ".cases.json"));
  ASSERT_EQ(cases.size(), 11u);
  for (const Json& each : cases) {
    auto ids = tokenizer.encode(each["text"].get<std::string>());
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(*ids, each["ids"].get<std::vector<int64_t>>()) << each["text"];
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, BpeTest, ::testing::Values("gpt2", "llama"));

TEST(ByteLevelBpe, DecodingGivesTheTextBack) {
  Tokenizer tokenizer = load("gpt2.json");
  for (const Json& each : readJson("gpt2.cases.json")) {
    EXPECT_EQ(tokenizer.decode(each["ids"].get<std::vector<int64_t>>()),
              each["text"].get<std::string>());
  }
  EXPECT_EQ(tokenizer.decode({420, -1}), "\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(ByteLevelBpe, RefusesTextThatIsNotUtf8) {
  absl::Status status = load("gpt2.json").encode("a\xff").status();
  EXPECT_EQ(errorOf(status), Error::kToken);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not UTF-8"));
}

TEST(ByteLevelBpe, RefusesWhatItDoesNotDo) {
  struct Case {
    const char* pointer;
    Json value;
    const char* word;
  };
  const Case cases[] = {
      {"/model/type", "WordPiece", "BPE"},
      {"/model/dropout", 0.1, "dropout"},
      {"/model/unk_token", "<unk>", "unk_token"},
      {"/model/byte_fallback", true, "byte_fallback"},
      {"/model/vocab", Json::array(), "vocab"},
      {"/model/vocab/!", "x", "integer"},
      {"/model/vocab/!", int64_t{1} << 40, "out of range"},
      {"/model/merges", Json::array({Json::array({"t", "nosuch"})}), "merge 0"},
      {"/model/merges", Json::array({"th"}), "merge 0"},
      {"/normalizer", {{"type", "Lowercase"}}, "normalizer"},
      {"/pre_tokenizer", {{"type", "Whitespace"}}, "Whitespace"},
      {"/pre_tokenizer", nullptr, "not byte-level"},
      {"/pre_tokenizer/add_prefix_space", true, "add_prefix_space"},
      {"/pre_tokenizer",
       {{"type", "Split"}, {"pattern", {{"Regex", "("}}}, {"behavior", "Isolated"}},
       "regular expression"},
      {"/pre_tokenizer",
       {{"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"behavior", "Removed"}},
       "Split"},
      {"/post_processor", {{"type", "TemplateProcessing"}}, "adds tokens"},
      {"/added_tokens/0/lstrip", true, "lstrip"},
      {"/added_tokens/0/content", 7, "malformed"},
  };
  for (const Case& c : cases) {
    Json json = readJson("gpt2.json");
    json[Json::json_pointer(c.pointer)] = c.value;
    absl::Status status = Tokenizer::parse(json.dump(), "t.json").status();
    EXPECT_EQ(errorOf(status), Error::kInput) << c.pointer;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.word)) << c.pointer;
  }
}

}  // namespace
}  // namespace lindero::runtime
