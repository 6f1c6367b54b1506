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

TEST(ConstantPool, ScalarsHaveNamesAndSizes) {
  EXPECT_EQ(scalarName(Scalar::kBool), "bool");
  EXPECT_EQ(scalarSize(Scalar::kI16), 2u);
  EXPECT_EQ(scalarFromName("f64"), Scalar::kF64);
  EXPECT_EQ(scalarFromName("f16"), std::nullopt);
}

}  // namespace
}  // namespace lindero::ir
