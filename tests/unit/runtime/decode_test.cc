// What public values of a step table stand for, and when a run may end.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/decode/decode_run.h"

namespace lindero::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(DecodeRunTest, IsReadFromTapeAndLengths) {
  auto run = readDecodeRun({3, 1, 4, 7, 8, 0, 0}, {4, 2});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_THAT(run->tokens, ElementsAre(3, 1, 4, 7, 8));
  EXPECT_EQ(run->prompt, 3);
  EXPECT_EQ(run->generated(), 2);
  EXPECT_EQ(readDecodeRun({3, 1, 4}, {2, 2})->generated(), 0);
}

TEST(DecodeRunTest, RefusesValuesThatStandForNoRun) {
  for (auto [steps, given] : {std::pair{0, 0}, {7, 2}, {4, 5}, {4, -1}, {-1, -1}}) {
    EXPECT_THAT(readDecodeRun({3, 1, 4, 7, 8, 0, 0}, {steps, given}).status().message(),
                HasSubstr("lengths"))
        << steps << ", " << given;
  }
  EXPECT_FALSE(readDecodeRun({3, 1}, {1}).ok());
  EXPECT_FALSE(readDecodeRun({}, {1, 0}).ok());
  EXPECT_THAT(readDecodeRun({3, 1, 4, 7}, {2, 1}).status().message(), HasSubstr("behind"));
}

TEST(DecodeRunTest, EndsWhereTheRuleSays) {
  const DecodeRun run{{3, 1, 4, 7, 8}, 2};
  struct Case {
    StopRule rule;
    const char* error;  // empty: none
  };
  for (const Case& c : {Case{{3, {}}, ""},
                        {{3, {8}}, ""},
                        {{5, {8}}, ""},
                        {{5, {9, 8}}, ""},
                        // The prompt may hold a stop token.
                        {{3, {1}}, ""},
                        {{2, {}}, "not 2"},
                        {{2, {8}}, "not 2"},
                        {{4, {}}, "not 4"},
                        {{4, {9}}, "not 4"},
                        {{3, {7}}, "goes on behind the stop token 7"},
                        {{5, {4, 8}}, "goes on behind the stop token 4"}}) {
    EXPECT_THAT(checkStop(run, c.rule).message(), HasSubstr(c.error));
    EXPECT_EQ(checkStop(run, c.rule).ok(), *c.error == '\0');
  }
}

}  // namespace
}  // namespace lindero::runtime
