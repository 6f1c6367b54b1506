#include "ir/core/op_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/dialects.h"

namespace lindero::ir {
namespace {

using ::testing::HasSubstr;
using enum Arity;
using enum AttrKind;

TEST(OpTable, EveryOpIsDocumented) {
  registerAllDialects();
  EXPECT_GT(allOpDefs().size(), 80u);
  for (const OpDef* def : allOpDefs()) {
    EXPECT_FALSE(def->summary.empty()) << def->name.str();
    EXPECT_EQ(findOpDef(def->name), def);
  }
}

TEST(OpTable, RegistrationIsIdempotentForOursOnly) {
  registerAllDialects();
  registerAllDialects();
  EXPECT_EQ(registerDialect("tensor", {}).code(), absl::StatusCode::kAlreadyExists);
}

TEST(OpTable, MalformedTablesAreRefused) {
  struct Case {
    std::vector<OpDef> ops;
    std::string message;
  };
  const Case cases[] = {
      {{{.name = "other.op", .summary = ""}}, "is not named 'bad.<op>'"},
      {{{.name = "bad.", .summary = ""}}, "is not named 'bad.<op>'"},
      {{{.name = "bad.a", .summary = ""}, {.name = "bad.a", .summary = ""}}, "lists bad.a twice"},
      {{{.name = "bad.a", .summary = "", .operands = {{"x", kVariadic, ""}, {"y", kOne, ""}}}},
       "'y' follows an optional or variadic value"},
      {{{.name = "bad.a", .summary = "", .results = {{"x", kOptional, ""}, {"y", kOne, ""}}}},
       "'y' follows an optional or variadic value"},
      {{{.name = "bad.a",
         .summary = "",
         .attributes = {{"k", kInt, true, ""}, {"k", kBool, true, ""}}}},
       "attribute 'k' is listed twice"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(registerDialect("bad", c.ops).ToString(), HasSubstr(c.message));
  }
  EXPECT_EQ(findOpDef("bad.a"), nullptr);
}

TEST(OpTable, ViolationsCiteTheConstraint) {
  registerAllDialects();
  Module module;
  Builder builder(&module.addFunction("main")->body());
  builder.setLocation({"/a", "/b"});
  Op* op = builder.create("integer.requantize", {}, {});
  EXPECT_EQ(violates(*op, 2, "shift = 17").message(),
            "integer.requantize (/a + /b): C2: 1 <= shift <= 16; here shift = 17");
}

TEST(OpTable, KindsMatchAttributes) {
  EXPECT_TRUE(isOfKind(Attribute(true), kBool));
  EXPECT_TRUE(isOfKind(Attribute(3), kInt));
  EXPECT_TRUE(isOfKind(Attribute(0.5), kFloat));
  EXPECT_TRUE(isOfKind(Attribute("text"), kString));
  EXPECT_TRUE(isOfKind(Attribute(Symbol{"w"}), kConstant));
  EXPECT_FALSE(isOfKind(Attribute(3), kFloat));
  EXPECT_EQ(attrKindName(kStrings), "list of string");
}

}  // namespace
}  // namespace lindero::ir
