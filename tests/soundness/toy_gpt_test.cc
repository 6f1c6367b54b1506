// The honest trace of a toy GPT is accepted, and a changed cell is rejected, in every witness
// column of every table.
#include "tests/soundness/toy_gpt.h"

#include <filesystem>

#include "compiler/emit/emit.h"
#include "gtest/gtest.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "passes/lower_air/lower_sums/lower_sums.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/lower_air/verify_air/verify_air.h"
#include "runtime/check/checker.h"
#include "runtime/trace/generate_trace.h"

namespace lindero::test {
namespace {

constexpr uint32_t kModulus = (uint32_t{1} << 31) - 1;

class ToyGptTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ir::registerAllDialects();
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
    ir::Module module;
    ASSERT_EQ(makeToyGpt(module), absl::OkStatus());
    ASSERT_EQ(ir::verify(module), absl::OkStatus());
    ASSERT_EQ(passes::createLowerToAir()->run(module).status(), absl::OkStatus());
    ASSERT_EQ(passes::createLowerSums()->run(module).status(), absl::OkStatus());
    ASSERT_EQ(passes::createVerifyAir()->run(module).status(), absl::OkStatus());
    ASSERT_EQ(ir::verify(module), absl::OkStatus());
    std::string path = (folder_ / "toy.lindero").string();
    ASSERT_EQ(compiler::emitPackage(module, path), absl::OkStatus());
    auto package = runtime::Package::open(path);
    ASSERT_EQ(package.status(), absl::OkStatus());
    package_ = std::make_unique<runtime::Package>(*std::move(package));
    trace();
  }

  void TearDown() override { std::filesystem::remove_all(folder_); }

  void trace() {
    Statement inputs;
    inputs.set_format(1);
    PublicValues* ids = inputs.add_tensors();
    ids->set_name("input_ids");
    ids->set_rows(kToyTokens);
    ids->set_columns(1);
    for (int64_t i = 0; i < kToyTokens; ++i) ids->add_values((i * 7 + 3) % kToyVocabulary);
    std::string path = (folder_ / "trace.bin").string();
    auto statement = runtime::generateTrace(*package_, inputs, path);
    ASSERT_EQ(statement.status(), absl::OkStatus());
    statement_ = *statement;
    auto file = runtime::MappedFile::openReadOnly(path);
    ASSERT_EQ(file.status(), absl::OkStatus());
    cells_.assign(file->words().begin(), file->words().end());
  }

  bool accepted(const Statement& statement) {
    auto checker = runtime::Checker::create(*package_, statement, cells_);
    EXPECT_EQ(checker.status(), absl::OkStatus());
    auto report = (*checker)->check();
    EXPECT_EQ(report.status(), absl::OkStatus());
    return report->ok();
  }

  std::filesystem::path folder_;
  std::unique_ptr<runtime::Package> package_;
  Statement statement_;
  std::vector<uint32_t> cells_;
};

TEST_F(ToyGptTest, HonestTraceIsAccepted) { EXPECT_TRUE(accepted(statement_)); }

TEST_F(ToyGptTest, AnotherOutputIsRejected) {
  Statement forged = statement_;
  for (PublicValues& tensor : *forged.mutable_tensors()) {
    if (tensor.kind() == PublicValues::OUTPUT) {
      tensor.set_values(0, (tensor.values(0) + 1) % kToyVocabulary);
    }
  }
  EXPECT_FALSE(accepted(forged));
}

TEST_F(ToyGptTest, AnotherInputIsRejected) {
  Statement forged = statement_;
  for (PublicValues& tensor : *forged.mutable_tensors()) {
    if (tensor.kind() == PublicValues::INPUT) {
      tensor.set_values(1, (tensor.values(1) + 1) % kToyVocabulary);
    }
  }
  EXPECT_FALSE(accepted(forged));
}

TEST_F(ToyGptTest, AChangedCellIsRejectedInEveryColumn) {
  const Circuit& circuit = package_->circuit();
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    // Lookup tables have no instances: their first rows are in use.
    uint64_t row = 1;
    if (table.instances_size() > 0) {
      const Instance& instance = table.instances(table.instances_size() - 1);
      row = instance.first_row() + instance.rows() - 1;
    }
    for (int c = 0; c < table.columns_size(); ++c) {
      if (table.columns(c).phase() != 1) continue;
      uint32_t& cell = cells_[package_->traceLayout().offset(t, c) + row];
      uint32_t honest = cell;
      cell = (cell + 1) % kModulus;
      EXPECT_FALSE(accepted(statement_))
          << table.name() << "." << table.columns(c).name() << " row " << row;
      cell = honest;
    }
  }
}

}  // namespace
}  // namespace lindero::test
