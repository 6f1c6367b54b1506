#include "runtime/values/public_values.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lindero::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

PublicTensorValues tensor(const std::string& name, bool output, std::vector<int64_t> values,
                          int exponent = 0) {
  const auto rows = static_cast<int64_t>(values.size());
  return {name, output, rows, 1, exponent, std::move(values)};
}

TEST(PublicValues, RealsAreTheIntegersOverTheScale) {
  EXPECT_THAT(tensor("y", true, {-3, 0, 5}, 2).reals(), ElementsAre(-0.75, 0, 1.25));
  EXPECT_THAT(tensor("y", true, {7}, -1).reals(), ElementsAre(14));
  EXPECT_THAT(PublicTensorValues{}.reals(), IsEmpty());
}

std::optional<Continuation> continuation(const std::string& output) {
  return continuationOf(tensor(output, true, {3, 4}), tensor("ids", false, {1, 2, 3, 4}));
}

TEST(PublicValues, TellsAContinuationByThePositionsOfAnArgmax) {
  ASSERT_TRUE(continuation("y_argmax[1:3]"));
  EXPECT_EQ(continuation("y_argmax[1:3]")->positions, 2);
  EXPECT_EQ(continuation("y_argmax[1:3]")->same, 2);
  ASSERT_TRUE(continuation("y_argmax[0,2]"));
  EXPECT_EQ(continuation("y_argmax[0,2]")->same, 1);
}

TEST(PublicValues, NamesThatPretendSayNothing) {
  for (const char* name : {"y", "y_argmax[0:1]", "y_argmax[-5:-3]", "y_argmax[2,9]", "y_argmax[7]",
                           "y_argmax[0:9223372036854775807]", "y_argmax[1:3", "y_argmax[a]"}) {
    EXPECT_FALSE(continuation(name)) << name;
  }
}

}  // namespace
}  // namespace lindero::runtime
