#include "passes/quantize/exponents.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "passes/quantize/fold_linear.h"

namespace lindero::passes {
namespace {

using ir::tensor::Array;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Exponents, JsonIsCanonical) {
  Exponents exponents;
  exponents.weight_bits = 14;
  exponents.sites = {{"tensor.linear", "/fc \"1\"", {{"exponent", -3}, {"bits", 12}}},
                     {"tensor.add", "", {}}};
  const std::string text = toJson(exponents);
  EXPECT_EQ(
      text,
      R"({"format":1,"sites":[{"bits":12,"exponent":-3,"node":"/fc \"1\"","op":"tensor.linear"},)"
      R"({"node":"","op":"tensor.add"}],"weight_bits":14})"
      "\n");
  auto read = exponentsFromJson(text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, exponents);
  EXPECT_EQ(*read->get(0, "bits"), 12);
  EXPECT_THAT(std::string(read->get(1, "bits").status().message()),
              HasSubstr("the site of tensor.add  has no \"bits\""));
  EXPECT_FALSE(read->get(2, "bits").ok());
  exponents.least_weight_bits = 13;
  read = exponentsFromJson(toJson(exponents));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, exponents);
}

TEST(Exponents, MalformedFilesAreRefused) {
  struct Case {
    const char *text, *message;
  };
  for (const Case& c : std::vector<Case>{
           {"", "not a JSON object"},
           {"[1]", "not a JSON object"},
           {"{\"format\":1", "not a JSON object"},
           {R"({"format":2,"weight_bits":16,"sites":[]})", "\"format\" = 2 is out of range"},
           {R"({"format":1,"sites":[]})", "\"weight_bits\" is not an integer"},
           {R"({"format":1,"weight_bits":1.5,"sites":[]})", "\"weight_bits\" is not an integer"},
           {R"({"format":1,"weight_bits":16,"least_weight_bits":32,"sites":[]})",
            "\"least_weight_bits\" = 32 is out of range"},
           {R"({"format":1,"weight_bits":16})", "\"sites\" is not a list"},
           {R"({"format":1,"weight_bits":16,"sites":[3]})", "a site is not an object"},
           {R"({"format":1,"weight_bits":16,"sites":[{"bits":3}]})", "a site has no \"op\""},
           {R"({"format":1,"weight_bits":16,"sites":[{"op":"x","bits":"3"}]})",
            "\"bits\" is not an integer"},
           {R"({"format":1,"weight_bits":16,"sites":[{"op":"x","bits":9000000000}]})",
            "out of range"},
           {R"({"format":1,"weight_bits":16,"sites":[{"op":"x","key_bits":64}]})",
            "\"key_bits\" = 64 is out of range"},
           {R"({"format":1,"weight_bits":16,"sites":[{"op":"x","bits":-1}]})",
            "\"bits\" = -1 is out of range"},
           {R"({"format":1,"weight_bits":16,"sites":[{"op":"x","exponent":18446744073709551615}]})",
            "\"exponent\" = 18446744073709551615 is out of range"},
           {R"({"format":1,"weight_bits":16,"sites":[{"op":7}]})", "is not text"}}) {
    EXPECT_THAT(std::string(exponentsFromJson(c.text).status().message()), HasSubstr(c.message))
        << c.text;
  }
}

TEST(FoldLinear, AbsorbsGammaBetaAndScales) {
  // y = (2 x0) * [1, -0.5] + (4 x1) * [0.25, 3] with beta = [1, -1], x / 2^1 and x / 2^3, acc
  // exponent 6 and 5.
  const Array weight = Array::real({2, 2}, {1, -0.5, 0.25, 3}),
              bias = Array::real({2}, {0.5, 0.125});
  const std::vector<double> factors = {2 / 2.0, 4 / 8.0}, beta = {1, -1};
  const FoldLinear fold(weight, &bias, factors, beta, -8, 7);
  const auto folded = fold.fold({6, 5}, 16, 1 << 20);
  ASSERT_TRUE(folded.has_value());
  EXPECT_THAT(folded->weights, ElementsAre(64, -16, 8, 48));
  // (0.5 + 1 - 0.25) 2^6, (0.125 - 0.5 - 3) 2^5
  EXPECT_THAT(folded->bias, ElementsAre(80, -108));
  EXPECT_EQ(folded->low, -108 - 16 * 7 - 48 * 8);
  EXPECT_EQ(folded->high, 80 + (64 + 8) * 7);
  EXPECT_EQ(folded->weight_low, -16);
  EXPECT_EQ(folded->weight_high, 64);
  EXPECT_EQ(folded->bias_low, -108);
}

TEST(FoldLinear, RefusesWhatIsTooWide) {
  const Array weight = Array::real({2, 1}, {1, 1});
  const std::vector<double> factors = {1, 1};
  const FoldLinear fold(weight, nullptr, factors, {}, -8, 7);
  EXPECT_TRUE(fold.fold({3}, 5, 129).has_value());
  EXPECT_FALSE(fold.fold({3}, 5, 128).has_value());  // |acc| <= 128 is not below 128
  EXPECT_FALSE(fold.fold({3}, 4, 129).has_value());  // 8 needs 5 bits
  EXPECT_TRUE(fold.fold({3}, 5, 129)->bias.empty());
  EXPECT_DOUBLE_EQ(fold.bound({3}), 128);
  EXPECT_DOUBLE_EQ(fold.largestWeight({3}), 8);
}

}  // namespace
}  // namespace lindero::passes
