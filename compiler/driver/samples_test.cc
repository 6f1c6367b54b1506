// Samples of a file: spread over all of it, and said to be some of it.
#include "compiler/driver/samples.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero::compiler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The first elements of the samples that are taken of five runs, and what is noted.
std::vector<double> chosen(int64_t most, std::vector<std::string>& notes) {
  testing::ScratchFolder folder;
  const std::string path =
      folder.write("runs.json", R"({"x": [[0, 9], [1, 9], [2, 9], [3, 9], [4, 9]]})");
  ModelFacts facts;
  facts.inputs.push_back({.name = "x", .integer = false, .shape = {2}});
  runtime::Monitor monitor(nullptr,
                           [&](absl::string_view note) { notes.push_back(std::string(note)); });
  const auto samples = readArraySamples(path, facts, {most, "--samples"}, monitor);
  EXPECT_TRUE(samples.ok()) << samples.status();
  std::vector<double> first;
  for (const passes::Sample& sample : *samples) first.push_back(sample[0].reals[0]);
  return first;
}

TEST(Samples, AreSpreadOverTheFile) {
  std::vector<std::string> notes;
  EXPECT_THAT(chosen(5, notes), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(chosen(9, notes), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_TRUE(notes.empty());
  EXPECT_THAT(chosen(2, notes), ElementsAre(0, 2));
  EXPECT_THAT(notes, ElementsAre(HasSubstr("runs.json, 2 are used; more with --samples")));
}

}  // namespace
}  // namespace lindero::compiler
