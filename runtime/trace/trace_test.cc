#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "runtime/field/m31.h"
#include "runtime/package/files.h"
#include "runtime/package/mapped_file.h"
#include "runtime/package/statement.h"
#include "runtime/trace/generate_trace.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

const std::vector<int64_t> kInputs = {1, -2, 3, 50, -20, 0, 17, 7};

class TraceTest : public ::testing::Test {
 protected:
  void SetUp() override { folder_ = testing::freshFolder(); }

  std::unique_ptr<Package> package(const testing::Sample& sample) {
    std::string path = folder_ + "/model.lindero";
    EXPECT_TRUE(testing::writeSample(sample, path).ok());
    auto package = Package::open(path);
    EXPECT_TRUE(package.ok()) << package.status();
    return std::make_unique<Package>(*std::move(package));
  }

  // The error of a run that must fail, which also leaves no file behind.
  std::string failure(const testing::Sample& sample, const Statement& inputs) {
    std::unique_ptr<Package> opened = package(sample);
    auto statement = generateTrace(*opened, inputs, folder_ + "/trace.bin");
    EXPECT_FALSE(statement.ok());
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
    return std::string(statement.status().message());
  }

  std::string folder_;
};

TEST_F(TraceTest, RunsWithoutAWitness) {
  std::unique_ptr<Package> opened = package(testing::linearSample());
  auto statement = runProgram(*opened, testing::linearInputs(kInputs));
  ASSERT_TRUE(statement.ok()) << statement.status();
  EXPECT_TRUE(checkStatement(opened->circuit(), *statement).ok());
  EXPECT_THAT(findValues(*statement, "y")->values(),
              ElementsAreArray(testing::linearOutput(kInputs)));
}

TEST_F(TraceTest, EndsAfterTheStepInWhichItIsCancelled) {
  std::unique_ptr<Package> opened = package(testing::linearSample());
  int steps = 0;
  TraceOptions options;
  options.cancelled = [&] { return ++steps == 2; };
  auto statement =
      generateTrace(*opened, testing::linearInputs(kInputs), folder_ + "/trace.bin", options);
  EXPECT_EQ(statement.status().code(), absl::StatusCode::kCancelled) << statement.status();
  EXPECT_EQ(steps, 2);
  // The package alone.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(TraceTest, WritesColumnsAndOutputs) {
  std::unique_ptr<Package> opened = package(testing::linearSample());
  std::string path = folder_ + "/trace.bin";
  std::vector<int> progress;
  TraceOptions options;
  options.progress = [&](int done, int total) {
    EXPECT_EQ(total, 6);
    progress.push_back(done);
  };
  auto statement = generateTrace(*opened, testing::linearInputs(kInputs), path, options);
  ASSERT_TRUE(statement.ok()) << statement.status();
  EXPECT_THAT(progress, ElementsAreArray({1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(checkStatement(opened->circuit(), *statement).ok());
  EXPECT_THAT(findValues(*statement, "x")->values(), ElementsAreArray(kInputs));
  EXPECT_THAT(findValues(*statement, "y")->values(),
              ElementsAreArray(testing::linearOutput(kInputs)));

  auto trace = MappedFile::openReadOnly(path);
  ASSERT_TRUE(trace.ok());
  auto column = [&](uint32_t table, uint32_t index) {
    std::vector<int64_t> values;
    for (uint32_t v : opened->traceLayout().column(trace->words(), table, index)) {
      values.push_back(M31::fromCanonical(v).centered());
    }
    return values;
  };
  EXPECT_THAT(column(0, 4), ElementsAreArray({1, 3, -20, 17, -2, 50, 0, 7}));
  EXPECT_THAT(column(0, 5), ElementsAreArray({0, 0, 0, 1, 0, 0, 0, 1}))
      << "both folds are copied once";
  std::vector<int64_t> y = testing::linearOutput(kInputs), q = column(2, 2), r = column(2, 3),
                       counts = column(3, 2);
  int64_t looked_up = 0;
  for (int row = 0; row < 8; ++row) {
    int t = 3 - row / 2, j = row % 2;
    EXPECT_EQ(q[row], y[2 * t + j]);
    int64_t acc = kInputs[2 * t] * testing::kSampleWeights[0][j] +
                  kInputs[2 * t + 1] * testing::kSampleWeights[1][j];
    EXPECT_EQ(4 * q[row] + r[row] - 2, acc);
    EXPECT_GE(counts[q[row] + 128], 1);
    EXPECT_GE(counts[256 + r[row]], 1);
  }
  for (int64_t count : counts) looked_up += count;
  EXPECT_EQ(looked_up, 16);
}

TEST_F(TraceTest, SameBytesForAnyNumberOfThreads) {
  std::unique_ptr<Package> opened = package(testing::linearSample());
  std::string first;
  for (int threads : {1, 2, 7}) {
    TraceOptions options;
    options.threads = threads;
    ASSERT_TRUE(
        generateTrace(*opened, testing::linearInputs(kInputs), folder_ + "/t.bin", options).ok());
    std::string bytes = *readFile(folder_ + "/t.bin", 1 << 20);
    if (first.empty()) first = bytes;
    EXPECT_EQ(bytes, first) << threads;
  }
}

TEST_F(TraceTest, RefusesUnfitInputs) {
  testing::Sample sample = testing::linearSample();
  Statement inputs = testing::linearInputs(kInputs);
  inputs.mutable_tensors(0)->set_values(2, 101);
  EXPECT_THAT(failure(sample, inputs),
              HasSubstr("input \"x\": the value 101 at [1, 0] is outside"));
  inputs.mutable_tensors(0)->set_name("z");
  EXPECT_THAT(failure(sample, inputs), HasSubstr("input \"x\" is missing"));
  inputs = testing::linearInputs(kInputs);
  *inputs.add_tensors() = inputs.tensors(0);
  inputs.mutable_tensors(1)->set_name("y");
  EXPECT_THAT(failure(sample, inputs), HasSubstr("no input \"y\""));
  inputs.mutable_tensors(1)->set_name("x");
  EXPECT_THAT(failure(sample, inputs), HasSubstr("given twice"));
}

TEST_F(TraceTest, NamesTheValueThatLeavesItsRange) {
  testing::Sample sample = testing::linearSample();
  std::vector<int64_t> large = kInputs;
  large[5] = 100;
  // 100 * 7 / 4 = 175 does not fit 8 bits; 3 * -20 + 7 * 100 = 640.
  std::string message = failure(sample, testing::linearInputs(large));
  EXPECT_THAT(message, HasSubstr("node \"/mlp/fc\" (layer0/mlp): requantized value 160 at [0, 4]"));
  EXPECT_THAT(message, HasSubstr("[-128, 127]"));
  // The same with an output that is narrower than the step.
  sample.circuit.mutable_publics(1)->set_high(20);
  EXPECT_THAT(failure(sample, testing::linearInputs(kInputs)),
              HasSubstr("output \"y\": the value"));
}

TEST_F(TraceTest, NamesTheLookupThatFindsNothing) {
  testing::Sample sample = testing::linearSample();
  // The table says that tag 2 has other values than 0, 1, 2, 3.
  for (int r = 0; r < 4; ++r) sample.fixed.back().values[256 + r] = 9;
  ASSERT_EQ(sample.fixed.back().table, 3u);
  std::string message = failure(sample, testing::linearInputs(kInputs));
  EXPECT_THAT(message, HasSubstr("node \"/mlp/fc\" (layer0/mlp/right), row"));
  EXPECT_THAT(message, HasSubstr("of table \"y\": lookup \"r\" of (2, "));
}

TEST_F(TraceTest, RefusesLookupsThatReadMultiplicities) {
  testing::Sample sample = testing::linearSample();
  Node* node = sample.circuit.add_nodes();
  node->set_op(Node::COLUMN);
  node->set_a(0);
  node->set_b(5);
  Lookup* lookup = sample.circuit.mutable_tables(0)->add_lookups();
  lookup->set_name("self");
  lookup->set_bus(1);
  lookup->set_multiplicity(sample.circuit.nodes_size() - 1);
  lookup->add_tuple(0);
  lookup->add_tuple(0);
  // Tuple nodes of other tables are refused earlier; take constants.
  Node* constant = sample.circuit.add_nodes();
  constant->set_a(2);
  lookup->set_tuple(0, sample.circuit.nodes_size() - 1);
  lookup->set_tuple(1, sample.circuit.nodes_size() - 1);
  const absl::Status refused = testing::writeSample(sample, folder_ + "/model.lindero");
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("\"copies\": F20: it holds multiplicities, and a lookup reads it"));
}

TEST_F(TraceTest, ReportsUnwritableFolders) {
  std::unique_ptr<Package> opened = package(testing::linearSample());
  auto statement =
      generateTrace(*opened, testing::linearInputs(kInputs), folder_ + "/none/trace.bin");
  EXPECT_EQ(statement.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(statement.status().message()), HasSubstr("none/trace.bin"));
}

}  // namespace
}  // namespace lindero::runtime
