// The incremental re-check finds what the full checker finds, for random mutations.
#include "runtime/check/recheck.h"

#include <chrono>
#include <random>
#include <set>

#include "gtest/gtest.h"
#include "runtime/check/checker.h"
#include "tests/soundness/toy_run.h"

namespace lindero::test {
namespace {

using runtime::CellChange;
using runtime::Failure;
using runtime::Finding;
using Name = std::tuple<Failure::Kind, std::string, std::string>;

// A bus has no table: which lookup tells is a matter of taste.
Name nameOf(const Failure& failure) {
  bool bus = failure.kind == Failure::Kind::kBus;
  return {failure.kind, bus ? "" : failure.table, failure.name};
}

class RecheckTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    auto run = ToyRun::create({.logits = GetParam()});
    ASSERT_EQ(run.status(), absl::OkStatus());
    run_ = *std::move(run);
    auto recheck = runtime::Recheck::create(run_->package(), run_->statement(), run_->cells());
    ASSERT_EQ(recheck.status(), absl::OkStatus());
    recheck_ = *std::move(recheck);
    for (int t = 0; t < run_->circuit().tables_size(); ++t) {
      const Table& table = run_->circuit().tables(t);
      for (int c = 0; c < table.columns_size(); ++c) {
        if (table.columns(c).phase() == 1) {
          columns_.push_back({static_cast<uint32_t>(t), static_cast<uint32_t>(c)});
        }
      }
    }
  }

  CellChange randomChange() {
    auto [t, c] = columns_[random_() % columns_.size()];
    const Table& table = run_->circuit().tables(static_cast<int>(t));
    uint64_t row = random_() % runtime::tableHeight(table);
    if (table.instances_size() > 0 && random_() % 4 != 0) {
      const Instance& last = table.instances(table.instances_size() - 1);
      row = random_() % (last.first_row() + last.rows());
    }
    uint32_t honest = recheck_->main()[run_->package().traceLayout().offset(t, c) + row];
    uint32_t value = random_() % 3 == 0   ? random_() % runtime::kModulus
                     : random_() % 2 == 0 ? (honest + 1) % runtime::kModulus
                                          : (honest + runtime::kModulus - 1) % runtime::kModulus;
    return {t, c, row, value};
  }

  std::set<Name> fullCheck(const std::vector<CellChange>& changes) {
    std::vector<uint32_t> cells = run_->cells();
    for (const CellChange& c : changes) {
      cells[run_->package().traceLayout().offset(c.table, c.column) + c.row] = c.value;
    }
    runtime::CheckOptions options;
    options.max_failures = 1000;
    auto checker = runtime::Checker::create(run_->package(), run_->statement(), cells, options);
    EXPECT_EQ(checker.status(), absl::OkStatus());
    auto report = (*checker)->check();
    EXPECT_EQ(report.status(), absl::OkStatus());
    std::set<Name> names;
    for (const Failure& failure : report->failures) names.insert(nameOf(failure));
    return names;
  }

  std::unique_ptr<ToyRun> run_;
  std::unique_ptr<runtime::Recheck> recheck_;
  std::vector<std::pair<uint32_t, uint32_t>> columns_;
  std::mt19937_64 random_{7};
};

TEST_P(RecheckTest, NoChangeIsAccepted) {
  EXPECT_TRUE(recheck_->check({}).empty());
  CellChange same = randomChange();
  same.value =
      recheck_->main()[run_->package().traceLayout().offset(same.table, same.column) + same.row];
  EXPECT_TRUE(recheck_->check({same}).empty());
}

TEST_P(RecheckTest, AgreesWithTheFullCheckerOnRandomMutations) {
  int accepted = 0, with_multiplicities = 0;
  for (int i = 0; i < 50; ++i) {
    std::vector<CellChange> changes;
    for (uint64_t n = random_() % 3 == 0 ? 1 + random_() % 6 : 1; n > 0; --n) {
      changes.push_back(randomChange());
    }
    if (random_() % 2 == 0) {
      size_t before = changes.size();
      changes = recheck_->withMultiplicities(changes);
      with_multiplicities += changes.size() > before;
    }
    std::set<Name> found;
    for (const Finding& finding : recheck_->check(changes)) {
      found.insert(nameOf(recheck_->describe(finding)));
    }
    EXPECT_EQ(found, fullCheck(changes)) << "mutation " << i;
    accepted += found.empty();
  }
  // The sample has all kinds.
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 30);
  EXPECT_GT(with_multiplicities, 2);
}

TEST_P(RecheckTest, ChecksManyMutationsASecond) {
  constexpr int kMutations = 20000;
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kMutations; ++i) recheck_->check({randomChange()});
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  RecordProperty("mutations_per_second", static_cast<int>(kMutations / seconds.count()));
  std::cout << kMutations / seconds.count() << " mutations/s\n";
  EXPECT_LT(seconds.count(), 10.0) << "a tenth of the speed that campaigns are planned with";
}

INSTANTIATE_TEST_SUITE_P(Outputs, RecheckTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Logits" : "Argmax"; });

}  // namespace
}  // namespace lindero::test
