// Parts of ops that are not supported: each refusal is one line that names the node and the reason.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/import.h"
#include "ir/dialects.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero::compiler {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string errorOf(const onnx::ModelProto& model) {
  ir::registerAllDialects();
  testing::ScratchFolder folder;
  const auto module = importOnnx(folder.write("model.onnx", model.SerializeAsString()));
  EXPECT_FALSE(module.ok());
  EXPECT_THAT(std::string(module.status().message()), Not(HasSubstr("\n")));
  return std::string(module.status().message());
}

std::string errorOf(const std::string& text) { return errorOf(testing::parseModel(text)); }

// What a line of an ONNX file asks for, and why it is refused.
TEST(RefusalsTest, RefusesPartsOfOps) {
  const struct {
    const char *graph, *node, *reason;
  } cases[] = {
      {"float[1024,1024] x) => (float[M,N] y) <int64[2] r = {64, 2}> { y = Tile(x, r) }", "Tile_0",
       "more than 67108864 elements"},
      {"float[1,1024] x) => (float[M,N] y) <int64[2] s = {1048576, 1}> { y = Expand(x, s) }",
       "Expand_0", "more than 67108864 elements"},
      {"float[4,4] x) => (float[M,N] y) <int64[4] p = {0, 67108864, 0, 0}> { y = Pad(x, p) }",
       "Pad_0", "more than 67108864 elements"},
      {"float[4] x) => (float[M] y) <int64[2] p = {4, 0}> { y = Pad<mode = \"reflect\">(x, p) }",
       "Pad_0", "mode reflect with pads 4 and 0"},
      {"float[1,1,4096] x, float[1,1,2048] w) => (float[1,1,N] y)"
       "{ y = Conv<pads = [30000, 30000]>(x, w) }",
       "Conv_0", "more than 67108864 elements"},
      {"float[1,1,4] x, float[1,1,2] w) => (float[1,1,N] y)"
       "{ y = Conv<auto_pad = \"SAME_UPPER\", pads = [1, 0]>(x, w) }",
       "Conv_0", "both auto_pad and pads"},
      {"float[1,1,7] x) => (float[1,1,N] y) { y = MaxPool<auto_pad = \"SAME_UPPER\", dilations = "
       "[2], kernel_shape = [3]>(x) }",
       "MaxPool_0", "auto_pad of windows with dilations"},
      {"float[2,3] x) => (float[N] y) { y = ReduceSumSquare<keepdims = 2>(x) }",
       "ReduceSumSquare_0", "attribute keepdims is 2, not 0 or 1"},
      {"float[2,3] x, float[2,3] z) => (float[M,N] y) { y = Gemm<transA = -1>(x, z) }", "Gemm_0",
       "attribute transA is -1, not 0 or 1"},
      {"float[7,7] x) => (float y) { y = Det(x) }", "Det_0", "rows"},
      {"int32[0,2] x) => (int32 y) { y = ReduceMean<keepdims = 0>(x) }", "ReduceMean_0",
       "mean, of no integers"},
      {"float[1,1,2,2] x) => (float[A,B,M,N] y) <float[1,4] r = {0, 0, 1e30, 1e30},"
       "int64[1] b = {0}> { y = RoiAlign(x, r, b) }",
       "RoiAlign_0", "more than 67108864 elements"},
      {"float[4] x) => (float[M] y) <float[2] r = {0, 1e30}, int64[1] s = {2}> { y = Resize<"
       "coordinate_transformation_mode = \"tf_crop_and_resize\", mode = \"linear\">(x, r, , s) }",
       "Resize_0", "far from the image"},
      {"float[1,16384] x) => (float[1,16384] y) <int64 a = {1}> { y = CumSum(x, a) }", "CumSum_0",
       "more than 67108864 elements"},
      {"float[2,3] x, float[1,1,1] low) => (float[K,M,N] y) { y = Clip(x, low) }", "Clip_0",
       "a parameter of shape [1,1,1] does not broadcast to [2,3]"},
      {"float[1,3] x, float[2,1] s) => (float[M,N] y) { y = PRelu(x, s) }", "PRelu_0",
       "a parameter of shape [2,1] does not broadcast to [1,3]"},
      {"float[1,3] x, float[3,3] w, float[2,1] b) => (float[M,N] y) { y = Gemm(x, w, b) }",
       "Gemm_0", "a parameter of shape [2,1] does not broadcast to [1,3]"},
      {"float[16384] x, float[16384] z) => (float[M,N] y)"
       "{ y = Einsum<equation = \"i,j->ij\">(x, z) }",
       "Einsum_0", "more than 67108864 elements"},
      {"int64[2] x, int64[2] z) => (int64 y) { y = Einsum<equation = \"i,i->\">(x, z) }",
       "Einsum_0", "products of integers"},
      {"float[2] x) => (float[2] y) <uint64[1] a = {18446744073709551615}, uint64[1] b = {2}>"
       "{ d = Div(a, b) f = Cast<to = 1>(d) y = Add(x, f) }",
       "Div_0", "it reads integers of 2^63 or more"},
      {"float[2] x) => (float[2] y) <uint64[1] a = {3}, uint64[1] b = {5}>"
       "{ d = Sub(a, b) f = Cast<to = 1>(d) y = Add(x, f) }",
       "Cast_1", "it reads integers of 2^63 or more"},
      {"float[2] x) => (float[2] y) <float[1] a = {3e9}>"
       "{ d = Cast<to = 6>(a) f = Cast<to = 1>(d) y = Add(x, f) }",
       "Cast_0", "an integer of 32 bits of 3e+09"},
      {"float[2] x) => (float[2] y) <float[1] a = {0}>"
       "{ b = Reciprocal(a) d = Cast<to = 7>(b) f = Cast<to = 1>(d) y = Add(x, f) }",
       "Cast_1", "an integer of 64 bits of inf"},
      {"int64[3] x) => (float[1] y) { y = TfIdfVectorizer<max_gram_length = 1, max_skip_count = 0,"
       "min_gram_length = 1, mode = \"IDF\", ngram_counts = [0], ngram_indexes = [0, 0],"
       "pool_int64s = [2, 3]>(x) }",
       "TfIdfVectorizer_0", "two n-grams of its pool have one place"},
      {"int64[3] x) => (float[1] y) { y = TfIdfVectorizer<max_gram_length = 2,"
       "max_skip_count = 9223372036854775807, min_gram_length = 2, mode = \"TF\","
       "ngram_counts = [0, 0], ngram_indexes = [0], pool_int64s = [2, 3]>(x) }",
       "TfIdfVectorizer_0", "max_skip_count is negative or without any bound"},
      {"float[3] x, float[2] u) => (float[3] y) <int64[2,1] i = {1, -2}> { y = ScatterND(x, i, u) "
       "}",
       "ScatterND_0", "the same place"},
      {"float[3] x, float[1] u) => (float[3] y) <int64[1,1] i = {1}>"
       "{ y = ScatterND<reduction = \"sum\">(x, i, u) }",
       "ScatterND_0", "reduction 'sum'"},
      {"float[3] x, float[1] u, int64[1,1] i) => (float[3] y) { y = ScatterND(x, i, u) }",
       "ScatterND_0", "depends on the data"},
      {"float[3,2] x) => (float[2,2] y) <int64[2] i = {1, -4}> { y = Gather(x, i) }", "Gather_0",
       "index -4 is outside of an axis of 3"},
      {"float[3,2] x) => (float[2,2] y) <int64[2,1] i = {1, 3}> { y = GatherND(x, i) }",
       "GatherND_0", "index 3 is outside of an axis of 3"},
      {"float[3] x) => (float[2] y) <int64[2] i = {1, 3}> { y = GatherElements(x, i) }",
       "GatherElements_0", "index 3 is outside of an axis of 3"},
      {"float[65] x) => (float[65] y, int64[65] z) <int64[1] k = {65}> { y, z = TopK(x, k) }",
       "TopK_0", "64 are supported"},
      {"float[2,4] x, float[4] s) => (float[2,4] y)"
       "{ y, m, v = BatchNormalization<training_mode = 1>(x, s, s, s, s) }",
       "BatchNormalization_0", "training mode"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(errorOf("g (" + std::string(c.graph)),
                AllOf(HasSubstr(std::string("'") + c.node + "'"), HasSubstr(c.reason)))
        << c.graph;
  }
}

TEST(RefusalsTest, RefusesOtherOutputsThanCounted) {
  const char* graph =
      "g (float[4] x) => (float[M] y, float[N] z) { y, z = Split<axis = 0, num_outputs = 3>(x) }";
  EXPECT_THAT(errorOf(testing::parseModel(graph, 18)),
              AllOf(HasSubstr("'Split_0'"), HasSubstr("num_outputs is 3, and it has 2 outputs")));
}

TEST(RefusalsTest, RefusesWhatOldOpsetsMeant) {
  onnx::ModelProto model = testing::parseModel(
      "g (float[2,3] x, float[3] v) => (float[2,3] y, float[3] m, float[3] n, float[3] o, "
      "float[3] p)"
      "{ y, m, n, o, p = BatchNormalization(x, v, v, v, v) }");
  model.mutable_opset_import(0)->set_version(9);
  EXPECT_THAT(errorOf(model), AllOf(HasSubstr("BatchNormalization_0"), HasSubstr("training mode")));
  model = testing::parseModel("g (float[2,3,4] x) => (float[2,3,4] y) { y = Hardmax(x) }");
  model.mutable_opset_import(0)->set_version(11);
  EXPECT_THAT(errorOf(model), AllOf(HasSubstr("Hardmax_0"),
                                    HasSubstr("of all axes from 1 on; export with opset 13")));
}

TEST(RefusalsTest, RefusesEquationsThatAreNone) {
  for (const char* equation :
       {"i.j->ij", "i|j->ij", "...i...j->ij", "ij->i->j", "i-j", "ij->i;j"}) {
    EXPECT_THAT(
        errorOf(absl::StrCat("g (float[2,3] x) => (float[M,N] y) { y = Einsum<equation = \"",
                             equation, "\">(x) }")),
        AllOf(HasSubstr("'Einsum_0'"), HasSubstr(equation)));
  }
}

TEST(RefusalsTest, RefusesAnInfiniteEpsilon) {
  onnx::ModelProto model = testing::parseModel(
      "g (float[2,4] x, float[4] s) => (float[2,4] y) { y = LayerNormalization<epsilon = 1.0>(x, "
      "s) }");
  model.mutable_graph()->mutable_node(0)->mutable_attribute(0)->set_f(INFINITY);
  EXPECT_THAT(errorOf(model),
              AllOf(HasSubstr("'LayerNormalization_0'"), HasSubstr("epsilon is not finite")));
}

TEST(RefusalsTest, RefusesPartsOfFusedOps) {
  const struct {
    const char *graph, *reason;
  } cases[] = {
      {"float[1,2,4] x, float[4,12] w, float[2,1,2,3,2] p) => (float[1,2,4] y)"
       "{ y = com.microsoft.Attention<num_heads = 2>(x, w, , , p) }",
       "a past is not supported"},
      {"float[1,2,4] x, float[4,12] w) => (float[1,2,4] y)"
       "{ y = com.microsoft.Attention<num_heads = 2, do_rotary = 1>(x, w) }",
       "do_rotary is not supported"},
      {"float[1,2,4] x, float[4,12] w) => (float[1,2,4] y) { y = com.microsoft.Attention(x, w) }",
       "num_heads is 0"},
      {"float[1,2,4] x, float[4,12] w) => (float[1,2,4] y)"
       "{ y = com.microsoft.Attention<num_heads = 3>(x, w) }",
       "in its definition"},
      {"float[1,2,4] x, float[4,12] w) => (float[1,2,4] y)"
       "{ y = com.microsoft.Attention<num_heads = 2.5>(x, w) }",
       "ONNX checker"},
      {"float[1,2,2,3,2] q) => (float[1,2,4] y)"
       "{ y = com.microsoft.MultiHeadAttention<num_heads = 2>(q) }",
       "a packed query, key or value is not supported"},
      {"float[2,4] a, float[2,4] b) => (float[2,2] y)"
       "{ y = com.microsoft.FusedMatMul<transB = 1, transBatchA = 1>(a, b) }",
       "transBatchA or transBatchB is not supported"},
      {"float[2,4] a) => (float[2,4] y) { y = com.microsoft.Sampling(a) }",
       "of domain 'com.microsoft' is not supported"},
      {"float[2,4] a) => (float[2,4] y) { y = com.microsoft.Gelu<alpha = 2.0>(a) }",
       "Unrecognized attribute: alpha"},
  };
  for (const auto& c : cases) {
    onnx::ModelProto model = testing::parseModel("g (" + std::string(c.graph));
    auto& opset = *model.add_opset_import();
    opset.set_domain("com.microsoft");
    opset.set_version(1);
    model.mutable_graph()->mutable_node(0)->set_name("/its/name");
    EXPECT_THAT(errorOf(model), AllOf(HasSubstr("/its/name"), HasSubstr(c.reason))) << c.graph;
  }
}

// What is computed of integers is exact, so that the rounding of a constant shows.
TEST(RefusalsTest, RefusesDecisionsByDoublesThatSinglePrecisionDoesNotHold) {
  const std::string start = "g (int64[4] i) => (";
  const std::string rest =
      "<double tenth = {0.1}, double three = {2.99999999}> { d = Cast<to = 11>(i) ";
  for (const auto& [type, nodes, op] :
       {std::tuple{"bool", "t = Mul(d, tenth) y = Equal(t, three)", "Equal_2"},
        std::tuple{"bool", "y = LessOrEqual(d, three)", "LessOrEqual_1"},
        std::tuple{"double", "t = Add(d, three) y = Floor(t)", "Floor_2"},
        std::tuple{"int64", "t = Div(d, tenth) y = Cast<to = 7>(t)", "Cast_2"}}) {
    EXPECT_THAT(errorOf(start + type + "[4] y) " + rest + nodes + " }"),
                AllOf(HasSubstr(op), HasSubstr("a constant of doubles")));
  }
  // Reals are rounded, whatever they are compared with; a half is held.
  ir::registerAllDialects();
  testing::ScratchFolder folder;
  for (const char* text :
       {"g (float[4] x) => (bool[4] y) <double tenth = {0.1}> { d = Cast<to = 11>(x) y = Less(d, "
        "tenth) }",
        "g (int64[4] i) => (bool[4] y) <double half = {0.5}> { d = Cast<to = 11>(i) y = Less(d, "
        "half) }"}) {
    const auto module =
        importOnnx(folder.write("model.onnx", testing::parseModel(text).SerializeAsString()));
    EXPECT_TRUE(module.ok()) << module.status();
  }
}

// A runtime that has a kernel of the name computes that.
TEST(RefusalsTest, RefusesFunctionsInDomainsOfRuntimes) {
  for (const char* domain : {"com.microsoft", "com.microsoft.nchwc", "ai.onnx.ml"}) {
    const std::string text =
        absl::StrCat("g (float[2] x) => (float[2] y) { y = ", domain, ".Gelu(x) }\n<domain: \"",
                     domain, "\", opset_import: [\"\": 17]> Gelu (a) => (b) { b = Neg(a) }");
    EXPECT_THAT(errorOf(text), HasSubstr("give it a domain of its own")) << text;
  }
}

}  // namespace
}  // namespace lindero::compiler
