// The models of the repository through import and import cleanup: the same numbers before and
// after, and one program for all export styles.

#include "passes/import_cleanup/import_cleanup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "compiler/onnx_import/import.h"
#include "ir/core/text.h"
#include "ir/dialects.h"
#include "ir/tensor/interpreter.h"
#include "passes/import_cleanup/set_length/set_length.h"
#include "passes/pass_manager.h"

namespace lindero {
namespace {

using ir::tensor::Array;
using ::testing::HasSubstr;

struct Model {
  const char* file;
  std::map<std::string, int64_t> dims;
};

void PrintTo(const Model& model, std::ostream* os) { *os << model.file; }

std::unique_ptr<ir::Module> import(const Model& model) {
  ir::registerAllDialects();
  passes::registerAllPasses();
  auto module = compiler::importOnnx(model.file, {.dims = model.dims});
  EXPECT_TRUE(module.ok()) << module.status();
  return module.ok() ? *std::move(module) : nullptr;
}

absl::Status cleanUp(ir::Module& module) {
  passes::PassManager manager({.check_unchanged = true});
  if (absl::Status status = manager.addPipeline(passes::importCleanupPipeline()); !status.ok())
    return status;
  return manager.run(module).status();
}

// Token ids or reals that look like activations; small enough for every vocabulary here.
std::vector<Array> makeInputs(const ir::Function& main) {
  std::vector<Array> inputs;
  for (const auto& argument : main.body().arguments()) {
    Array array = Array::zeros(argument->type().element, argument->type().shape);
    for (size_t i = 0; i < array.integers.size(); ++i) array.integers[i] = (i * 7 + 3) % 13;
    for (size_t i = 0; i < array.reals.size(); ++i)
      array.reals[i] = double((i * 7 + 3) % 13) / 6 - 1;
    inputs.push_back(std::move(array));
  }
  return inputs;
}

class ModelTest : public ::testing::TestWithParam<Model> {};

TEST_P(ModelTest, CleanupKeepsTheNumbers) {
  auto module = import(GetParam());
  ASSERT_NE(module, nullptr);
  ir::Function* main = module->findFunction("main");
  std::vector<Array> inputs = makeInputs(*main);
  auto before = ir::tensor::interpret(*main, inputs);
  ASSERT_TRUE(before.ok()) << before.status();
  const absl::Status status = cleanUp(*module);
  ASSERT_TRUE(status.ok()) << status;
  for (size_t i = 0; i < inputs.size(); ++i)
    inputs[i].shape = main->body().arguments()[i]->type().shape;
  auto after = ir::tensor::interpret(*main, inputs);
  ASSERT_TRUE(after.ok()) << after.status();
  ASSERT_EQ(before->size(), after->size());
  for (size_t k = 0; k < before->size(); ++k) {
    const Array &a = (*before)[k], &b = (*after)[k];
    ASSERT_EQ(a.elements(), b.elements());
    EXPECT_EQ(a.integers, b.integers);
    // Constants that were combined are rounded to f32 once more.
    for (size_t i = 0; i < a.reals.size(); ++i)
      ASSERT_NEAR(a.reals[i], b.reals[i], 1e-5) << "element " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, ModelTest,
    ::testing::Values(Model{"models/toy_gpt.onnx", {}}, Model{"models/char_gpt/char_gpt.onnx", {}},
                      Model{"models/char_gpt/char_gpt_dynamic.onnx", {{"batch", 1}, {"seq", 17}}},
                      Model{"models/char_gpt/char_gpt_dynamo.onnx", {{"batch", 1}, {"seq", 17}}},
                      Model{"models/char_gpt/char_gpt_cached.onnx", {{"batch", 1}, {"seq", 17}}}));

// Without locations, and every constant named by its type and digest instead of its name.
std::string anonymousText(const ir::Module& module) {
  const std::string text = ir::toText(module, {.locations = false});
  std::map<std::string, std::string> digests;
  const std::regex declaration("constant (@\\S+) : (.*)");
  for (std::sregex_iterator it(text.begin(), text.end(), declaration), end; it != end; ++it)
    digests[(*it)[1]] = (*it)[2];
  std::string result;
  const std::regex use("value = (@[^}]+)");
  const std::string body = text.substr(text.find("func @"));
  size_t last = 0;
  for (std::sregex_iterator it(body.begin(), body.end(), use), end; it != end; ++it) {
    EXPECT_TRUE(digests.contains((*it)[1])) << (*it)[1];
    result += body.substr(last, it->position() - last) + digests[(*it)[1]];
    last = it->position() + it->length();
  }
  return result + body.substr(last);
}

TEST(StylesTest, ExportStylesAreOneProgram) {
  const Model styles[] = {{"models/char_gpt/char_gpt.onnx", {}},
                          {"models/char_gpt/char_gpt_dynamic.onnx", {{"batch", 1}, {"seq", 64}}},
                          {"models/char_gpt/char_gpt_dynamo.onnx", {{"batch", 1}, {"seq", 64}}},
                          {"models/char_gpt/char_gpt_cached.onnx", {{"batch", 1}, {"seq", 64}}}};
  std::vector<std::string> texts;
  for (const Model& style : styles) {
    auto module = import(style);
    ASSERT_NE(module, nullptr);
    const absl::Status status = cleanUp(*module);
    ASSERT_TRUE(status.ok()) << status;
    texts.push_back(anonymousText(*module));
  }
  EXPECT_THAT(texts[0], HasSubstr("sha256:"));
  EXPECT_THAT(texts[0], HasSubstr("tensor.attention"));
  for (const std::string& text : texts) EXPECT_EQ(text, texts[0]);
}

TEST(StylesTest, ALengthIsAnotherProgramWithTheSameWeights) {
  std::vector<std::string> digests[2];
  for (int i : {0, 1}) {
    auto module =
        import({"models/char_gpt/char_gpt_dynamic.onnx", {{"batch", 1}, {"seq", i ? 64 : 20}}});
    ASSERT_NE(module, nullptr);
    ASSERT_TRUE(cleanUp(*module).ok());
    for (const ir::Constant* constant : module->constants().constants()) {
      // Positions are cut to the length; all else is the same.
      if (constant->shape[0] != (i ? 64 : 20)) digests[i].push_back(constant->sha256());
    }
  }
  EXPECT_EQ(digests[0], digests[1]);
}

TEST(StylesTest, SettingALengthIsImportingAtThatLength) {
  auto shorter = import({"models/char_gpt/char_gpt_dynamic.onnx", {{"batch", 1}, {"seq", 17}}});
  auto module = import({"models/char_gpt/char_gpt.onnx", {}});
  ASSERT_TRUE(module && shorter);
  ASSERT_TRUE(cleanUp(*shorter).ok());
  ASSERT_TRUE(cleanUp(*module).ok());
  EXPECT_NE(anonymousText(*module), anonymousText(*shorter));
  passes::PassManager manager;
  manager.add(passes::createSetLength(17));
  ASSERT_TRUE(manager.run(*module).ok());
  EXPECT_EQ(anonymousText(*module), anonymousText(*shorter));
}

}  // namespace
}  // namespace lindero
