#include "ir/core/constant_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lindero::ir {
namespace {

using ::testing::ElementsAre;

TEST(ConstantPool, HoldsTypedValues) {
  ConstantPool pool;
  const Constant& constant = pool.addOwned<int32_t>("w", {2, 2}, {1, 2, 3, -4});
  EXPECT_EQ(constant.scalar, Scalar::kI32);
  EXPECT_EQ(constant.elements(), 4);
  EXPECT_THAT(constant.as<int32_t>(), ElementsAre(1, 2, 3, -4));
  EXPECT_FALSE(constant.declaredOnly());
  EXPECT_EQ(pool.find("w"), &constant);
  EXPECT_EQ(pool.find("v"), nullptr);
}

TEST(ConstantPool, DigestIsOfTheBytes) {
  ConstantPool pool;
  // SHA-256 of "abc", FIPS 180-2 appendix B.1.
  EXPECT_EQ(pool.addOwned<uint8_t>("abc", {3}, {'a', 'b', 'c'}).sha256(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

template <typename T>
void expectFacts(int64_t rows, int64_t columns) {
  std::vector<T> values;
  IntegerFacts expected;
  for (int64_t i = 0; i < rows * columns; ++i) {
    values.push_back(static_cast<T>(uint64_t(i) * i * 2654435761 + i));
    const int64_t value = values.back();
    if (i < columns) {
      expected.column_low.push_back(value);
      expected.column_high.push_back(value);
      expected.positive.push_back(0);
      expected.negative.push_back(0);
    }
    const int64_t c = i % columns;
    expected.column_low[c] = std::min(expected.column_low[c], value);
    expected.column_high[c] = std::max(expected.column_high[c], value);
    (value > 0 ? expected.positive : expected.negative)[c] += value;
  }
  ConstantPool pool;
  const IntegerFacts* facts = pool.addOwned<T>("w", {rows, columns}, values).integerFacts();
  ASSERT_NE(facts, nullptr);
  EXPECT_EQ(facts->low, *std::min_element(values.begin(), values.end()));
  EXPECT_EQ(facts->high, *std::max_element(values.begin(), values.end()));
  EXPECT_EQ(facts->column_low, expected.column_low);
  EXPECT_EQ(facts->column_high, expected.column_high);
  EXPECT_TRUE(facts->positive == expected.positive);
  EXPECT_TRUE(facts->negative == expected.negative);
  const IntegerFacts* list = pool.addOwned<T>("b", {rows * columns}, values).integerFacts();
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(list->low, facts->low);
  EXPECT_EQ(list->high, facts->high);
}

TEST(ConstantPool, KnowsTheSumsOfMatrixColumns) {
  for (auto [rows, columns] : {std::pair(1, 1), {3, 5}, {40000, 3}, {2, 3000}}) {
    expectFacts<int8_t>(rows, columns);
    expectFacts<uint8_t>(rows, columns);
    expectFacts<int16_t>(rows, columns);
    expectFacts<int32_t>(rows, columns);
    expectFacts<int64_t>(rows, columns);
  }
  ConstantPool pool;
  EXPECT_EQ(pool.addOwned<float>("f", {1}, {1.0f}).integerFacts(), nullptr);
  EXPECT_EQ(pool.addOwned<int16_t>("none", {0, 4}, {}).integerFacts(), nullptr);
  // Sums of the least values of each width.
  EXPECT_TRUE(pool.addOwned<int16_t>("low", {70000, 1}, std::vector<int16_t>(70000, -32768))
                  .integerFacts()
                  ->negative[0] == -__int128{32768} * 70000);
  EXPECT_TRUE(pool.addOwned<int64_t>("far", {4, 1}, std::vector<int64_t>(4, INT64_MIN))
                  .integerFacts()
                  ->negative[0] == 4 * __int128{INT64_MIN});
}

TEST(ConstantPool, DeclaredConstantsKeepTheirDigest) {
  Constant constant;
  constant.name = "w";
  constant.shape = {3};
  constant.declareSha256("00ff");
  EXPECT_TRUE(constant.declaredOnly());
  EXPECT_EQ(constant.sha256(), "00ff");
}

TEST(ConstantPool, NamesBecomeUnique) {
  ConstantPool pool;
  const Constant& first = pool.addOwned<float>("w", {}, {1.0f});
  EXPECT_EQ(pool.addOwned<float>("w", {}, {2.0f}).name, "w_1");
  EXPECT_EQ(pool.addOwned<float>("w", {}, {3.0f}).name, "w_2");
  EXPECT_EQ(pool.find("w"), &first);
  pool.erase("w_1");
  EXPECT_EQ(pool.find("w_1"), nullptr);
  std::vector<std::string> names;
  for (const Constant* constant : pool.constants()) names.push_back(constant->name);
  EXPECT_THAT(names, ElementsAre("w", "w_2"));
}

TEST(ConstantPool, KeepsOnlyThoseThatAreNamed) {
  ConstantPool pool;
  constexpr int kMany = 100'000;  // erased one by one they take minutes
  for (int i = 0; i < kMany; ++i) pool.addOwned<float>("w", {}, {float(i)});
  llvm::StringSet<> kept;
  for (const char* name : {"w_7", "w", "other"}) kept.insert(name);
  pool.keepOnly(kept);
  std::vector<std::string> names;
  for (const Constant* constant : pool.constants()) names.push_back(constant->name);
  EXPECT_THAT(names, ElementsAre("w", "w_7"));
  EXPECT_EQ(pool.find("w_8"), nullptr);
  EXPECT_EQ(pool.addOwned<float>("w", {}, {0.0f}).name, "w_1");
}

TEST(ConstantPool, ScalarsHaveNamesAndSizes) {
  EXPECT_EQ(scalarName(Scalar::kBool), "bool");
  EXPECT_EQ(scalarSize(Scalar::kI16), 2u);
  EXPECT_EQ(scalarFromName("f64"), Scalar::kF64);
  EXPECT_EQ(scalarFromName("f16"), std::nullopt);
}

}  // namespace
}  // namespace lindero::ir
