// One row per op: operands, attributes and the expected result, worked out by hand from the ONNX
// operator pages.

#include "ir/tensor/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/core/op_table.h"
#include "ir/dialects.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/kernels.h"

namespace lindero::ir::tensor {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Ints = std::vector<int64_t>;
using Attributes = std::vector<NamedAttribute>;

Array real(Ints shape, std::vector<double> values) { return Array::real(shape, std::move(values)); }
Array integer(Ints shape, Ints values) { return Array::integer(shape, std::move(values)); }
Array boolean(Ints shape, Ints values) {
  Array array = Array::integer(shape, std::move(values));
  array.element = Element::kBool;
  return array;
}

// Evaluates one op on arrays that come in as arguments.
absl::StatusOr<Array> run(llvm::StringRef name, const std::vector<Array>& operands,
                          const Attributes& attributes) {
  registerAllDialects();
  Module module;
  Function* function = module.addFunction("main");
  Builder builder(&function->body());
  std::vector<Value*> values;
  for (const Array& operand : operands)
    values.push_back(function->body().addArgument(operand.type(), "x"));
  auto value = create(builder, name, values, attributes);
  if (!value.ok()) return value.status();
  builder.create("tensor.return", {*value}, {});
  auto results = interpret(*function, operands);
  if (!results.ok()) return results.status();
  return results->front();
}

struct Case {
  const char* op;
  std::vector<Array> operands;
  Attributes attributes;
  Array expected;
};

void PrintTo(const Case& c, std::ostream* os) { *os << c.op; }

class OpTest : public ::testing::TestWithParam<Case> {};

MATCHER_P(SameWithin, tolerance, "") {
  const auto& [actual, expected] = arg;
  return actual == expected || std::abs(actual - expected) <= tolerance ||
         (std::isnan(actual) && std::isnan(expected));
}

TEST_P(OpTest, GivesTheExpectedArray) {
  const Case& c = GetParam();
  auto result = run(std::string("tensor.") + c.op, c.operands, c.attributes);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->element, c.expected.element);
  EXPECT_EQ(result->shape, c.expected.shape);
  EXPECT_THAT(result->reals, Pointwise(SameWithin(1e-12), c.expected.reals));
  EXPECT_EQ(result->integers, c.expected.integers);
}

const Array kX = real({3}, {-1, 0, 4});

INSTANTIATE_TEST_SUITE_P(
    Unary, OpTest,
    ::testing::Values(
        Case{"abs", {kX}, {}, real({3}, {1, 0, 4})},
        Case{"neg",
             {integer({2}, {5, std::numeric_limits<int64_t>::min()})},
             {},
             integer({2}, {-5, std::numeric_limits<int64_t>::min()})},
        Case{"sign", {kX}, {}, real({3}, {-1, 0, 1})}, Case{"relu", {kX}, {}, real({3}, {0, 0, 4})},
        Case{"sqrt", {kX}, {}, real({3}, {kNan, 0, 2})},
        Case{"reciprocal", {kX}, {}, real({3}, {-1, kInf, 0.25})},
        Case{"exp", {real({2}, {0, 1})}, {}, real({2}, {1, M_E})},
        Case{"log", {real({2}, {1, M_E})}, {}, real({2}, {0, 1})},
        Case{"erf", {real({2}, {0, 1})}, {}, real({2}, {0, 0.8427007929497149})},
        Case{"tanh", {real({2}, {0, 1})}, {}, real({2}, {0, 0.7615941559557649})},
        Case{"sigmoid", {real({2}, {0, 1})}, {}, real({2}, {0.5, 0.7310585786300049})},
        Case{"sin", {real({1}, {M_PI / 6})}, {}, real({1}, {0.5})},
        Case{"cos", {real({1}, {M_PI / 3})}, {}, real({1}, {0.5})},
        Case{"floor", {real({2}, {-1.5, 1.5})}, {}, real({2}, {-2, 1})},
        Case{"not", {boolean({2}, {0, 1})}, {}, boolean({2}, {1, 0})},
        Case{"is_nan", {real({2}, {kNan, 1})}, {}, boolean({2}, {1, 0})},
        Case{"cast",
             {real({3}, {-1.9, 2.9, 1e30})},
             {{"to", std::string("int")}},
             integer({3}, {-1, 2, std::numeric_limits<int64_t>::max()})},
        Case{"cast", {integer({2}, {0, 7})}, {{"to", std::string("bool")}}, boolean({2}, {0, 1})},
        Case{"cast", {boolean({2}, {0, 1})}, {{"to", std::string("float")}}, real({2}, {0, 1})}));

// x * Phi(x) at 1, and its tanh form.
INSTANTIATE_TEST_SUITE_P(Activations, OpTest,
                         ::testing::Values(Case{"activation",
                                                {real({1}, {1})},
                                                {{"function", std::string("gelu(x)")}},
                                                real({1}, {0.8413447460685429})},
                                           Case{"activation",
                                                {real({1}, {1})},
                                                {{"function", std::string("gelu_tanh(x)")}},
                                                real({1}, {0.8411919906082768})},
                                           Case{"activation",
                                                {real({1}, {1})},
                                                {{"function", std::string("silu(x)")}},
                                                real({1}, {0.7310585786300049})},
                                           Case{"activation",
                                                {kX},
                                                {{"function", std::string("relu(x)")}},
                                                real({3}, {0, 0, 4})}));

INSTANTIATE_TEST_SUITE_P(
    Binary, OpTest,
    ::testing::Values(
        Case{"add",
             {real({2, 1}, {1, 2}), real({3}, {10, 20, 30})},
             {},
             real({2, 3}, {11, 21, 31, 12, 22, 32})},
        Case{"sub", {integer({2}, {1, 2}), integer({}, {5})}, {}, integer({2}, {-4, -3})},
        Case{"mul", {real({2}, {3, -2}), real({2}, {2, kInf})}, {}, real({2}, {6, -kInf})},
        Case{"div", {integer({2}, {7, -7}), integer({}, {2})}, {}, integer({2}, {3, -3})},
        Case{"pow", {real({2}, {3, 4}), real({2}, {2, -0.5})}, {}, real({2}, {9, 0.5})},
        Case{"pow", {integer({2}, {3, -1}), integer({2}, {4, 3})}, {}, integer({2}, {81, -1})},
        Case{"max", {real({2}, {3, kNan}), real({2}, {5, 1})}, {}, real({2}, {5, kNan})},
        Case{"min", {integer({2}, {3, 9}), integer({}, {5})}, {}, integer({2}, {3, 5})},
        Case{"equal", {integer({2}, {3, 9}), integer({}, {9})}, {}, boolean({2}, {0, 1})},
        Case{"less", {kX, real({}, {0})}, {}, boolean({3}, {1, 0, 0})},
        Case{"less_or_equal", {kX, real({}, {0})}, {}, boolean({3}, {1, 1, 0})},
        Case{"greater", {kX, real({}, {0})}, {}, boolean({3}, {0, 0, 1})},
        Case{"greater_or_equal", {kX, real({}, {0})}, {}, boolean({3}, {0, 1, 1})},
        Case{"and", {boolean({2}, {0, 1}), boolean({}, {1})}, {}, boolean({2}, {0, 1})},
        Case{"or", {boolean({2}, {0, 1}), boolean({}, {1})}, {}, boolean({2}, {1, 1})},
        Case{"where",
             {boolean({2, 1}, {0, 1}), real({2}, {1, 2}), real({}, {9})},
             {},
             real({2, 2}, {9, 9, 1, 2})}));

const Array kMatrix = real({2, 3}, {1, 2, 3, 4, 5, 6});

INSTANTIATE_TEST_SUITE_P(
    Layout, OpTest,
    ::testing::Values(
        Case{"transpose", {kMatrix}, {{"perm", Ints{1, 0}}}, real({3, 2}, {1, 4, 2, 5, 3, 6})},
        Case{"transpose",
             {integer({1, 2, 2}, {1, 2, 3, 4})},
             {{"perm", Ints{2, 0, 1}}},
             integer({2, 1, 2}, {1, 3, 2, 4})},
        Case{"reshape", {kMatrix}, {{"shape", Ints{3, 2}}}, real({3, 2}, {1, 2, 3, 4, 5, 6})},
        Case{"expand",
             {real({2, 1}, {1, 2})},
             {{"shape", Ints{2, 2, 2}}},
             real({2, 2, 2}, {1, 1, 2, 2, 1, 1, 2, 2})},
        Case{"slice",
             {kMatrix},
             {{"axis", int64_t{1}}, {"start", int64_t{1}}, {"size", int64_t{2}}},
             real({2, 2}, {2, 3, 5, 6})},
        Case{"slice",
             {kMatrix},
             {{"axis", int64_t{1}},
              {"start", int64_t{2}},
              {"size", int64_t{2}},
              {"step", int64_t{-2}}},
             real({2, 2}, {3, 1, 6, 4})},
        Case{"slice",
             {kMatrix},
             {{"axis", int64_t{0}}, {"start", int64_t{2}}, {"size", int64_t{0}}},
             real({0, 3}, {})},
        Case{"concat",
             {kMatrix, real({2, 1}, {7, 8})},
             {{"axis", int64_t{1}}},
             real({2, 4}, {1, 2, 3, 7, 4, 5, 6, 8})},
        Case{"gather",
             {kMatrix, integer({2}, {-1, 0})},
             {{"axis", int64_t{1}}},
             real({2, 2}, {3, 1, 6, 4})},
        Case{"gather", {kMatrix, integer({}, {1})}, {{"axis", int64_t{0}}}, real({3}, {4, 5, 6})},
        Case{"trilu",
             {real({2, 2}, {1, 2, 3, 4})},
             {{"upper", false}, {"k", int64_t{0}}},
             real({2, 2}, {1, 0, 3, 4})},
        Case{"trilu",
             {real({2, 2}, {1, 2, 3, 4})},
             {{"upper", true}, {"k", int64_t{1}}},
             real({2, 2}, {0, 2, 0, 0})},
        Case{"select_rows", {kMatrix}, {{"rows", Ints{1, 1}}}, real({2, 3}, {4, 5, 6, 4, 5, 6})}));

INSTANTIATE_TEST_SUITE_P(
    Reductions, OpTest,
    ::testing::Values(
        Case{"reduce_sum",
             {kMatrix},
             {{"axes", Ints{0}}, {"keepdims", true}},
             real({1, 3}, {5, 7, 9})},
        Case{"reduce_mean", {kMatrix}, {{"axes", Ints{1}}, {"keepdims", false}}, real({2}, {2, 5})},
        Case{"reduce_max", {kMatrix}, {{"axes", Ints{0, 1}}, {"keepdims", false}}, real({}, {6})},
        Case{"reduce_min",
             {integer({3}, {4, -2, 7})},
             {{"axes", Ints{0}}, {"keepdims", true}},
             integer({1}, {-2})},
        Case{"softmax",
             {real({2, 2}, {0, std::log(3), 5, -kInf})},
             {{"axis", int64_t{1}}},
             real({2, 2}, {0.25, 0.75, 1, 0})},
        Case{"softmax",
             {real({2, 2}, {0, 5, std::log(3), 5})},
             {{"axis", int64_t{0}}},
             real({2, 2}, {0.25, 0.5, 0.75, 0.5})},
        Case{"argmax", {real({2, 3}, {1, 9, 9, 4, 4, 1})}, {}, integer({2}, {1, 0})},
        Case{"argmax",
             {kMatrix},
             {{"axis", int64_t{0}}, {"keepdims", true}},
             integer({1, 3}, {1, 1, 1})}));

// LayerNorm of (1, 3): mean 2, variance 1, with epsilon 3 a deviation of 2.
INSTANTIATE_TEST_SUITE_P(
    Layers, OpTest,
    ::testing::Values(Case{"matmul", {kMatrix, real({3, 1}, {1, 0, 2})}, {}, real({2, 1}, {7, 16})},
                      Case{"matmul", {kMatrix, real({3}, {1, 0, 2})}, {}, real({2}, {7, 16})},
                      Case{"matmul",
                           {real({2, 1, 1}, {2, 3}), real({1, 2}, {1, 10})},
                           {},
                           real({2, 1, 2}, {2, 20, 3, 30})},
                      Case{"linear",
                           {kMatrix, real({3, 1}, {1, 0, 2}), real({1}, {0.5})},
                           {},
                           real({2, 1}, {7.5, 16.5})},
                      Case{"embedding",
                           {integer({2}, {1, 0}), real({2, 2}, {1, 2, 3, 4}),
                            real({2, 2}, {10, 20, 30, 40})},
                           {},
                           real({2, 2}, {13, 24, 31, 42})},
                      Case{"layernorm",
                           {real({1, 2}, {1, 3}), real({2}, {2, 4}), real({2}, {0, 1})},
                           {{"epsilon", 3.0}},
                           real({1, 2}, {-1, 3})},
                      Case{"layernorm",
                           {real({1, 2}, {1, 7}), real({2}, {5, 5}), real({2}, {0, 0})},
                           {{"epsilon", 0.0}, {"has_mean", false}},
                           real({1, 2}, {1, 7})},
                      // Two heads of width 1. Head 0 scores every pair 0; head 1 scores (1, 0): ln
                      // 3 and (1, 1): 0.
                      Case{"attention",
                           {real({2, 2}, {0, 0, 0, std::log(3)}), real({2, 2}, {1, 2, 1, 0}),
                            real({2, 2}, {2, 4, 6, 8})},
                           {{"heads", int64_t{2}}, {"scale", 0.5}, {"causal", true}},
                           real({2, 2}, {2, 4, 4, 5})},
                      Case{"attention",
                           {real({2, 1}, {0, 0}), real({2, 1}, {1, 2}), real({2, 1}, {2, 6})},
                           {{"heads", int64_t{1}}, {"scale", 1.0}, {"causal", false}},
                           real({2, 1}, {4, 4})}));

struct BadCase {
  const char* op;
  std::vector<Array> operands;
  Attributes attributes;
  const char* message;
};

void PrintTo(const BadCase& c, std::ostream* os) { *os << c.op; }

class BadOpTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadOpTest, IsRejected) {
  auto result =
      run(std::string("tensor.") + GetParam().op, GetParam().operands, GetParam().attributes);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(std::string(result.status().message()), HasSubstr(GetParam().message));
}

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

INSTANTIATE_TEST_SUITE_P(
    Types, BadOpTest,
    ::testing::Values(
        BadCase{"sqrt", {integer({}, {1})}, {}, "C1"}, BadCase{"not", {kX}, {}, "C1"},
        BadCase{"cast", {kX}, {{"to", std::string("i4")}}, "C1"},
        BadCase{"add", {kX, integer({3}, {1, 2, 3})}, {}, "C1"},
        BadCase{"add", {kX, real({2}, {1, 2})}, {}, "C2"}, BadCase{"and", {kX, kX}, {}, "C1"},
        BadCase{"where", {kX, kX, kX}, {}, "C1"}, BadCase{"matmul", {kMatrix, kMatrix}, {}, "C2"},
        BadCase{"transpose", {kMatrix}, {{"perm", Ints{0, 0}}}, "C1"},
        BadCase{"reshape", {kMatrix}, {{"shape", Ints{4, 2}}}, "C1"},
        BadCase{"reshape", {kMatrix}, {{"shape", Ints{kHuge, kHuge}}}, "C1"},
        BadCase{"expand", {kMatrix}, {{"shape", Ints{2, 4}}}, "C1"},
        BadCase{"expand", {real({}, {1})}, {{"shape", Ints{kHuge, kHuge}}}, "too large"},
        BadCase{"slice",
                {kMatrix},
                {{"axis", int64_t{2}}, {"start", int64_t{0}}, {"size", int64_t{1}}},
                "C1"},
        BadCase{"slice",
                {kMatrix},
                {{"axis", int64_t{1}}, {"start", int64_t{2}}, {"size", int64_t{2}}},
                "C2"},
        BadCase{
            "slice",
            {kMatrix},
            {{"axis", int64_t{1}}, {"start", int64_t{0}}, {"size", int64_t{2}}, {"step", kHuge}},
            "C2"},
        BadCase{"concat", {kMatrix, kX}, {{"axis", int64_t{0}}}, "C2"},
        BadCase{"gather", {kMatrix, kX}, {{"axis", int64_t{0}}}, "C2"},
        BadCase{"reduce_sum", {kMatrix}, {{"axes", Ints{2}}, {"keepdims", true}}, "C1"},
        BadCase{"layernorm", {kMatrix, kX, real({2}, {1, 1})}, {{"epsilon", 1.0}}, "C2"},
        BadCase{"linear", {kMatrix, kMatrix}, {}, "C1"},
        BadCase{"attention",
                {kMatrix, kMatrix, kMatrix},
                {{"heads", int64_t{2}}, {"scale", 1.0}, {"causal", true}},
                "C2"},
        BadCase{"activation", {kX}, {{"function", std::string("mish(x)")}}, "C2"},
        BadCase{"select_rows", {kMatrix}, {{"rows", Ints{2}}}, "C2"}));

INSTANTIATE_TEST_SUITE_P(
    Values, BadOpTest,
    ::testing::Values(
        BadCase{"div", {integer({}, {1}), integer({2}, {1, 0})}, {}, "division by zero"},
        BadCase{"gather", {kMatrix, integer({}, {2})}, {{"axis", int64_t{0}}}, "index 2"},
        BadCase{"embedding", {integer({1}, {2}), real({2, 1}, {1, 2})}, {}, "id 2"}));

// Counts what it sees, and keeps the scores.
class Recorder : public Observer {
 public:
  void observe(const Value& value, const Array& array) override {
    EXPECT_TRUE(value.type() == array.type());
    ++values;
  }
  void observeScores(const Op&, const Array& array) override { scores = array.reals; }
  int values = 0;
  std::vector<double> scores;
};

TEST(InterpreterTest, ObserverSeesEveryValueAndTheScores) {
  registerAllDialects();
  Module module;
  module.constants().addOwned<float>("w", {1, 1}, {3});
  Function* function = module.addFunction("main");
  Builder builder(&function->body());
  Value* x = function->body().addArgument(Type::tensor(Element::kFloat, {2, 1}), "x");
  Value* w = builder.value("tensor.constant", {}, Type::tensor(Element::kFloat, {1, 1}),
                           {{"value", Symbol{"w"}}});
  Value* q = *create(builder, "tensor.linear", {x, w});
  Value* y = *create(builder, "tensor.attention", {q, x, x},
                     {{"heads", int64_t{1}}, {"scale", 0.5}, {"causal", true}});
  builder.create("tensor.return", {y, q}, {});

  Interpreter interpreter(*function);
  for (int run = 0; run < 2; ++run) {
    Recorder recorder;
    auto results = interpreter.run({real({2, 1}, {1, 2})}, &recorder);
    ASSERT_TRUE(results.ok()) << results.status();
    EXPECT_EQ((*results)[1].reals, (std::vector<double>{3, 6}));
    EXPECT_EQ(recorder.values, 4);
    EXPECT_EQ(recorder.scores, (std::vector<double>{1.5, 3, 3, 6}));
  }
  EXPECT_FALSE(interpreter.run({real({1, 1}, {1})}).ok());
  EXPECT_FALSE(interpreter.run({}).ok());
}

void compareSideBySide(int64_t rows) {
  registerAllDialects();
  constexpr int64_t kIn = 300, kOut = 270;
  auto draw = [seed = 1u](size_t count) mutable {
    std::vector<float> values(count);
    for (float& x : values) x = static_cast<float>((seed = seed * 69069 + 1) >> 8) * 0x1p-20f - 8;
    return values;
  };
  Module module;
  module.constants().addOwned<float>("w", {kIn, kOut}, draw(kIn * kOut));
  Function* function = module.addFunction("main");
  Builder builder(&function->body());
  Value* x = function->body().addArgument(Type::tensor(Element::kFloat, {rows, kIn}), "x");
  Value* w = builder.value("tensor.constant", {}, Type::tensor(Element::kFloat, {kIn, kOut}),
                           {{"value", Symbol{"w"}}});
  Value* y = *create(builder, "tensor.matmul", {x, w});
  Value* z = *create(builder, "tensor.softmax", {y}, {{"axis", int64_t{1}}});
  builder.create("tensor.return", {y, z}, {});

  std::vector<std::vector<Array>> inputs;
  for (int run = 0; run < 3; ++run) {
    const std::vector<float> values = draw(rows * kIn);
    inputs.push_back({real({rows, kIn}, {values.begin(), values.end()})});
  }
  Interpreter interpreter(*function);
  Recorder recorder, other;
  auto together =
      interpreter.runAll({inputs[0], inputs[1], inputs[2]}, {&recorder, &other, &recorder});
  ASSERT_TRUE(together.ok()) << together.status();
  ASSERT_EQ(together->size(), inputs.size());
  EXPECT_EQ(recorder.values, 2 * 4);
  EXPECT_EQ(other.values, 4);
  for (size_t run = 0; run < inputs.size(); ++run) {
    auto alone = interpreter.run(inputs[run]);
    ASSERT_TRUE(alone.ok()) << alone.status();
    for (size_t i = 0; i < alone->size(); ++i)
      EXPECT_EQ((*together)[run][i].reals, (*alone)[i].reals)
          << rows << " rows, " << run << " " << i;
  }
  EXPECT_TRUE(interpreter.runAll({})->empty());
}

TEST(InterpreterTest, RunsSideBySideGiveTheBitsOfRunsAlone) {
  for (int64_t rows : {1, 4, 7, 8, 32}) compareSideBySide(rows);
}

TEST(InterpreterTest, EveryOpHasATypeRuleAndAKernel) {
  registerAllDialects();
  for (const OpDef* def : allOpDefs()) {
    if (def->dialect() != "tensor") continue;
    const bool computed = def->name != "tensor.constant" && def->name != "tensor.return";
    EXPECT_EQ(hasTypeRule(def->name), computed) << def->name.str();
    EXPECT_EQ(findKernel(def->name) != nullptr, computed) << def->name.str();
  }
}

}  // namespace
}  // namespace lindero::ir::tensor
