// fuse-activation against the float interpreter: random elementwise ops with constants chosen to be
// nearly, but not quite, those of a known function, and to tell functions apart far from zero.

#include "passes/import_cleanup/fuse_activation/fuse_activation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ir/core/op_table.h"
#include "ir/core/text.h"
#include "ir/dialects.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/interpreter.h"
#include "passes/pass_manager.h"

namespace lindero {
namespace {

using ir::Value;
using ir::tensor::Array;

constexpr double kConstants[] = {0,   -0.0, 0.5,   1,    1.4142135, 1.4142, 1.41,     1.702,
                                 1.7, 6,    41,    50,   -50,       64,     0.044715, 0.0447,
                                 3,   2,    -1e-3, 1e10, 0.79788,   1e-10};

Array samples() {
  std::vector<double> values;
  for (double x = 1e-3; x < 1e4; x *= 1.7) values.insert(values.end(), {x, -x});
  for (double x : {0.0, 50.0, 50.000001, 41.0, 40.0, -50.0, 6.0, 0.5, 1.0}) values.push_back(x);
  const auto count = static_cast<int64_t>(values.size());
  return Array::real({count}, std::move(values));
}

class Maker {
 public:
  Maker(ir::Module& module, uint32_t seed, int64_t count)
      : module_(module),
        random_(seed),
        function_(module.addFunction("main")),
        builder_(&function_->body()) {
    values_.push_back(
        function_->body().addArgument(ir::Type::tensor(ir::Element::kFloat, {count}), "x"));
  }

  void run(int ops) {
    for (int i = 0; i < ops; ++i) values_.push_back(next());
    builder_.create("tensor.return", {values_.back(), values_[values_.size() - 2]}, {});
  }

 private:
  size_t pick(size_t n) { return random_() % n; }

  Value* op(llvm::StringRef name, llvm::ArrayRef<Value*> operands) {
    auto value = ir::tensor::create(builder_, name, operands);
    EXPECT_TRUE(value.ok()) << value.status();
    return *value;
  }

  // A scalar, or the same number in every element.
  Value* constant() {
    const double number = kConstants[pick(std::size(kConstants))];
    const auto& shape = values_[0]->type().shape;
    Array array = pick(3) ? Array::real({}, {number})
                          : Array::real(shape, std::vector<double>(shape[0], number));
    const ir::Constant& added = ir::tensor::writeConstant(module_.constants(), "c", array);
    return builder_.value("tensor.constant", {}, array.type(), {{"value", ir::Symbol{added.name}}});
  }

  Value* any() {
    if (pick(2)) return constant();
    return values_[values_.size() - 1 - pick(std::min<size_t>(values_.size(), 4))];
  }

  Value* next() {
    static constexpr llvm::StringLiteral kUnary[] = {"abs",  "neg",     "erf",  "tanh",  "relu",
                                                     "sign", "sigmoid", "sqrt", "floor", "round"};
    static constexpr llvm::StringLiteral kBinary[] = {"add", "sub", "mul", "div", "min", "max"};
    static constexpr llvm::StringLiteral kCompare[] = {"less", "less_or_equal", "greater",
                                                       "greater_or_equal", "equal"};
    Value* last = values_.back();
    switch (pick(4)) {
      case 0:
        return op("tensor." + kUnary[pick(std::size(kUnary))].str(), {last});
      case 1: {
        Value* condition = op("tensor." + kCompare[pick(std::size(kCompare))].str(), {last, any()});
        return op("tensor.where", {condition, any(), last});
      }
      default:
        return op("tensor." + kBinary[pick(std::size(kBinary))].str(), {last, any()});
    }
  }

  ir::Module& module_;
  std::mt19937 random_;
  ir::Function* function_;
  ir::Builder builder_;
  std::vector<Value*> values_;
};

// Sums and products in another order: a few roundings, of terms that may be larger than the sum.
bool same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b)) ||
         std::abs(a - b) <= 1e-9 * std::max({1.0, std::abs(a), std::abs(b)});
}

TEST(FuseActivation, ComputesWhatTheOpsDid) {
  ir::registerAllDialects();
  const Array x = samples();
  int fused = 0, compared = 0;
  for (uint32_t seed = 0; seed < 600; ++seed) {
    ir::Module module;
    Maker(module, seed, x.elements()).run(6);
    const std::string before = ir::toText(module);
    const ir::Function& main = *module.findFunction("main");
    auto expected = ir::tensor::interpret(main, x);
    ASSERT_TRUE(expected.ok()) << expected.status();
    passes::PassManager manager({.check_unchanged = true});
    manager.add(passes::createFuseActivation());
    ASSERT_TRUE(manager.run(module).ok());
    auto actual = ir::tensor::interpret(main, x);
    ASSERT_TRUE(actual.ok()) << actual.status();
    for (const ir::Op& op : main.body().ops()) fused += op.is("tensor.activation");
    for (size_t k = 0; k < 2; ++k) {
      for (size_t i = 0; i < x.reals.size(); ++i) {
        // Where double precision itself is at a loss (1e10 + x - 1e10), order matters.
        const double a = (*expected)[k].reals[i], b = (*actual)[k].reals[i];
        if (before.find("10000000000") != std::string::npos) continue;
        ++compared;
        ASSERT_TRUE(same(a, b)) << a << " became " << b << " at " << x.reals[i] << "\n"
                                << before << ir::toText(module);
      }
    }
  }
  EXPECT_GT(fused, 500);
  EXPECT_GT(compared, 20000);
}

}  // namespace
}  // namespace lindero
