// A folded weight's copy, forged after the challenges of phase 1; and cells and public values that
// stand for the same residue twice.
#include <set>

#include "gtest/gtest.h"
#include "runtime/check/challenges.h"
#include "runtime/check/checker.h"
#include "runtime/check/recheck.h"
#include "tests/soundness/toy_run.h"

namespace lindero::test {
namespace {

using runtime::Checker;
using runtime::CheckOptions;
using runtime::FreeCell;
using runtime::M31;
using runtime::QM31;
using runtime::Recheck;

// The X side of a product: sum_i a_i w_i, with a_i the fold and w_i the copy of the folded weights,
// which no constraint defines. A prover who knows rho and sigma when it commits to the copies can
// keep the sum and change the copies; the edge for phase-2 values is what catches that.
class ForgedCopyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    run_ = *ToyRun::create();
    challenges_ = runtime::drawChallenges(1, run_->circuit().challenges_size());
    table_ = run_->table("operands");
    factor_ = run_->column(table_, "factor");
    while (run_->circuit().challenges(copy_).name() != "copy") ++copy_;
    recheck_ = recheck();
    auto fixed = [&](const char* name, uint64_t row) {
      return run_->package().fixedColumn(table_, run_->column(table_, name))[row];
    };
    for (uint64_t row = 0; rows_.size() < 3; ++row) {
      if (fixed("left_end", row) == 0) continue;
      EXPECT_EQ(fixed("product", row), fixed("product", rows_.empty() ? row : rows_[0]));
      rows_.push_back(row);
      folds_.push_back(recheck_->columns().view(table_, run_->column(table_, "fold")).at(row));
      weights_.push_back(QM31(M31::fromCanonical(fixed("copy", row))));
    }
  }

  std::unique_ptr<Recheck> recheck() const {
    CheckOptions options;
    options.challenges = challenges_;
    auto made = Recheck::create(run_->package(), run_->statement(), run_->cells(), options);
    EXPECT_EQ(made.status(), absl::OkStatus());
    return *std::move(made);
  }

  // Names of what does not hold with these errors on the copies.
  std::set<std::string> failures(Recheck& recheck, const std::vector<QM31>& errors) const {
    std::vector<FreeCell> changes;
    for (size_t i = 0; i < errors.size(); ++i) {
      QM31 honest = recheck.columns().view(table_, factor_).at(rows_[i]);
      changes.push_back({table_, factor_, rows_[i], honest + errors[i]});
    }
    std::set<std::string> names;
    for (const runtime::Finding& f : recheck.check({}, changes)) {
      names.insert(recheck.describe(f).name);
    }
    return names;
  }

  std::unique_ptr<ToyRun> run_;
  std::vector<QM31> challenges_;
  int copy_ = 0;
  uint32_t table_ = 0, factor_ = 0;
  std::unique_ptr<Recheck> recheck_;
  std::vector<uint64_t> rows_;
  std::vector<QM31> folds_, weights_;  // a_i, and the copies' addresses
};

TEST_F(ForgedCopyTest, TheCopyChallengeIsDrawnAfterTheCopies) {
  EXPECT_EQ(run_->circuit().challenges(copy_).phase(), 2);
}

TEST_F(ForgedCopyTest, OneWrongCopyBreaksTheProduct) {
  EXPECT_EQ(failures(*recheck_, {challenges_[0]}), (std::set<std::string>{"lookups", "tensors"}));
}

TEST_F(ForgedCopyTest, CopiesThatKeepTheProductAreRejectedByTheirEdgeAlone) {
  EXPECT_EQ(failures(*recheck_, {folds_[1], -folds_[0]}), std::set<std::string>{"lookups"});
}

// Errors e with sum a_i e_i = 0 and sum e_i / (z - c_i) = 0: what a challenge z that is known too
// early would let pass.
TEST_F(ForgedCopyTest, AnEarlyChallengeWouldLetForgedCopiesPass) {
  std::vector<QM31> poles;
  for (const QM31& address : weights_) poles.push_back((challenges_[copy_] - address).inverse());
  std::vector<QM31> errors;  // the cross product of both rows
  for (size_t i = 0; i < 3; ++i) {
    size_t j = (i + 1) % 3, k = (i + 2) % 3;
    errors.push_back(folds_[j] * poles[k] - folds_[k] * poles[j]);
    EXPECT_FALSE(errors.back().isZero());
  }
  EXPECT_EQ(failures(*recheck_, errors), std::set<std::string>{});
  challenges_[copy_] = runtime::drawChallenges(10, 1)[0];
  EXPECT_EQ(failures(*recheck(), errors), std::set<std::string>{"lookups"});
}

// One residue, one cell: v + p, which wraps to the same field element, is no cell.
TEST(WrappedValueTest, CellsAreCanonical) {
  auto run = *ToyRun::create();
  uint32_t t = run->table("softmax"), c = run->column(t, "w.0");
  std::vector<uint32_t> cells = run->cells();
  uint32_t& cell = cells[run->package().traceLayout().offset(t, c)];
  ASSERT_EQ(cell, 0);
  cell = runtime::kModulus;
  auto checker = Checker::create(run->package(), run->statement(), cells);
  EXPECT_FALSE(checker.ok());
  EXPECT_NE(checker.status().message().find("softmax"), std::string::npos) << checker.status();
}

TEST(WrappedValueTest, PublicValuesStayInTheirRanges) {
  for (bool logits : {false, true}) {
    auto run = *ToyRun::create({.logits = logits});
    for (int i = 0; i < run->statement().tensors_size(); ++i) {
      for (int64_t wrap : {int64_t{runtime::kModulus}, -int64_t{runtime::kModulus}}) {
        Statement forged = run->statement();
        PublicValues* tensor = forged.mutable_tensors(i);
        tensor->set_values(0, tensor->values(0) + wrap);
        EXPECT_FALSE(Checker::create(run->package(), forged, run->cells()).ok())
            << tensor->name() << " " << wrap;
      }
    }
  }
}

TEST(WrappedValueTest, AWordBeyondTheVocabularyIsNoOutput) {
  auto run = *ToyRun::create();
  for (int64_t word : {int64_t{-1}, kToyVocabulary}) {
    Statement forged = run->statement();
    for (PublicValues& tensor : *forged.mutable_tensors()) tensor.set_values(0, word);
    EXPECT_FALSE(Checker::create(run->package(), forged, run->cells()).ok()) << word;
  }
}

}  // namespace
}  // namespace lindero::test
