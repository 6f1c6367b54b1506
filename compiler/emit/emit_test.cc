// From a hand-written integer program to a package on disk that the runtime accepts.
#include "compiler/emit/emit.h"

#include <filesystem>

#include "compiler/emit/report.h"
#include "gtest/gtest.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "passes/lower_air/lower_sums/lower_sums.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/lower_air/verify_air/verify_air.h"
#include "passes/lower_air/verify_intervals/verify_intervals.h"
#include "runtime/package/package.h"

namespace lindero::compiler {
namespace {

using ir::Symbol;
using ir::Type;
using ir::Value;

class EmitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ir::registerAllDialects();
    function_ = module_.addFunction("main");
    builder_.emplace(&function_->body());
  }

  template <typename Generate>
  Value* constant(const char* name, std::vector<int64_t> shape, int exponent, int64_t limit,
                  Generate generate) {
    int64_t size = 1;
    for (int64_t n : shape) size *= n;
    std::vector<int64_t> values;
    for (int64_t i = 0; i < size; ++i) values.push_back(generate(i));
    module_.constants().addOwned<int64_t>(name, shape, values);
    return builder_->value("integer.constant", {}, Type::fixed(shape, exponent, -limit, limit),
                           {{"value", Symbol{name}}});
  }

  // x [4, 8] -> linear -> relu by lookup -> linear [4, 6]
  void makePerceptron() {
    Value* x = function_->body().addArgument(Type::fixed({4, 8}, 7, -128, 127), "x");
    Value* w0 = constant("w0", {8, 8}, 7, 100, [](int64_t i) { return i * 37 % 201 - 100; });
    Value* b0 = constant("b0", {8}, 14, 100, [](int64_t i) { return i * 11 - 50; });
    Value* relu = constant("relu", {256}, 7, 127, [](int64_t i) { return i < 128 ? 0 : i - 128; });
    Value* w1 = constant("w1", {8, 6}, 7, 100, [](int64_t i) { return i * 53 % 201 - 100; });
    builder_->setLocation({"/fc1/MatMul"});
    Value* a =
        builder_->value("integer.linear", {x, w0, b0}, Type::fixed({4, 8}, 14, -110000, 110000));
    builder_->setLocation({"/act/Relu"});
    Value* h = builder_->value(
        "integer.lookup", {a, relu}, Type::fixed({4, 8}, 7, -127, 127),
        {{"shift", int64_t{10}}, {"bits", int64_t{8}}, {"function", std::string("relu")}});
    builder_->setLocation({"/fc2/MatMul"});
    Value* y = builder_->value("integer.linear", {h, w1}, Type::fixed({4, 6}, 14, -110000, 110000));
    builder_->create("integer.return", {y}, {}, {{"names", std::vector<std::string>{"y"}}});
  }

  void lower() {
    ASSERT_EQ(ir::verify(module_), absl::OkStatus());
    for (auto create :
         {+[] { return passes::createLowerToAir(); },
          +[] { return passes::createVerifyIntervals(); },
          +[] { return passes::createLowerSums(); }, +[] { return passes::createVerifyAir(); }}) {
      auto pass = create();
      ASSERT_EQ(pass->run(module_).status(), absl::OkStatus());
      ASSERT_EQ(ir::verify(module_), absl::OkStatus());
    }
  }

  ir::Module module_;
  ir::Function* function_ = nullptr;
  std::optional<ir::Builder> builder_;
};

TEST_F(EmitTest, PackageOfAPerceptronOpens) {
  makePerceptron();
  lower();
  std::string path = (std::filesystem::path(::testing::TempDir()) / "perceptron.lindero").string();
  ASSERT_EQ(emitPackage(module_, path, {{"report.json", "{}\n"}}), absl::OkStatus());
  auto package = runtime::Package::open(path);
  ASSERT_EQ(package.status(), absl::OkStatus());
  EXPECT_EQ(package->checkFixedValues(), absl::OkStatus());
  EXPECT_EQ(package->circuit().publics_size(), 2);
  std::filesystem::remove_all(path);
}

TEST_F(EmitTest, ReportCountsEveryCellOnce) {
  makePerceptron();
  lower();
  auto circuit = makeCircuit(module_);
  ASSERT_EQ(circuit.status(), absl::OkStatus());
  CostReport report = costReport(*circuit);
  int64_t online = 0;
  for (const Table& t : circuit->tables()) {
    for (const Column& c : t.columns()) {
      if (c.phase() > 0) online += (int64_t{c.phase() > 1 ? 4 : 1}) << t.log_height();
    }
  }
  EXPECT_EQ(report.online, online);
  int64_t shares = 0;
  for (const Share& s : report.regions) shares += s.cells;
  EXPECT_EQ(shares + report.padding, online);
}

}  // namespace
}  // namespace lindero::compiler
