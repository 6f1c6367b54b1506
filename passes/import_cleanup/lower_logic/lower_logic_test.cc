// lower-logic against the float interpreter: random graphs of integers, truth values and reals have
// the same outputs before and after it, and compute no integer afterwards.

#include "passes/import_cleanup/lower_logic/lower_logic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/text.h"
#include "ir/dialects.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/interpreter.h"
#include "passes/import_cleanup/import_cleanup.h"
#include "passes/pass_manager.h"

namespace lindero {
namespace {

using ir::Element;
using ir::Type;
using ir::Value;
using ir::tensor::Array;

constexpr int64_t kIds = 5;
const llvm::SmallVector<int64_t, 2> kShapes[] = {{2, 3}, {3}, {2, 1}, {1, 3}};

class Maker {
 public:
  Maker(ir::Module& module, uint32_t seed)
      : module_(module),
        random_(seed),
        function_(module.addFunction("main")),
        builder_(&function_->body()) {
    for (const auto& shape : kShapes) {
      argument("mask", Element::kInt, shape);
      Value* ids = argument("ids", Element::kInt, shape);
      argument("x", Element::kFloat, shape);
      // What is looked up has a known range.
      Array table = Array::real({kIds, 1}, {0.5, -1, 2, 3.25, 7});
      op("tensor.embedding", {ids, constant(table)});
    }
  }

  void run(int ops) {
    for (int i = 0; i < ops; ++i) {
      if (Value* value = next()) values_.push_back(value);
    }
    llvm::SmallVector<Value*, 4> outputs(values_.end() - 3, values_.end());
    builder_.create("tensor.return", outputs, {});
  }

 private:
  size_t pick(size_t n) { return random_() % n; }

  Value* argument(const char* name, Element element, llvm::ArrayRef<int64_t> shape) {
    values_.push_back(function_->body().addArgument(
        Type::tensor(element, shape), std::string(name) + std::to_string(values_.size())));
    return values_.back();
  }

  Value* constant(const Array& array) {
    const ir::Constant& added = ir::tensor::writeConstant(module_.constants(), "c", array);
    return builder_.value("tensor.constant", {}, array.type(), {{"value", ir::Symbol{added.name}}});
  }

  Value* constant(Element element) {
    const auto& shape = kShapes[pick(std::size(kShapes))];
    Array array = Array::zeros(element, shape);
    const bool uniform = pick(2) == 0;
    const auto one = static_cast<int64_t>(pick(7)) - 2;
    auto number = [&] { return uniform ? one : static_cast<int64_t>(pick(7)) - 2; };
    for (double& x : array.reals) x = 0.5 * static_cast<double>(number());
    for (int64_t& x : array.integers) x = element == Element::kBool ? number() > 0 : number();
    if (uniform && pick(2)) {
      array.shape.clear();
      array.reals.resize(std::min<size_t>(array.reals.size(), 1));
      array.integers.resize(std::min<size_t>(array.integers.size(), 1));
    }
    return constant(array);
  }

  // A value of that element type, computed or constant; null if none was drawn.
  Value* any(Element element) {
    if (pick(4) == 0) return constant(element);
    for (int i = 0; i < 20; ++i) {
      Value* value = values_[pick(values_.size())];
      if (value->type().element == element) return value;
    }
    return nullptr;
  }

  Value* op(llvm::StringRef name, llvm::ArrayRef<Value*> operands,
            llvm::ArrayRef<ir::NamedAttribute> attributes = {}) {
    if (llvm::is_contained(operands, nullptr)) return nullptr;
    auto value = ir::tensor::create(builder_, name, operands, attributes);
    EXPECT_TRUE(value.ok()) << value.status();
    return *value;
  }

  Value* next() {
    static constexpr llvm::StringLiteral kCompare[] = {"equal", "greater", "greater_or_equal",
                                                       "less", "less_or_equal"};
    static constexpr llvm::StringLiteral kNumbers[] = {"add", "sub", "max", "min", "mul"};
    const Element number = pick(2) ? Element::kInt : Element::kFloat;
    const Element all[] = {Element::kInt, Element::kFloat, Element::kBool};
    auto named = [](llvm::StringRef name) { return "tensor." + name.str(); };
    switch (pick(9)) {
      case 0:
        return op(named(kCompare[pick(5)]), {any(number), any(number)});
      case 1:
        return op(named(kNumbers[pick(5)]), {any(number), any(number)});
      case 2:
        return op(pick(2) ? "tensor.and" : "tensor.or", {any(Element::kBool), any(Element::kBool)});
      case 3:
        return op("tensor.not", {any(Element::kBool)});
      case 4: {
        const Element element = all[pick(3)];
        return op("tensor.where", {any(Element::kBool), any(element), any(element)});
      }
      case 5: {
        const char* to[] = {"int", "float", "bool"};
        return op("tensor.cast", {any(all[pick(3)])}, {{"to", std::string(to[pick(3)])}});
      }
      case 6:
        return op("tensor.neg", {any(number)});
      case 7: {
        Value* value = any(number);
        if (value == nullptr || value->type().shape.empty()) return nullptr;
        static constexpr llvm::StringLiteral kReduce[] = {"reduce_sum", "reduce_max", "reduce_min"};
        const auto axis = static_cast<int64_t>(value->type().shape.size()) - 1;
        return op(named(kReduce[pick(3)]), {value},
                  {{"axes", std::vector<int64_t>{axis}}, {"keepdims", true}});
      }
      default: {
        Value* value = any(all[pick(3)]);
        if (value == nullptr || value->type().shape.size() != 2) return nullptr;
        return op("tensor.transpose",
                  {op("tensor.transpose", {value}, {{"perm", std::vector<int64_t>{1, 0}}})},
                  {{"perm", std::vector<int64_t>{1, 0}}});
      }
    }
  }

  ir::Module& module_;
  std::mt19937 random_;
  ir::Function* function_;
  ir::Builder builder_;
  std::vector<Value*> values_;
};

std::vector<Array> inputs(const ir::Function& main, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Array> all;
  for (const auto& argument : main.body().arguments()) {
    Array array = Array::zeros(argument->type().element, argument->type().shape);
    const bool mask = argument->name().starts_with("mask");
    for (int64_t& x : array.integers) x = random() % (mask ? 2 : kIds);
    for (double& x : array.reals) x = 0.25 * (static_cast<double>(random() % 33) - 16);
    all.push_back(std::move(array));
  }
  return all;
}

std::vector<double> realsOf(const Array& array) {
  if (array.isReal()) return array.reals;
  return {array.integers.begin(), array.integers.end()};
}

TEST(LowerLogic, RandomGraphsKeepTheirOutputs) {
  ir::registerAllDialects();
  int lowered = 0;
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    ir::Module module;
    Maker(module, seed).run(12);
    const std::string before = ir::toText(module);
    std::vector<std::vector<Array>> expected;
    for (uint32_t run = 0; run < 4; ++run) {
      const ir::Function& main = **module.functions().begin();
      auto outputs = ir::tensor::interpret(main, inputs(main, run));
      ASSERT_TRUE(outputs.ok()) << outputs.status() << before;
      expected.push_back(*std::move(outputs));
    }
    passes::PassManager manager({.check_unchanged = true});
    manager.add(passes::createLowerLogic());
    ASSERT_TRUE(manager.run(module).status().ok()) << before;
    const ir::Function& main = **module.functions().begin();
    bool whole = true;
    for (const ir::Op& op : main.body().ops()) {
      whole &= op.numResults() == 0 || op.is("tensor.constant") ||
               op.result()->type().element == Element::kFloat;
    }
    lowered += whole;
    for (uint32_t run = 0; run < 4; ++run) {
      auto outputs = ir::tensor::interpret(main, inputs(main, run));
      ASSERT_TRUE(outputs.ok()) << outputs.status() << ir::toText(module);
      for (size_t i = 0; i < outputs->size(); ++i) {
        ASSERT_EQ((*outputs)[i].shape, expected[run][i].shape);
        ASSERT_THAT(realsOf((*outputs)[i]),
                    ::testing::Pointwise(::testing::DoubleNear(1e-9), realsOf(expected[run][i])))
            << "seed " << seed << ", output " << i << "\n"
            << before << ir::toText(module);
      }
    }
  }
  EXPECT_GT(lowered, 1800);  // what remains has numbers that may be too large
}

// What is asked for NaN stays, so that a run in which it has no value is refused.
TEST(LowerLogic, WhatMayBeNaNIsStillComputed) {
  ir::registerAllDialects();
  constexpr char kText[] = R"(
constant @seven : f32[] = [7]
func @main(%x: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %seven = tensor.constant {value = @seven} : tensor<f32>
  %0 = tensor.sqrt(%x) : tensor<3xf32>
  %1 = tensor.is_nan(%0) : tensor<3xi1>
  %2 = tensor.where(%1, %seven, %x) : tensor<3xf32>
  %3 = tensor.where(%1, %seven, %0) : tensor<3xf32>
  tensor.return(%2, %3)
}
)";
  auto module = ir::parse(kText);
  ASSERT_TRUE(module.ok()) << module.status();
  passes::PassManager manager({.check_unchanged = true});
  manager.add(passes::createLowerLogic());
  ASSERT_TRUE(manager.run(**module).status().ok());
  const ir::Function& main = **(*module)->functions().begin();
  const ir::Op* end = main.body().terminator();
  EXPECT_EQ(end->operand(1)->definingOp()->name(), "tensor.sqrt");
  std::vector<const Value*> left = {end->operand(0)};
  bool found = false;
  while (!left.empty() && !found) {
    const ir::Op* op = left.back()->definingOp();
    left.pop_back();
    if (op == nullptr) continue;
    found = op->is("tensor.sqrt");
    left.insert(left.end(), op->operands().begin(), op->operands().end());
  }
  EXPECT_TRUE(found) << ir::toText(**module);
}

// As ONNX computes it: 0.7 of single precision times 10 is 7, rounded, and less than 7 exactly.
TEST(LowerLogic, TablesAreOfSinglePrecision) {
  ir::registerAllDialects();
  constexpr char kText[] = R"(
constant @part : f32[] = [0.7]
func @main(%ids: tensor<16xi64>) -> (tensor<16xf32>) {
  %part = tensor.constant {value = @part} : tensor<f32>
  %0 = tensor.cast(%ids) {to = "float"} : tensor<16xf32>
  %1 = tensor.mul(%0, %part) : tensor<16xf32>
  %2 = tensor.floor(%1) : tensor<16xf32>
  tensor.return(%2)
}
)";
  auto module = ir::parse(kText);
  ASSERT_TRUE(module.ok()) << module.status();
  std::vector<int64_t> ids;
  std::vector<double> expected;
  for (int i = 0; i < 16; ++i) {
    ids.push_back(i);
    expected.push_back(std::floor(static_cast<float>(i) * 0.7F));
  }
  ASSERT_EQ(expected[10], 7);
  const Array input = Array::integer({16}, ids);
  for (bool lowered : {false, true}) {
    const ir::Function& main = **(*module)->functions().begin();
    auto outputs = ir::tensor::interpret(main, {input});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ((*outputs)[0].reals, expected) << ir::toText(**module);
    if (lowered) break;
    passes::PassManager manager({.check_unchanged = true});
    manager.add(passes::createLowerLogic());
    ASSERT_TRUE(manager.run(**module).status().ok());
    EXPECT_EQ(ir::toText(**module).find("tensor.floor"), std::string::npos);
  }
}

// What is no number for some inputs counts where it is chosen for none of them.
TEST(LowerLogic, TablesOfChoicesMayPassByInfinity) {
  ir::registerAllDialects();
  constexpr char kText[] = R"(
constant @one : f32[] = [1]
func @main(%ids: tensor<16xi64>) -> (tensor<16xf32>) {
  %one = tensor.constant {value = @one} : tensor<f32>
  %0 = tensor.cast(%ids) {to = "float"} : tensor<16xf32>
  %1 = tensor.log(%0) : tensor<16xf32>
  %2 = tensor.max(%1, %one) : tensor<16xf32>
  tensor.return(%2)
}
)";
  auto module = ir::parse(kText);
  ASSERT_TRUE(module.ok()) << module.status();
  passes::PassManager manager({.check_unchanged = true});
  manager.add(passes::createLowerLogic());
  ASSERT_TRUE(manager.run(**module).status().ok());
  const std::string text = ir::toText(**module);
  EXPECT_NE(text.find("tensor.embedding"), std::string::npos);
  EXPECT_EQ(text.find("tensor.log"), std::string::npos) << text;
}

// How the clean-up refuses the program.
std::string refusalOf(const char* text) {
  ir::registerAllDialects();
  passes::registerAllPasses();
  auto module = ir::parse(text);
  EXPECT_TRUE(module.ok()) << module.status();
  if (!module.ok()) return "";
  passes::PassManager manager({.check_unchanged = true});
  EXPECT_TRUE(manager.addPipeline(passes::importCleanupPipeline()).ok());
  const absl::Status refused = manager.run(**module).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnimplemented) << refused;
  return std::string(refused.message());
}

TEST(LowerLogic, IntegersBeyondTheRangeAreRefusedByNode) {
  EXPECT_THAT(refusalOf(R"(
constant @numbers : i64[2] = [1, 16384]
func @main(%a: tensor<4xi64>, %b: tensor<4xi64>) -> tensor<4xi64> {
  %numbers = tensor.constant {value = @numbers} : tensor<2xi64>
  %0 = tensor.gather(%numbers, %a) {axis = 0} : tensor<4xi64> loc("/Gather")
  %1 = tensor.gather(%numbers, %b) {axis = 0} : tensor<4xi64> loc("/Gather_1")
  %2 = tensor.mul(%0, %1) : tensor<4xi64> loc("/Mul")
  tensor.return(%2) {names = ["y"]}
}
)"),
              ::testing::AllOf(::testing::HasSubstr("/Mul"), ::testing::HasSubstr("2^26")));
}

// The places of the largest of integers that have no exact form.
TEST(LowerLogic, PlacesOfUnknownIntegersAreRefusedByNode) {
  EXPECT_THAT(refusalOf(R"(
func @main(%x: tensor<2x6xf32>) -> tensor<2x2xi64> {
  %0 = tensor.cast(%x) {to = "int"} : tensor<2x6xi64> loc("/Cast")
  %1 = tensor.argmax(%0) {axis = 1, keepdims = true} : tensor<2x1xi64> loc("/ArgMax")
  %2 = tensor.concat(%1, %1) {axis = 1} : tensor<2x2xi64> loc("/Concat")
  tensor.return(%2) {names = ["y"]}
}
)"),
              ::testing::HasSubstr("/Cast"));
}

// What a choice gives is one of the two as it is, where a comparison looks for it.
TEST(LowerLogic, ChoicesThatAreComparedAreExact) {
  ir::registerAllDialects();
  constexpr char kText[] = R"(
constant @part : f32[] = [0.3]
func @main(%a: tensor<64xf32>, %x: tensor<64xf32>) -> tensor<64xf32> {
  %part = tensor.constant {value = @part} : tensor<f32>
  %0 = tensor.greater(%a, %x) : tensor<64xi1>
  %1 = tensor.mul(%x, %part) : tensor<64xf32>
  %2 = tensor.where(%0, %a, %1) : tensor<64xf32>
  %3 = tensor.greater_or_equal(%2, %a) : tensor<64xi1>
  %4 = tensor.where(%3, %x, %1) : tensor<64xf32>
  tensor.return(%4)
}
)";
  auto module = ir::parse(kText);
  ASSERT_TRUE(module.ok()) << module.status();
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  Array a = Array::zeros(ir::Element::kFloat, {64}), x = a;
  for (Array* array : {&a, &x})
    for (double& element : array->reals) element = normal(random);
  auto outputs = [&] { return *ir::tensor::interpret(**(*module)->functions().begin(), {a, x}); };
  const std::vector<double> expected = outputs()[0].reals;
  passes::PassManager manager({.check_unchanged = true});
  manager.add(passes::createLowerLogic());
  ASSERT_TRUE(manager.run(**module).status().ok());
  EXPECT_EQ(ir::toText(**module).find("tensor.where"), std::string::npos);
  const std::vector<double> lowered = outputs()[0].reals;
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(lowered[i], expected[i], 1e-12) << i;
}

// The distance to the greatest one of a row is zero where it is.
TEST(LowerLogic, DistancesToExtremesAreExact) {
  ir::registerAllDialects();
  constexpr char kText[] = R"(
constant @zero : f32[] = [0]
func @main(%a: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %zero = tensor.constant {value = @zero} : tensor<f32>
  %0 = tensor.reduce_max(%a) {axes = [1], keepdims = true} : tensor<4x1xf32>
  %1 = tensor.sub(%a, %0) : tensor<4x16xf32>
  %2 = )";
  for (const char* chosen :
       {"tensor.greater_or_equal(%1, %zero) : tensor<4x16xi1>\n"
        "  %3 = tensor.cast(%2) {to = \"float\"} : tensor<4x16xf32>\n  tensor.return(%3)\n}\n",
        "tensor.activation(%1) {function = \"where(equal(x, 0.0), 1.0, 0.0)\"} : "
        "tensor<4x16xf32>\n  tensor.return(%2)\n}\n",
        "tensor.activation(%1) {function = \"add(sign(x), 1.0)\"} : tensor<4x16xf32>\n"
        "  tensor.return(%2)\n}\n"}) {
    auto module = ir::parse(absl::StrCat(kText, chosen));
    ASSERT_TRUE(module.ok()) << module.status();
    passes::PassManager manager({.check_unchanged = true});
    manager.add(passes::createLowerLogic());
    ASSERT_TRUE(manager.run(**module).status().ok());
    std::mt19937 random(11);
    std::normal_distribution<double> normal;
    for (int round = 0; round < 20; ++round) {
      Array a = Array::zeros(ir::Element::kFloat, {4, 16});
      for (double& element : a.reals) element = normal(random);
      const auto outputs = ir::tensor::interpret(**(*module)->functions().begin(), {a});
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      double hits = 0;
      for (double element : (*outputs)[0].reals) hits += element;
      EXPECT_EQ(hits, 4);
    }
  }
}

}  // namespace
}  // namespace lindero
