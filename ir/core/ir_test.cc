#include "ir/core/ir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/core/op_table.h"
#include "ir/dialects.h"

namespace lindero::ir {
namespace {

using ::testing::ElementsAre;

class IrTest : public ::testing::Test {
 protected:
  IrTest() {
    registerAllDialects();
    function_ = module_.addFunction("main");
    x_ = function_->body().addArgument(type_, "x");
  }

  std::vector<std::string> names(const Block& block) {
    std::vector<std::string> result;
    for (const Op& op : block.ops()) result.push_back(op.name().str());
    return result;
  }

  Module module_;
  Function* function_;
  Type type_ = Type::tensor(Element::kFloat, {2, 3});
  Value* x_;
};

TEST_F(IrTest, BuilderKeepsOrderAndLocation) {
  Builder builder(&function_->body());
  builder.setLocation({"/a"});
  Value* exp = builder.value("tensor.exp", {x_}, type_);
  builder.create("tensor.return", {exp}, {}, {{"names", std::vector<std::string>{"y"}}});
  Builder::before(exp->definingOp()).value("tensor.neg", {x_}, type_);
  Builder::after(exp->definingOp()).value("tensor.sqrt", {x_}, type_);
  EXPECT_THAT(names(function_->body()),
              ElementsAre("tensor.neg", "tensor.exp", "tensor.sqrt", "tensor.return"));
  EXPECT_EQ(describe(*exp->definingOp()), "tensor.exp (/a)");
  EXPECT_EQ(function_->body().terminator()->name(), "tensor.return");
  EXPECT_EQ(exp->definingOp()->parent()->function(), function_);
}

TEST_F(IrTest, UsesAreCountedPerOperand) {
  Builder builder(&function_->body());
  Value* sum = builder.value("tensor.add", {x_, x_}, type_);
  Value* neg = builder.value("tensor.neg", {x_}, type_);
  EXPECT_THAT(x_->users(), ElementsAre(sum->definingOp(), sum->definingOp(), neg->definingOp()));
  sum->definingOp()->setOperand(1, neg);
  EXPECT_THAT(x_->users(), ElementsAre(sum->definingOp(), neg->definingOp()));
  EXPECT_TRUE(neg->hasOneUse());
}

TEST_F(IrTest, ReplaceAllUsesMovesEveryUse) {
  Builder builder(&function_->body());
  Value* a = builder.value("tensor.exp", {x_}, type_);
  Value* b = builder.value("tensor.neg", {x_}, type_);
  Value* sum = builder.value("tensor.add", {a, a}, type_);
  a->replaceAllUsesWith(b);
  EXPECT_TRUE(a->users().empty());
  EXPECT_THAT(b->users(), ElementsAre(sum->definingOp(), sum->definingOp()));
  EXPECT_EQ(sum->definingOp()->operand(0), b);
  EXPECT_EQ(sum->definingOp()->operand(1), b);
  a->definingOp()->erase();
  EXPECT_THAT(x_->users(), ElementsAre(b->definingOp()));
}

TEST_F(IrTest, AttributesAreTyped) {
  Op* op = Builder(&function_->body()).create("tensor.softmax", {x_}, {type_}, {{"axis", 1}});
  EXPECT_EQ(op->intAttr("axis"), 1);
  op->set("axis", 0);
  EXPECT_EQ(op->intAttr("axis"), 0);
  EXPECT_EQ(op->attributes().size(), 1u);
  EXPECT_EQ(op->intAttrOr("other", 7), 7);
  op->remove("axis");
  EXPECT_FALSE(op->has("axis"));
  EXPECT_DEATH(op->intAttr("axis"), "tensor.softmax: attribute 'axis' is missing");
}

TEST_F(IrTest, NestedBlocksCaptureAndDieInAnyOrder) {
  Builder outer(&function_->body());
  Op* region =
      outer.create("region.region", {}, {type_}, {{"kind", "linear"}, {"label", "layer0/mlp"}});
  Builder inner(region->block());
  Value* neg = inner.value("tensor.neg", {x_}, type_);
  inner.create("region.yield", {neg}, {});
  outer.create("tensor.return", {region->result()}, {});
  EXPECT_EQ(region->block()->parentOp(), region);
  EXPECT_EQ(region->block()->function(), function_);

  std::vector<std::string> visited;
  walk(function_->body(), [&](const Op& op) { visited.push_back(op.name().str()); });
  EXPECT_THAT(visited, ElementsAre("tensor.neg", "region.yield", "region.region", "tensor.return"));

  region->result()->replaceAllUsesWith(x_);
  region->erase();
  EXPECT_THAT(names(function_->body()), ElementsAre("tensor.return"));
  EXPECT_EQ(x_->users().size(), 1u);
}

TEST_F(IrTest, OpsMoveBetweenBlocks) {
  Builder outer(&function_->body());
  Op* neg = outer.create("tensor.neg", {x_}, {type_});
  Op* exp = outer.create("tensor.exp", {x_}, {type_});
  exp->moveBefore(neg);
  EXPECT_THAT(names(function_->body()), ElementsAre("tensor.exp", "tensor.neg"));
  Op* region = outer.create("region.region", {}, {}, {});
  neg->moveToEnd(region->block());
  EXPECT_THAT(names(function_->body()), ElementsAre("tensor.exp", "region.region"));
  EXPECT_EQ(neg->parent(), region->block());
}

TEST_F(IrTest, LocationsJoinWithoutDuplicates) {
  Op* op = Builder(&function_->body()).create("tensor.neg", {x_}, {type_});
  op->setLocation({"/b", "/a"});
  op->addLocation({"/a", "/c"});
  EXPECT_THAT(op->location(), ElementsAre("/b", "/a", "/c"));
}

TEST_F(IrTest, UnknownOpIsFatal) {
  EXPECT_DEATH(Builder(&function_->body()).create("tensor.nope", {}, {}),
               "no op is named 'tensor.nope'");
}

TEST_F(IrTest, ModuleFindsAndErasesFunctions) {
  Function* other = module_.addFunction("other");
  EXPECT_EQ(module_.findFunction("other"), other);
  module_.eraseFunction(other);
  EXPECT_EQ(module_.findFunction("other"), nullptr);
  EXPECT_EQ(module_.functions().size(), 1u);
}

}  // namespace
}  // namespace lindero::ir
