#include "ir/core/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/core/op_table.h"
#include "ir/core/text.h"
#include "ir/dialects.h"

namespace lindero::ir {
namespace {

using ::testing::HasSubstr;

class VerifierTest : public ::testing::Test {
 protected:
  VerifierTest() { registerAllDialects(); }
  Type type_ = Type::tensor(Element::kFloat, {2});
};

TEST_F(VerifierTest, TextThatIsWellFormedButNotValid) {
  struct Case {
    std::string body, message;
  };
  const Case cases[] = {
      {"tensor.return", "OK"},
      {"", "OK"},
      {"%0 = tensor.neg : tensor<2xf32> tensor.return", "tensor.neg: expected 1 operands, found 0"},
      {"%0 = tensor.neg(%x, %x) : tensor<2xf32> tensor.return", "expected 1 operands, found 2"},
      {"%0 = tensor.linear(%x) : tensor<2xf32> tensor.return", "expected 2 to 3 operands, found 1"},
      {"tensor.neg(%x) loc(\"/a\") tensor.return", "tensor.neg (/a): expected 1 results, found 0"},
      {"air.lookup {name = \"l\", bus = @b}", "expected at least 1 operands, found 0"},
      {"%0 = tensor.softmax(%x) : tensor<2xf32> tensor.return",
       "attribute 'axis' (int) is missing"},
      {"%0 = tensor.neg(%x) : tensor<2xf32>",
       "tensor.neg: after it, the block must end in tensor.return"},
      {"tensor.return tensor.return", "a terminator stands only at the end of a block of its kind"},
      {"region.yield", "a terminator stands only at the end of a block of its kind"},
      {"region.region {kind = \"linear\", label = \"l\"} {} tensor.return",
       "region.region: its block must end in region.yield"},
      {"region.region {kind = \"linear\", label = \"l\"} { tensor.return } tensor.return",
       "tensor.return: a terminator stands only"},
      {"%0 = air.first : fixed<2, 2^0, [3, 1]>", "the type fixed<2, 2^0, [3, 1]> is malformed"},
      {"air.table {name = \"t\", log_height = 3} { %0 = air.first : base }", "OK"},
  };
  for (const Case& c : cases) {
    auto module = parse("func @f(%x: tensor<2xf32>) {" + c.body + "}");
    ASSERT_TRUE(module.ok()) << module.status();
    EXPECT_THAT(verify(**module).ToString(), HasSubstr(c.message)) << c.body;
  }
}

TEST_F(VerifierTest, UsesBeforeDefinition) {
  Module module;
  Function* function = module.addFunction("main");
  Value* x = function->body().addArgument(type_, "x");
  Builder builder(&function->body());
  Value* a = builder.value("tensor.neg", {x}, type_);
  Value* b = builder.value("tensor.exp", {a}, type_);
  builder.create("tensor.return", {b}, {});
  EXPECT_TRUE(verify(module).ok());
  b->definingOp()->moveBefore(a->definingOp());
  EXPECT_THAT(verify(module).ToString(),
              HasSubstr("func @main: tensor.exp: operand 0 (x) is not defined before its use"));
}

TEST_F(VerifierTest, ValuesOfOtherBlocksAndFunctions) {
  Module module;
  Function* function = module.addFunction("main");
  Builder builder(&function->body());
  Op* region = builder.create("region.region", {}, {}, {{"kind", "linear"}, {"label", "l"}});
  Builder inner(region->block());
  Value* x = inner.value("air.constant", {}, Type::base(), {{"value", 1}});
  inner.create("region.yield", {}, {});
  Op* last = builder.create("tensor.return", {}, {});
  EXPECT_TRUE(verify(module).ok()) << verify(module);
  last->setOperands({x});
  EXPECT_THAT(verify(module).ToString(), HasSubstr("operand 0 (outputs) is not defined before"));
  last->setOperands({});

  Builder other(&module.addFunction("other")->body());
  Value* y = other.value("air.constant", {}, Type::base(), {{"value", 1}});
  last->setOperands({y});
  EXPECT_THAT(verify(module).ToString(), HasSubstr("operand 0 (outputs) is not defined before"));
  last->setOperands({});
}

TEST_F(VerifierTest, AttributesOfWrongNameOrKind) {
  Module module;
  Builder builder(&module.addFunction("main")->body());
  Op* op = builder.create("air.constant", {}, {Type::base()}, {{"value", 0.5}});
  EXPECT_THAT(verify(module).ToString(), HasSubstr("attribute 'value' is 0.5, not of kind int"));
  op->set("value", 1);
  op->set("other", 1);
  EXPECT_THAT(verify(module).ToString(), HasSubstr("has no attribute 'other'"));
  op->erase();
  builder.create("tensor.constant", {}, {type_}, {{"value", Symbol{"w"}}});
  builder.create("tensor.return", {}, {});
  EXPECT_THAT(verify(module).ToString(), HasSubstr("no constant of the module is named @w"));
}

TEST_F(VerifierTest, LooksAroundOncePerFunction) {
  static int looks = 0;
  OpDef op;
  op.name = "around.op";
  op.attributes = {{"good", AttrKind::kBool, true, ""}};
  op.verifier_in = [](const Function& function) -> OpVerifier {
    ++looks;
    return [&function](const Op& op) {
      return op.boolAttr("good") ? absl::OkStatus() : absl::InternalError(function.name());
    };
  };
  ASSERT_TRUE(registerDialect("around", {op}).ok());
  Module module;
  Op* last = nullptr;
  for (const char* name : {"f", "g"}) {
    Builder builder(&module.addFunction(name)->body());
    for (int i = 0; i < 3; ++i) last = builder.create("around.op", {}, {}, {{"good", true}});
  }
  EXPECT_EQ(verify(module), absl::OkStatus());
  EXPECT_EQ(looks, 2);
  last->set("good", false);
  EXPECT_THAT(verify(module).ToString(), HasSubstr("func @g: g"));
}

TEST_F(VerifierTest, FunctionsHaveDistinctNames) {
  Module module;
  module.addFunction("f");
  module.addFunction("f");
  EXPECT_THAT(verify(module).ToString(), HasSubstr("func @f is defined twice"));
}

}  // namespace
}  // namespace lindero::ir
