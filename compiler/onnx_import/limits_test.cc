// Files of a few bytes that ask for much: what they get is an error, or a module of their size.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/import.h"
#include "ir/core/text.h"
#include "ir/dialects.h"
#include "llvm/ADT/STLExtras.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero::compiler {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class LimitsTest : public ::testing::Test {
 protected:
  LimitsTest() { ir::registerAllDialects(); }

  absl::StatusOr<std::unique_ptr<ir::Module>> import(const std::string& text) {
    return importOnnx(folder_.write("model.onnx", testing::parseModel(text).SerializeAsString()));
  }

  testing::ScratchFolder folder_;
};

TEST_F(LimitsTest, RefusesWhatNoMachineHolds) {
  std::string doubled = "g (float[2,2] x) => (float[M,2] v40) {";
  for (int i = 1; i <= 40; ++i) {
    const std::string from = i == 1 ? "x" : absl::StrCat("v", i - 1);
    absl::StrAppend(&doubled, " v", i, " = Concat<axis = 0>(", from, ", ", from, ")");
  }
  struct Case {
    const char* name;
    std::string text;
    const char* message;
  };
  const Case cases[] = {
      {"an input", "g (float[1099511627776] x) => (float[M] y) { y = Add(x, x) }", "input 'x'"},
      {"an input without elements",
       "g (float[0,1099511627776,1099511627776] x) => (float[L,M,N] y) { y = Relu(x) }",
       "input 'x'"},
      {"a result", doubled + " }", "elements that are supported"},
      {"a result without elements",
       "g (float[0,4] x) => (float[L,M,N] y) <int64[3] s = {1099511627776, 1099511627776, 0}>"
       "{ y = Reshape<allowzero = 1>(x, s) }",
       "overflow in Reshape"},
      {"a range",
       "g (float[2] x) => (float[2] y) <int64 a = {0}, int64 b = {268435456}, int64 d = {1}>"
       "{ k = Range(a, b, d) s = ReduceMax<keepdims = 0>(k) f = Cast<to = 1>(s) y = Add(x, f) }",
       "it would have"},
      {"a range of unlike ends",
       "g (float[2] x) => (float[2] y) <int64 a = {-9223372036854775807},"
       " int64 b = {9223372036854775807}, int64 d = {4611686018427387904}>"
       "{ k = Range(a, b, d) s = ReduceMax<keepdims = 0>(k) f = Cast<to = 1>(s) y = Add(x, f) }",
       "beyond 2^62"},
  };
  for (const Case& one : cases) {
    const auto module = import(one.text);
    EXPECT_THAT(std::string(module.status().message()), HasSubstr(one.message)) << one.name;
    EXPECT_NE(module.status().code(), absl::StatusCode::kInternal) << one.name;
  }
}

// The library would hold each element of these vectors as a message.
TEST_F(LimitsTest, FollowsNoLongVectorsAsShapes) {
  std::string text = "g (float[67108864] x) => (float[67108864] v40) {";
  for (int i = 1; i <= 40; ++i) {
    const std::string from = i == 1 ? "x" : absl::StrCat("v", i - 1);
    absl::StrAppend(&text, " v", i, " = Add(", from, ", x)");
  }
  const auto module = import(text + " }");
  EXPECT_TRUE(module.ok()) << module.status();
}

// 512 MB, if all of them were computed here.
TEST_F(LimitsTest, LeavesLongConstantsToTheirPass) {
  std::string text =
      "g (float[2] x) => (float[2] y) <int64[1] s = {1048576}, int64[1] k = {3}> "
      "{ v0 = Expand(k, s)";
  for (int i = 1; i <= 64; ++i) absl::StrAppend(&text, " v", i, " = Add(v", i - 1, ", k)");
  const auto module =
      import(text + " m = ReduceMax<keepdims = 0>(v64) f = Cast<to = 1>(m) y = Add(x, f) }");
  ASSERT_TRUE(module.ok()) << module.status();
  const ir::Function& main = *(*module)->findFunction("main");
  const auto left = llvm::count_if(main.body().ops(), [](const ir::Op& op) {
    return op.is("tensor.add") && op.result()->type().elements() > 2;
  });
  EXPECT_GT(left, 40);
}

TEST_F(LimitsTest, MakesNoTensorOfOneValue) {
  const auto module = import(
      "g (float[2] x) => (float[2] y) <int64[2] s = {8192, 8192}> { k = ConstantOfShape(s)"
      " m = ReduceMax<keepdims = 0>(k) y = Add(x, m) }");
  ASSERT_TRUE(module.ok()) << module.status();
  for (const ir::Constant* constant : (*module)->constants().constants())
    EXPECT_LE(constant->elements(), 2) << constant->name;
}

TEST_F(LimitsTest, WantsAnOutput) {
  const auto module = import("g (float[2] x) => () { y = Relu(x) }");
  EXPECT_THAT(std::string(module.status().message()), HasSubstr("has no output"));
}

// What later stages say of nodes and weights is one line, too.
TEST_F(LimitsTest, NamesAreOneLine) {
  onnx::ModelProto model =
      testing::parseModel("g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }");
  model.mutable_graph()->mutable_node(0)->set_name("a\nnode");
  model.mutable_graph()->mutable_node(0)->set_input(1, "a\nweight");
  model.mutable_graph()->mutable_initializer(0)->set_name("a\nweight");
  const auto module = importOnnx(folder_.write("model.onnx", model.SerializeAsString()));
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(ir::toText(**module), AllOf(HasSubstr("a?node"), HasSubstr("a?weight")));
  model.mutable_graph()->mutable_node(0)->set_output(0, "an\noutput");
  model.mutable_graph()->mutable_output(0)->set_name("an\noutput");
  const auto refused = importOnnx(folder_.write("model.onnx", model.SerializeAsString()));
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("output 'an?output' has control characters"));
}

TEST_F(LimitsTest, NamesOfDimensionsAreText) {
  onnx::ModelProto model = testing::parseModel("g (float[N] x) => (float[N] y) { y = Relu(x) }");
  auto* dim = model.mutable_graph()
                  ->mutable_input(0)
                  ->mutable_type()
                  ->mutable_tensor_type()
                  ->mutable_shape()
                  ->mutable_dim(0);
  for (const char* name : {"a\nname", "\377\376"}) {
    dim->set_dim_param(name);
    const auto module =
        importOnnx(folder_.write("model.onnx", model.SerializeAsString()), {.dims = {{name, 2}}});
    EXPECT_THAT(std::string(module.status().message()),
                HasSubstr("the name of a dimension of input 'x'"));
  }
}

}  // namespace
}  // namespace lindero::compiler
