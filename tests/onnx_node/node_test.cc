// ONNX ops through the real ONNX library, the importer and the float interpreter. Expected values
// are worked out by hand from the operator pages, with the corner cases that exporters produce.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "compiler/onnx_import/import.h"
#include "ir/core/text.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "ir/tensor/interpreter.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero {
namespace {

using ir::tensor::Array;
using ::testing::DoubleNear;
using ::testing::Pointwise;

struct Case {
  const char* name;
  const char* graph;
  std::vector<std::vector<double>> inputs;
  std::vector<double> expected;  // of the first output
  std::vector<int64_t> shape;
  int opset = 17;
};

void PrintTo(const Case& c, std::ostream* os) { *os << c.name; }

class NodeTest : public ::testing::TestWithParam<Case> {};

Array makeInput(const ir::Type& type, const std::vector<double>& values) {
  Array array = Array::zeros(type.element, type.shape);
  EXPECT_EQ(array.elements(), int64_t(values.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    if (array.isReal()) {
      array.reals[i] = values[i];
    } else {
      array.integers[i] = static_cast<int64_t>(values[i]);
    }
  }
  return array;
}

TEST_P(NodeTest, ComputesTheExpectedValues) {
  const Case& c = GetParam();
  ir::registerAllDialects();
  testing::ScratchFolder folder;
  const onnx::ModelProto model = testing::parseModel(c.graph, c.opset);
  auto module = compiler::importOnnx(folder.write("model.onnx", model.SerializeAsString()));
  ASSERT_TRUE(module.ok()) << module.status();
  ASSERT_TRUE(ir::verify(**module).ok()) << ir::verify(**module);
  ir::Function* main = (*module)->findFunction("main");
  std::vector<Array> inputs;
  ASSERT_EQ(main->body().arguments().size(), c.inputs.size());
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    inputs.push_back(makeInput(main->body().arguments()[i]->type(), c.inputs[i]));
  }
  auto results = ir::tensor::interpret(*main, inputs);
  ASSERT_TRUE(results.ok()) << results.status();
  const Array& result = results->front();
  const std::vector<double> values =
      result.isReal() ? result.reals
                      : std::vector<double>(result.integers.begin(), result.integers.end());
  EXPECT_EQ(std::vector<int64_t>(result.shape.begin(), result.shape.end()), c.shape);
  EXPECT_THAT(values, Pointwise(DoubleNear(1e-6), c.expected)) << ir::toText(**module);
}

std::string nameOf(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Elementwise, NodeTest,
    ::testing::Values(
        Case{"AddBroadcasts",
             "g (float[2,1] a, float[2] b) => (float[2,2] y) { y = Add(a, b) }",
             {{1, 2}, {10, 20}},
             {11, 21, 12, 22},
             {2, 2}},
        Case{"IntegerDivTruncates",
             "g (int64[2] a) => (int64[2] y) <int64 two = {2}> { y = Div(a, two) }",
             {{7, -7}},
             {3, -3},
             {2}},
        Case{"PowTakesIntegerExponents",
             "g (float[2] a) => (float[2] y) <int64 two = {2}> { y = Pow(a, two) }",
             {{3, -4}},
             {9, 16},
             {2}},
        Case{"MaxIsVariadic",
             "g (float[2] a, float[2] b, float[2] c) => (float[2] y) { y = Max(a, b, c) }",
             {{1, 5}, {2, 4}, {0, 9}},
             {2, 9},
             {2}},
        Case{"SumIsVariadic",
             "g (float[1] a, float[1] b, float[1] c) => (float[1] y) { y = Sum(a, b, c) }",
             {{1}, {2}, {4}},
             {7},
             {1}},
        Case{"ClipWithoutLowerBound",
             "g (float[3] a) => (float[3] y) <float high = {1.5}> { y = Clip(a, , high) }",
             {{-9, 1, 2}},
             {-9, 1, 1.5},
             {3}},
        Case{"SizesAreComputedInTheirType",
             "g (float[100] x) => (int64[1] y) <double part = {0.29}, int64[1] none = {0}> {"
             "s = Shape(x) d = Cast<to = 11>(s) m = Mul(d, part) f = Floor(m) e = Cast<to = 7>(f) "
             "z = Slice(x, none, e) y = Shape(z) }",
             {std::vector<double>(100)},
             {28},
             {1}},
        Case{"SizesOfFloatsAreRounded",
             "g (float[100] x) => (int64[1] y) <float part = {0.29}, int64[1] none = {0}> {"
             "s = Shape(x) d = Cast<to = 1>(s) m = Mul(d, part) f = Floor(m) e = Cast<to = 7>(f) "
             "z = Slice(x, none, e) y = Shape(z) }",
             {std::vector<double>(100)},
             {29},
             {1}},
        Case{"DoublesAreRoundedByCasts",
             "g (float[1] x) => (float[1] y) <double a = {16777217}, float b = {16777216}> {"
             "f = Cast<to = 1>(a) d = Sub(f, b) y = Add(x, d) }",
             {{0}},
             {0},
             {1}},
        Case{"DoublesHoldMoreThanFloats",
             "g (float[1] x) => (float[1] y) <double a = {16777217}, double b = {16777216}> {"
             "d = Sub(a, b) f = Cast<to = 1>(d) y = Add(x, f) }",
             {{0}},
             {1},
             {1}},
        Case{"FmodOfConstantsIsExact",
             "g (float[1] x) => (float[1] y) <float a = {1}, float b = {0.1}> {"
             "r = Mod<fmod = 1>(a, b) y = Add(x, r) }",
             {{0}},
             {0.1},
             {1}},
        Case{"HalvesHoldWholeNumbersUpTo2048",
             "g (int64[5] x) => (int64[5] y) { h = Cast<to = 10>(x) y = Cast<to = 7>(h) }",
             {{1, 2048, 2049, 4099, -2051}},
             {1, 2048, 2048, 4100, -2052},
             {5}},
        Case{"BrainFloatsHoldWholeNumbersUpTo256",
             "g (float[4] x) => (float[4] y) { h = Cast<to = 16>(x) y = Cast<to = 1>(h) }",
             {{256, 257, -259, 0.3}},
             {256, 256, -260, 0.3},
             {4}},
        Case{"CastTruncates",
             "g (float[3] a) => (int64[3] y) { y = Cast<to = 7>(a) }",
             {{-1.7, 0.4, 2.9}},
             {-1, 0, 2},
             {3}},
        Case{"CastToFewBitsWrapsAround",
             "g (int64[3] a) => (uint8[3] y) { y = Cast<to = 2>(a) }",
             {{300, -1, 7}},
             {44, 255, 7},
             {3}},
        Case{"CastToFewBitsKeepsTheSign",
             "g (int64[3] a) => (int8[3] y) { y = Cast<to = 3>(a) }",
             {{200, -129, 7}},
             {-56, 127, 7},
             {3}},
        Case{"BitwiseOps",
             "g (int32[3] a, int32[3] b) => (int32[3] y) "
             "{ p = BitwiseAnd(a, b) q = BitwiseOr(a, b) r = BitwiseXor(p, q) y = BitwiseNot(r) }",
             {{12, -7, 0}, {10, 5, -1}},
             {-7, 3, 0},
             {3},
             18},
        Case{"ShiftsToTheRightKeepTheSign",
             "g (int32[4] a, int32[4] b) => (int32[4] y) { y = BitShift<direction = \"RIGHT\">(a, "
             "b) }",
             {{-9, 9, -1, 5}, {1, 2, 40, -1}},
             {-5, 2, -1, 0},
             {4},
             28},
        Case{"ShiftsToTheLeftLoseBits",
             "g (uint8[3] a, uint8[3] b) => (uint8[3] y) { y = BitShift<direction = \"LEFT\">(a, "
             "b) }",
             {{255, 3, 1}, {1, 2, 9}},
             {254, 12, 0},
             {3}},
        Case{"PowOfAnIntegerTruncates",
             "g (int64[2] a, float[2] b) => (int64[2] y) { y = Pow(a, b) }",
             {{2, 9}, {0.5, 0.5}},
             {1, 3},
             {2}},
        Case{"ArcFunctions",
             "g (float[1] a) => (float[1] y) "
             "{ s = Asin(a) c = Acos(a) t = Atan(a) u = Add(s, c) y = Add(u, t) }",
             {{0.5}},
             {1.5707963267948966 + 0.4636476090008061},
             {1}},
        Case{"CastBetweenFloatsVanishes",
             "g (float[1] a) => (double[1] y) { y = Cast<to = 11>(a) }",
             {{1.25}},
             {1.25},
             {1}},
        Case{"CastLikeFollowsItsModel",
             "g (int64[1] a, float[1] b) => (float[1] y) { y = CastLike(a, b) }",
             {{3}, {0}},
             {3},
             {1}},
        Case{"DropoutPasses",
             "g (float[2] a) => (float[2] y) { y = Dropout(a) }",
             {{1, 2}},
             {1, 2},
             {2}},
        Case{"WhereChooses",
             "g (float[2] a, float[2] b) => (float[2] y) { c = Less(a, b) y = Where(c, a, b) }",
             {{1, 5}, {2, 4}},
             {1, 4},
             {2}},
        Case{"LogicalOps",
             "g (float[4] a) => (float[4] y) <float zero = {0}, float one = {1}>"
             "{ p = Greater(a, zero) q = LessOrEqual(a, one) r = And(p, q) s = Not(r) t = Or(s, p) "
             "y = Cast<to = 1>(t) }",
             {{-1, 0, 1, 2}},
             {1, 1, 1, 1},
             {4}},
        Case{"Erf",
             "g (float[1] a) => (float[1] y) { y = Erf(a) }",
             {{1}},
             {0.8427007929497149},
             {1}},
        Case{"GeluExact",
             "g (float[1] a) => (float[1] y) { y = Gelu(a) }",
             {{1}},
             {0.8413447460685429},
             {1},
             20},
        Case{"GeluTanh",
             "g (float[1] a) => (float[1] y) { y = Gelu<approximate = \"tanh\">(a) }",
             {{1}},
             {0.8411919906082768},
             {1},
             20}),
    nameOf);

INSTANTIATE_TEST_SUITE_P(
    Layout, NodeTest,
    ::testing::Values(
        Case{"ReshapeCopiesAndInfers",
             "g (float[2,3,2] a) => (float[2,6] y) <int64[2] s = {0, -1}> { y = Reshape(a, s) }",
             {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
             {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
             {2, 6}},
        Case{"TransposeReversesByDefault",
             "g (float[2,3] a) => (float[3,2] y) { y = Transpose(a) }",
             {{1, 2, 3, 4, 5, 6}},
             {1, 4, 2, 5, 3, 6},
             {3, 2}},
        Case{"SqueezeNegativeAxis",
             "g (float[1,2,1] a) => (float[1,2] y) <int64[1] x = {-1}> { y = Squeeze(a, x) }",
             {{1, 2}},
             {1, 2},
             {1, 2}},
        Case{"SqueezeAll",
             "g (float[1,2,1] a) => (float[2] y) { y = Squeeze(a) }",
             {{1, 2}},
             {1, 2},
             {2}},
        Case{"UnsqueezeCountsInTheResult",
             "g (float[2] a) => (float[1,2,1] y) <int64[2] x = {-1, 0}> { y = Unsqueeze(a, x) }",
             {{1, 2}},
             {1, 2},
             {1, 2, 1}},
        Case{"Flatten",
             "g (float[2,1,2] a) => (float[2,2] y) { y = Flatten<axis = -1>(a) }",
             {{1, 2, 3, 4}},
             {1, 2, 3, 4},
             {2, 2}},
        Case{
            "SliceClampsAndCountsFromTheEnd",
            "g (float[5] a) => (float[3] y) <int64[1] b = {-3}, int64[1] e = {9223372036854775807}>"
            "{ y = Slice(a, b, e) }",
            {{1, 2, 3, 4, 5}},
            {3, 4, 5},
            {3}},
        Case{"SliceBackwards",
             "g (float[5] a) => (float[3] y) <int64[1] b = {-1}, int64[1] e = "
             "{-9223372036854775807}, int64[1] x = {0},"
             "int64[1] s = {-2}> { y = Slice(a, b, e, x, s) }",
             {{1, 2, 3, 4, 5}},
             {5, 3, 1},
             {3}},
        Case{"SliceTwoAxes",
             "g (float[2,3] a) => (float[1,2] y) <int64[2] b = {1, 0}, int64[2] e = {2, 3}, "
             "int64[2] x = {0, 1},"
             "int64[2] s = {1, 2}> { y = Slice(a, b, e, x, s) }",
             {{1, 2, 3, 4, 5, 6}},
             {4, 6},
             {1, 2}},
        Case{"SplitBySizes",
             "g (float[4] a) => (float[3] z, float[1] y) <int64[2] s = {1, 3}> { y, z = Split(a, "
             "s) }",
             {{1, 2, 3, 4}},
             {2, 3, 4},
             {3}},
        Case{"SplitEqually",
             "g (float[2,4] a) => (float[2,2] z) { y, z = Split<axis = 1>(a) }",
             {{1, 2, 3, 4, 5, 6, 7, 8}},
             {3, 4, 7, 8},
             {2, 2}},
        Case{"SplitUnevenly",
             "g (float[5] a) => (float[1] z) { w, y, z = Split<num_outputs = 3>(a) }",
             {{1, 2, 3, 4, 5}},
             {5},
             {1},
             18},
        Case{"Concat",
             "g (float[1] a, float[2] b) => (float[3] y) { y = Concat<axis = -1>(a, b) }",
             {{1}, {2, 3}},
             {1, 2, 3},
             {3}},
        Case{"GatherNegativeScalar",
             "g (float[2,2] a) => (float[2] y) <int64 i = {-1}> { y = Gather<axis = 1>(a, i) }",
             {{1, 2, 3, 4}},
             {2, 4},
             {2}},
        Case{"GatherByInput",
             "g (int64[2] i) => (float[2,1] y) <float[3,1] w = {5, 6, 7}> { y = Gather(w, i) }",
             {{2, 0}},
             {7, 5},
             {2, 1}},
        Case{"Expand",
             "g (float[2,1] a) => (float[2,2] y) <int64[2] s = {1, 2}> { y = Expand(a, s) }",
             {{1, 2}},
             {1, 1, 2, 2},
             {2, 2}},
        Case{"Tile",
             "g (float[1,2] a) => (float[2,4] y) <int64[2] r = {2, 2}> { y = Tile(a, r) }",
             {{1, 2}},
             {1, 2, 1, 2, 1, 2, 1, 2},
             {2, 4}},
        Case{"TriluUpperWithDiagonal",
             "g (float[2,2] a) => (float[2,2] y) <int64 k = {1}> { y = Trilu(a, k) }",
             {{1, 2, 3, 4}},
             {0, 2, 0, 0},
             {2, 2}},
        Case{"TriluLower",
             "g (float[2,2] a) => (float[2,2] y) { y = Trilu<upper = 0>(a) }",
             {{1, 2, 3, 4}},
             {1, 0, 3, 4},
             {2, 2}}),
    nameOf);

INSTANTIATE_TEST_SUITE_P(
    Shapes, NodeTest,
    ::testing::Values(
        Case{"ShapeOfPart",
             "g (float[2,3,4] a) => (int64[2] y) { y = Shape<start = -2>(a) }",
             {std::vector<double>(24)},
             {3, 4},
             {2}},
        Case{"Size",
             "g (float[2,3] a) => (int64 y) { y = Size(a) }",
             {std::vector<double>(6)},
             {6},
             {}},
        Case{"RangeOfReals",
             "g () => (float[3] y) <float a = {1}, float b = {2.1}, float c = {0.5}> { y = "
             "Range(a, b, c) }",
             {},
             {1, 1.5, 2},
             {3}},
        Case{"RangeDown",
             "g () => (int64[2] y) <int64 a = {5}, int64 b = {1}, int64 c = {-2}> { y = Range(a, "
             "b, c) }",
             {},
             {5, 3},
             {2}},
        Case{"ConstantOfShapeIsZero",
             "g () => (float[2] y) <int64[1] s = {2}> { y = ConstantOfShape(s) }",
             {},
             {0, 0},
             {2}},
        Case{"ConstantOfShapeWithValue",
             "g () => (int64[2] y) <int64[1] s = {2}> { y = ConstantOfShape<value = int64[1] "
             "{-7}>(s) }",
             {},
             {-7, -7},
             {2}},
        Case{"ConstantForms",
             "g () => (float[2] y) { a = Constant<value_float = 0.5>() b = Constant<value_floats = "
             "[1.0, 2.0]>() y = Mul(a, b) }",
             {},
             {0.5, 1},
             {2}},
        // Positions as exporters of dynamic lengths write them: Range(0, Shape(ids)[1], 1).
        Case{"PositionsFromTheInputsShape",
             "g (int64[1,3] ids) => (float[3,1] y) <float[4,1] w = {5, 6, 7, 8}, int64 zero = {0}, "
             "int64 one = {1}>"
             "{ s = Shape(ids) n = Gather(s, one) p = Range(zero, n, one) y = Gather(w, p) }",
             {{0, 0, 0}},
             {5, 6, 7},
             {3, 1}},
        // What torch writes for expand(-1, 2): the shape's -1 are replaced by ones.
        Case{"ExpandByComputedShape",
             "g (float[2,1] a) => (float[2,2] y) <int64[2] s = {-1, 2}, int64 minus = {-1}>"
             "{ n = Shape(s) o = ConstantOfShape<value = int64[1] {1}>(n) e = Equal(s, minus) w = "
             "Where(e, o, s) y = Expand(a, w) }",
             {{1, 2}},
             {1, 1, 2, 2},
             {2, 2}}),
    nameOf);

INSTANTIATE_TEST_SUITE_P(
    Layers, NodeTest,
    ::testing::Values(
        Case{"MatMulBatchBroadcasts",
             "g (float[2,1,2] a, float[2,1] b) => (float[2,1,1] y) { y = MatMul(a, b) }",
             {{1, 2, 3, 4}, {1, 10}},
             {21, 43},
             {2, 1, 1}},
        Case{"GemmWithEverything",
             "g (float[2,1] a, float[1,2] b, float[1] c) => (float[1,1] y)"
             "{ y = Gemm<alpha = 0.5, beta = 2.0, transA = 1, transB = 1>(a, b, c) }",
             {{1, 2}, {3, 4}, {5}},
             {15.5},
             {1, 1}},
        Case{"SoftmaxOfAnInnerAxis",
             "g (float[2,2] a) => (float[2,2] y) { y = Softmax<axis = 0>(a) }",
             {{0, 5, std::log(3), 5}},
             {0.25, 0.5, 0.75, 0.5},
             {2, 2}},
        Case{"ReduceMeanAxesAttribute",
             "g (float[2,2] a) => (float[2,1] y) { y = ReduceMean<axes = [-1]>(a) }",
             {{1, 3, 5, 9}},
             {2, 7},
             {2, 1}},
        Case{"ReduceMeanAxesInput",
             "g (float[2,2] a) => (float[2] y) <int64[1] x = {0}> { y = ReduceMean<keepdims = "
             "0>(a, x) }",
             {{1, 3, 5, 9}},
             {3, 6},
             {2},
             18},
        Case{"ReduceSumOfAll",
             "g (float[2,2] a) => (float[1,1] y) { y = ReduceSum(a) }",
             {{1, 3, 5, 9}},
             {18},
             {1, 1}},
        Case{"ArgMaxKeepsTheFirst",
             "g (float[2,3] a) => (int64[2] y) { y = ArgMax<axis = -1, keepdims = 0>(a) }",
             {{1, 9, 9, 4, 4, 1}},
             {1, 0},
             {2}},
        Case{"MaxPoolFindsItsPlaces",
             "g (float[1,1,4] a) => (int64[1,1,2] y) "
             "{ v, y = MaxPool<kernel_shape = [2], strides = [2]>(a) }",
             {{1, 3, 5, 5}},
             {1, 2},
             {1, 1, 2}},
        Case{"AveragePoolBeyondThePadding",
             "g (float[1,1,3] a) => (float[1,1,2] y) "
             "{ y = AveragePool<kernel_shape = [2], strides = [2], ceil_mode = 1, "
             "count_include_pad = 1>(a) }",
             {{1, 3, 5}},
             {2, 5},
             {1, 1, 2}},
        Case{"Det",
             "g (float[3,3] a) => (float y) { y = Det(a) }",
             {{2, 0, 1, 1, 3, 2, 1, 1, 4}},
             {18},
             {}},
        Case{"SumOfNoElements",
             "g (float[0,2] a) => (float[1,2] y) <int64[1] x = {0}> { y = ReduceSum(a, x) }",
             {{}},
             {0, 0},
             {1, 2}},
        Case{"LayerNormalizationOfAComputedScale",
             "g (float[1,2] a, float[2] s) => (float[1,2] y) "
             "{ t = Add(s, s) y = LayerNormalization<epsilon = 3.0>(a, t) }",
             {{1, 3}, {2, 4}},
             {-2, 4},
             {1, 2}},
        Case{"LayerNormalizationWithoutBias",
             "g (float[1,2] a, float[2] s) => (float[1,2] y) { y = LayerNormalization<epsilon = "
             "3.0>(a, s) }",
             {{1, 3}, {2, 4}},
             {-1, 2},
             {1, 2}}),
    nameOf);

// The body of a local function is inlined; its nodes keep their meaning.
INSTANTIATE_TEST_SUITE_P(
    Functions, NodeTest,
    ::testing::Values(Case{
        "InlinesLocalFunctions",
        "g (float[2] a) => (float[2] y) { y = local.twice(a) }\n"
        "<domain: \"local\", opset_import: [\"\" : 17]> twice (x) => (y) { y = Add(x, x) }",
        {{1, 2}},
        {2, 4},
        {2}}),
    nameOf);

}  // namespace
}  // namespace lindero
