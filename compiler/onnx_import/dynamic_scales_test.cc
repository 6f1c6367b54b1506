#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/onnx_import/import.h"
#include "ir/dialects.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero::compiler {
namespace {

using ::testing::HasSubstr;

// Of nodes that read x [2, 4], w (integers [4, 3]), and numbers k, made by DynamicQuantizeLinear
// before: q, s, z.
absl::Status importing(const std::string& nodes, const std::string& outputs = "float[2,3] y") {
  ir::registerAllDialects();
  testing::ScratchFolder folder;
  const onnx::ModelProto model = testing::parseModel(
      "g (float[2,4] x) => (" + outputs +
      ") <int8[4,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, float k = {0.5}>"
      "{ q, s, z = DynamicQuantizeLinear(x) " +
      nodes + " }");
  return importOnnx(folder.write("model.onnx", model.SerializeAsString())).status();
}

TEST(DynamicScalesTest, TakesWhatIsMultipliedWithTheScale) {
  for (const char* nodes : {
           "m = MatMulInteger(q, w, z) c = Cast<to = 1>(m) t = Mul(s, k) y = Mul(c, t)",
           "m = MatMulInteger(q, w, z) c = Cast<to = 1>(m) d = Mul(k, c) t = Identity(s) y = "
           "Mul(d, t)",
           "m = MatMulInteger(q, w, z) c = Cast<to = 1>(m) d = Mul(c, s) y = Add(d, k)",
           "x2 = DequantizeLinear(q, s, z) v = Cast<to = 1>(w) y = MatMul(x2, v)",
       }) {
    EXPECT_TRUE(importing(nodes).ok()) << nodes << ": " << importing(nodes);
  }
  EXPECT_TRUE(
      importing("a = Transpose<perm = [1, 0]>(x) r, u, v = DynamicQuantizeLinear(a)"
                "m = MatMulInteger(q, r, z, v) c = Cast<to = 1>(m) t = Mul(s, u) y = Mul(c, t)",
                "float[2,2] y")
          .ok());
}

TEST(DynamicScalesTest, RefusesWhatIsNot) {
  const struct {
    const char *nodes, *reason;
  } cases[] = {
      {"m = MatMulInteger(q, w, z) c = Cast<to = 1>(m) d = Add(c, k) y = Mul(d, s)",
       "it reads 'c'"},
      {"m = MatMulInteger(q, w, z) c = Cast<to = 1>(m) y = Relu(c)", "it reads 'c'"},
      {"m = MatMulInteger(q, w, z) c = Cast<to = 1>(m) d = Mul(c, c) y = Mul(d, s)",
       "it reads 'c'"},
      {"m = MatMulInteger(q, w) c = Cast<to = 1>(m) y = Mul(c, s)", "it reads 'q'"},
      {"r, u, v = DynamicQuantizeLinear(x) m = MatMulInteger(q, w, v) c = Cast<to = 1>(m)"
       "y = Mul(c, s)",
       "it reads 'q'"},
      {"r, u, v = DynamicQuantizeLinear(x) m = MatMulInteger(q, w, z) c = Cast<to = 1>(m)"
       "y = Mul(c, u)",
       "it reads 'c'"},
      {"m = MatMulInteger(q, w, z) c = Cast<to = 1>(m) d = Mul(c, s) y = Mul(d, s)",
       "it reads 's'"},
      {"v = Cast<to = 1>(w) d = MatMul(x, v) y = Mul(d, s)", "it reads 's'"},
      {"m = MatMulInteger(q, w, z) y = Cast<to = 1>(m)", "the model's output is 'y'"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(std::string(importing(c.nodes).message()), HasSubstr(c.reason)) << c.nodes;
  }
}

}  // namespace
}  // namespace lindero::compiler
