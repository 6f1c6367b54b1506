// Small models against onnxruntime: what the importer makes of them, and what import cleanup makes
// of that, computes what runtime/cases.json holds. runtime/make.py made it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "compiler/onnx_import/import.h"
#include "ir/core/text.h"
#include "ir/dialects.h"
#include "ir/tensor/interpreter.h"
#include "nlohmann/json.hpp"
#include "passes/import_cleanup/import_cleanup.h"
#include "passes/pass_manager.h"

namespace lindero {
namespace {

using ir::tensor::Array;
using Json = nlohmann::json;

constexpr char kFolder[] = "tests/onnx_node/runtime/";

const Json& allCases() {
  static const auto* cases =
      new Json(Json::parse(std::ifstream(std::string(kFolder) + "cases.json")));
  return *cases;
}

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const auto& entry : allCases().items()) list.push_back(entry.key());
  return list;
}

// Single precision adds up a few roundings, half precision larger ones.
void expectOutput(const std::vector<double>& got, const std::vector<double>& expected,
                  double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  double largest = 0;
  for (double y : expected) largest = std::max(largest, std::abs(y));
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], tolerance * largest) << "element " << i;
}

void expectOutputs(const ir::Function& main, const Json& example) {
  std::vector<Array> inputs;
  for (const auto& argument : main.body().arguments()) {
    const Json& values = example["inputs"][argument->name().str()];
    const ir::Type& type = argument->type();
    inputs.push_back(type.element == ir::Element::kInt
                         ? Array::integer(type.shape, values.get<std::vector<int64_t>>())
                         : Array::real(type.shape, values.get<std::vector<double>>()));
  }
  auto results = ir::tensor::interpret(main, inputs);
  ASSERT_TRUE(results.ok()) << results.status();
  const auto& names = std::get<std::vector<std::string>>(*main.body().terminator()->find("names"));
  ASSERT_EQ(names.size(), example["outputs"].size());
  for (size_t i = 0; i < names.size(); ++i) {
    SCOPED_TRACE(names[i]);
    const Array& result = (*results)[i];
    const std::vector<double> integers(result.integers.begin(), result.integers.end());
    expectOutput(result.isReal() ? result.reals : integers, example["outputs"].at(names[i]),
                 example["tolerance"].get<double>());
  }
}

class RuntimeTest : public ::testing::TestWithParam<std::string> {};

TEST_P(RuntimeTest, AgreesBeforeAndAfterCleanup) {
  ir::registerAllDialects();
  passes::registerAllPasses();
  const Json& example = allCases()[GetParam()];
  auto module = compiler::importOnnx(kFolder + GetParam() + ".onnx");
  ASSERT_TRUE(module.ok()) << module.status();
  expectOutputs(*(*module)->findFunction("main"), example);
  if (HasFatalFailure()) return;
  // Whatever the last pass says of the result, what was rewritten must be equal.
  std::string pipeline = passes::importCleanupPipeline().str();
  const std::string last = ",verify-canonical";
  ASSERT_TRUE(llvm::StringRef(pipeline).ends_with(last));
  passes::PassManager rewrites, verify;
  ASSERT_TRUE(rewrites.addPipeline(llvm::StringRef(pipeline).drop_back(last.size())).ok());
  ASSERT_TRUE(verify.addPipeline("verify-canonical").ok());
  const auto rewritten = rewrites.run(**module);
  ASSERT_TRUE(rewritten.ok()) << rewritten.status();
  expectOutputs(*(*module)->findFunction("main"), example);
  const absl::Status status = verify.run(**module).status();
  EXPECT_EQ(status.ok(), example["canonical"].get<bool>()) << status << ir::toText(**module);
}

INSTANTIATE_TEST_SUITE_P(Models, RuntimeTest, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace lindero
