// Forged decode runs (passes/lower_air/gadgets/steps/README.md): a cheat for each constraint and
// edge of the step table, noticed by that one alone; hence accepted, by checker, prover and
// verifier, where its class is left out (drop-class), and only there.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/error/error.h"
#include "runtime/tamper/forged_rows.h"
#include "tests/soundness/backend.h"
#include "tests/soundness/forgery.h"

namespace lindero::test {
namespace {

// The honest run: 3 1 4 are given, 7 8 5 chosen; rows 0 to 4 are its steps, 5 to 7 are after it.
constexpr int kSteps = 5, kGiven = 2, kLast = kSteps - 1, kRows = kToySteps;

constexpr const char* kClasses[] = {"local", "continuity", "boundary"};

const ToyRun& toy() {
  static auto& run = *new std::unique_ptr<ToyRun>(std::move(*ToyRun::create({.decode = true})));
  return *run;
}

// The same with a sum group for each class, so that a failure tells which.
const ToyRun& grouped() {
  static auto& run = *new std::unique_ptr<ToyRun>(
      std::move(*ToyRun::create({.decode = true, .class_groups = true})));
  return *run;
}

// toy() without the constraints of a class.
const runtime::Package& without(const std::string& kind) {
  static auto& packages = *new std::map<std::string, runtime::Package>();
  if (auto it = packages.find(kind); it != packages.end()) return it->second;
  return packages.emplace(kind, *toy().without(kind)).first->second;
}

struct Rows {
  absl::Span<int32_t> active, chosen, frontier_in, frontier_out, given_in, given_out, token_in,
      token_out;
};

// Changes what the run's steps are, before anything reads it. The choice of a step is shown times
// `active`, whatever that is.
void onRows(Forgery& f, std::function<void(Rows&)> change) {
  f.onStep("/wte/Gather", Step::kDecode, [change](const Step& step, Buffers& b) {
    const Decode& s = step.decode();
    Rows rows{b.at(s.active()),       b.at(s.chosen()),   b.at(s.frontier_in()),
              b.at(s.frontier_out()), b.at(s.given_in()), b.at(s.given_out()),
              b.at(s.token_in()),     b.at(s.token_out())};
    change(rows);
  });
  f.onStep("/argmax", Step::kMask, [](const Step& step, Buffers& b) {
    const Mask& s = step.mask();
    for (int t = 0; t < kRows; ++t) b.at(s.out())[t] = b.at(s.keep())[t] * b.at(s.value())[t];
  });
}

// Public values.
void claim(Forgery& f, const char* tensor, std::vector<std::pair<int, int64_t>> values) {
  f.atLast([=](Forgery& g) {
    for (PublicValues& v : *g.statement.mutable_tensors()) {
      if (v.name() != tensor) continue;
      for (auto [i, value] : values) v.set_values(i, value);
    }
  });
}
void claimTape(Forgery& f, int position, int64_t token) {
  claim(f, runtime::kTape, {{position, token}});
}
void claimLengths(Forgery& f, int64_t steps, int64_t given) {
  claim(f, runtime::kLengths, {{1, steps}, {3, given}});
}

// The token that a step leaves becomes what is shown as its choice, also in the claim.
void follow(Forgery& f, int row) {
  f.onCells(
      [row](Forgery& g) { g.cell("steps", "token_out", row) = g.cell("steps", "shown", row); });
  f.atLast([row](Forgery& g) {
    for (PublicValues& v : *g.statement.mutable_tensors()) {
      if (v.name() == runtime::kTape) v.set_values(row + 1, g.cell("steps", "token_out", row));
    }
  });
}

int32_t another(int32_t token) { return (token + 3) % kToyVocabulary; }

struct Case {
  const char* name;
  std::function<void(Forgery&)> cheat;
  std::string rejected_by;
};

// Local -------------------------------------------------------------------------------------------

// One step that counts as two ends the run: the next one is dropped. (Twice the choice after this
// first token is a token, too.)
void stepCountedTwice(Forgery& f) {
  constexpr int32_t kFirst = 2;
  onRows(f, [](Rows& r) {
    r.active[0] = 2;
    r.token_in[0] = kFirst;
    r.token_out[0] = 0;
    for (int t = 1; t < kRows; ++t) r.active[t] = r.token_in[t] = r.token_out[t] = 0;
    for (int t = 0; t < kRows; ++t) r.frontier_in[t] = t == 0 ? 0 : 2, r.frontier_out[t] = 2;
    for (int t = 0; t < kRows; ++t) r.chosen[t] = r.given_in[t] = t > 0, r.given_out[t] = 1;
  });
  claim(f, runtime::kTape, {{0, kFirst}, {1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}});
  claimLengths(f, 2, 1);
}

// The first chosen step takes a given one out of the count: a given token passes for chosen.
void choiceCountedTwice(Forgery& f) {
  onRows(f, [](Rows& r) {
    r.chosen[kGiven] = 2;
    for (int t = kGiven; t < kRows; ++t) r.given_out[t] = kGiven - 1;
    for (int t = kGiven + 1; t < kRows; ++t) r.given_in[t] = kGiven - 1;
  });
  claimLengths(f, kSteps, kGiven - 1);
}

void stepConsumesTwo(Forgery& f) {
  onRows(f, [](Rows& r) {
    for (int t = kLast; t < kRows; ++t) r.frontier_out[t] += 1, r.frontier_in[t] += t > kLast;
  });
  claimLengths(f, kSteps + 1, kGiven);
}

void borderMoved(Forgery& f) {
  onRows(f, [](Rows& r) {
    for (int t = kLast; t < kRows; ++t) r.given_out[t] += 1, r.given_in[t] += t > kLast;
  });
  claimLengths(f, kSteps, kGiven + 1);
}

// Of a step whose token was given.
void shownChoiceAltered(Forgery& f) {
  f.onStep("/argmax", Step::kMask, [](const Step& step, Buffers& b) {
    int32_t& shown = b.at(step.mask().out())[1];
    shown = another(shown);
  });
}

void outputTokenAndShownChoiceAltered(Forgery& f) {
  f.onStep("/argmax", Step::kMask, [](const Step& step, Buffers& b) {
    int32_t& shown = b.at(step.mask().out())[kLast];
    shown = another(shown);
  });
  follow(f, kLast);
}

void outputTokenAltered(Forgery& f) {
  const int32_t token = another(static_cast<int32_t>(toy().decoded().tokens.back()));
  onRows(f, [token](Rows& r) { r.token_out[kLast] = token; });
  claimTape(f, kSteps, token);
}

// A verifier refuses such a claim, too.
void tokenAfterTheRun(Forgery& f) {
  onRows(f, [](Rows& r) {
    r.token_out[kSteps] = 2;
    for (int t = 0; t < kRows; ++t) r.chosen[t] = 0, r.given_in[t] = t, r.given_out[t] = t + 1;
  });
  claimTape(f, kSteps + 1, 2);
  claimLengths(f, kSteps, kRows);
}

// Query 1 mixes in the value at position 3.
void attentionToALaterStep(Forgery& f) {
  f.onStep("/attn/Softmax", Step::kSoftmax, [](const Step& step, Buffers& b) {
    const Softmax& s = step.softmax();
    uint64_t row = 1;
    while (b.at(s.probability_sums())[(row + 1) * (s.keys() / s.lanes()) - 1] == 65536) {
      row += s.queries();
    }
    b.at(s.probability())[row * s.keys() + 3] += 1;
    runtime::sumSoftmaxRow(s, b, row);
  });
}

// Continuity --------------------------------------------------------------------------------------

void runStartsAgain(Forgery& f) {
  onRows(f, [](Rows& r) {
    r.active[kLast] = r.token_out[kLast] = r.token_in[kLast] = 0;
    r.active[kSteps] = 1;
    r.frontier_out[kLast] = r.frontier_in[kSteps] = kLast;
  });
  claimTape(f, kSteps, 0);
  follow(f, kSteps);
}

// The token that step 3 leaves is anything, and the claim counts a chosen one among the given.
void givenAfterAChoice(Forgery& f) {
  onRows(f, [](Rows& r) {
    r.chosen[3] = 0;
    for (int t = 3; t < kRows; ++t) r.given_in[t] = kGiven + (t > 3), r.given_out[t] = kGiven + 1;
    r.token_out[3] = r.token_in[4] = another(r.token_out[3]);
  });
  f.atLast([](Forgery& g) {
    for (PublicValues& v : *g.statement.mutable_tensors()) {
      if (v.name() == runtime::kTape) v.set_values(4, g.cell("steps", "token_out", 3));
    }
  });
  claimLengths(f, kSteps, kGiven + 1);
  follow(f, kLast);
}

void handoffAltered(Forgery& f) {
  onRows(f, [](Rows& r) { r.token_in[kLast] = another(r.token_in[kLast]); });
  follow(f, kLast);
}

void stepsSwapped(Forgery& f) {
  onRows(f, [](Rows& r) { std::swap(r.token_in[3], r.token_in[4]); });
  follow(f, 3);
  follow(f, 4);
}

void stepDropped(Forgery& f) {
  onRows(f, [](Rows& r) {
    for (int t = 3; t < kRows; ++t) r.frontier_in[t] -= 1, r.frontier_out[t] -= 1;
  });
  claimLengths(f, kSteps - 1, kGiven);
}

void givenHandedOverAltered(Forgery& f) {
  onRows(f, [](Rows& r) {
    for (int t = 4; t < kRows; ++t) r.given_in[t] += 1, r.given_out[t] += 1;
  });
  claimLengths(f, kSteps, kGiven + 1);
}

void embeddingOfAnotherToken(Forgery& f) {
  onRows(f, [](Rows& r) { r.token_in[kLast] = another(r.token_in[kLast]); });
  f.onCells([](Forgery& g) {
    g.cell("steps", "token_in", kLast) = g.cell("steps", "token_out", kLast - 1);
  });
  follow(f, kLast);
}

void choiceOfAnotherPosition(Forgery& f) {
  f.onStep("/argmax", Step::kMask, [](const Step& step, Buffers& b) {
    b.at(step.mask().out())[kLast] = b.at(step.mask().value())[kLast - 1];
  });
  f.onCells(
      [](Forgery& g) { g.cell("steps", "choice", kLast) = g.cell("steps", "choice", kLast - 1); });
  follow(f, kLast);
}

// Boundary ----------------------------------------------------------------------------------------

void runStartsLate(Forgery& f) {
  onRows(f, [](Rows& r) {
    for (int t = 0; t < kRows; ++t) r.frontier_in[t] += 1, r.frontier_out[t] += 1;
  });
  claimLengths(f, kSteps + 1, kGiven);
}

void givenBeforeTheRun(Forgery& f) {
  onRows(f, [](Rows& r) {
    for (int t = 0; t < kRows; ++t) r.given_in[t] += 1, r.given_out[t] += 1;
  });
  claimLengths(f, kSteps, kGiven + 1);
}

// The trace is that of the run, the claim another: what a verifier is told and what was run differ.
std::function<void(Forgery&)> anotherTape(int position) {
  return [position](Forgery& f) {
    const auto& tokens = toy().decoded().tokens;
    const bool inside = position < static_cast<int>(tokens.size());
    claimTape(f, position, another(inside ? static_cast<int32_t>(tokens[position]) : 0));
  };
}

std::function<void(Forgery&)> otherLengths(int64_t steps, int64_t given) {
  return [=](Forgery& f) { claimLengths(f, steps, given); };
}

// It does not end where the claim ends.
void runGoesOn(Forgery& f) {
  claimTape(f, kSteps, 0);
  claimLengths(f, kSteps - 1, kGiven);
}

void anotherChoice(Forgery& f) {
  f.atLast([](Forgery& g) {
    for (PublicValues& v : *g.statement.mutable_tensors()) {
      if (v.kind() == PublicValues::OUTPUT)
        v.set_values(1, another(static_cast<int32_t>(v.values(1))));
    }
  });
}

const std::vector<Case>& cases() {
  static auto& all = *new std::vector<Case>{
      {"Honest", [](Forgery&) {}, ""},
      {"StepCountedTwice", stepCountedTwice, "constraint steps.active is a bit"},
      {"ChoiceCountedTwice", choiceCountedTwice, "constraint steps.chosen is a bit"},
      {"StepConsumesTwo", stepConsumesTwo, "constraint steps.a step consumes one token"},
      {"BorderMoved", borderMoved, "constraint steps.given tokens counted"},
      {"ShownChoiceAltered", shownChoiceAltered,
       "constraint steps.the choice of a step of the run is shown"},
      {"OutputTokenAndShownChoiceAltered", outputTokenAndShownChoiceAltered,
       "constraint steps.the choice of a step of the run is shown"},
      {"OutputTokenAltered", outputTokenAltered,
       "constraint steps.a token that is not given is the choice"},
      {"TokenAfterTheRun", tokenAfterTheRun, "constraint steps.no token after the run"},
      {"AttentionToALaterStep", attentionToALaterStep, "constraint softmax.masked probability"},
      {"RunStartsAgain", runStartsAgain, "constraint steps.the run does not start again"},
      {"GivenAfterAChoice", givenAfterAChoice, "constraint steps.nothing is given after a choice"},
      {"HandoffAltered", handoffAltered, "constraint steps.token handed over"},
      {"StepsSwapped", stepsSwapped, "constraint steps.token handed over"},
      {"StepDropped", stepDropped, "constraint steps.frontier handed over"},
      {"GivenHandedOverAltered", givenHandedOverAltered,
       "constraint steps.given tokens handed over"},
      {"EmbeddingOfAnotherToken", embeddingOfAnotherToken, "continuity"},
      {"ChoiceOfAnotherPosition", choiceOfAnotherPosition, "continuity"},
      {"RunStartsLate", runStartsLate, "boundary"},
      {"GivenBeforeTheRun", givenBeforeTheRun, "boundary"},
      {"FirstTokenOfThePromptAltered", anotherTape(0), "boundary"},
      {"PromptTokenAltered", anotherTape(1), "boundary"},
      {"ClaimedOutputTokenAltered", anotherTape(kSteps), "boundary"},
      {"ClaimedTokenAfterTheRun", anotherTape(kSteps + 1), "boundary"},
      {"LongerThanClaimed", otherLengths(kSteps - 1, kGiven), "boundary"},
      {"ShorterThanClaimed", otherLengths(kSteps + 1, kGiven), "boundary"},
      {"MoreIsClaimedToBeGiven", otherLengths(kSteps, kGiven + 1), "boundary"},
      {"LessIsClaimedToBeGiven", otherLengths(kSteps, kGiven - 1), "boundary"},
      {"RunGoesOn", runGoesOn, "boundary"},
      {"ClaimedChoiceAltered", anotherChoice, "boundary"},
  };
  return all;
}

// A sum group is called as the class that its terms have.
std::string classOf(const std::string& failure) {
  for (const Table& table : grouped().circuit().tables()) {
    for (const Constraint& c : table.constraints()) {
      const std::string family = absl::StrCat("constraint ", table.name(), ".", c.name());
      if (failure != family && !absl::StartsWith(family, failure + ".")) continue;
      return kClasses[c.kind()];
    }
  }
  return failure;
}

class ForgedDecodeTest : public ::testing::TestWithParam<Case> {};

TEST_P(ForgedDecodeTest, IsRejectedByWhatItAimsAt) {
  Forgery forgery(grouped());
  GetParam().cheat(forgery);
  ASSERT_EQ(forgery.forge(), absl::OkStatus());
  auto failures = forgery.failures();
  ASSERT_EQ(failures.status(), absl::OkStatus());
  EXPECT_EQ(absl::StrJoin(*failures, ", "), GetParam().rejected_by);
}

TEST_P(ForgedDecodeTest, IsAcceptedWithoutItsClassAlone) {
  Forgery forgery(toy());
  GetParam().cheat(forgery);
  ASSERT_EQ(forgery.forge(), absl::OkStatus());
  const std::string& rejected_by = GetParam().rejected_by;
  auto accepted = forgery.acceptedBy(toy().package());
  ASSERT_EQ(accepted.status(), absl::OkStatus());
  EXPECT_EQ(*accepted, rejected_by.empty());
  for (const char* kind : kClasses) {
    accepted = forgery.acceptedBy(without(kind));
    ASSERT_EQ(accepted.status(), absl::OkStatus());
    EXPECT_EQ(*accepted, rejected_by.empty() || classOf(rejected_by) == kind) << "without " << kind;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ForgedDecodeTest, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return std::string(info.param.name); });

// Every constraint of the table is what one of the cases needs.
TEST(ForgedDecode, HasACheatForEachConstraint) {
  std::set<std::string> wanted, aimed, classes;
  const Table& steps = toy().circuit().tables(static_cast<int>(toy().table("steps")));
  for (const Constraint& c : steps.constraints()) {
    const auto& columns = steps.columns();
    bool defines = std::any_of(columns.begin(), columns.end(),
                               [&](const Column& column) { return column.name() == c.name(); });
    if (!defines) wanted.insert(absl::StrCat("constraint steps.", c.name()));
  }
  for (const Case& c : cases()) {
    if (absl::StartsWith(c.rejected_by, "constraint steps.")) aimed.insert(c.rejected_by);
    if (!c.rejected_by.empty()) classes.insert(classOf(c.rejected_by));
  }
  EXPECT_EQ(aimed, wanted);
  EXPECT_EQ(classes, (std::set<std::string>{"boundary", "continuity", "local"}));
}

TEST(ForgedDecodeProof, IsAcceptedWithoutItsClassAlone) {
  auto whole = Backend::of(toy().package());
  ASSERT_EQ(whole.status(), absl::OkStatus());
  for (const char* kind : kClasses) {
    auto rest = Backend::of(without(kind));
    ASSERT_EQ(rest.status(), absl::OkStatus()) << "without " << kind;
    for (const Case& c : cases()) {
      SCOPED_TRACE(absl::StrCat(c.name, " without ", kind));
      const bool honest = c.rejected_by.empty();
      if (!honest && classOf(c.rejected_by) != kind) continue;
      Forgery forgery(toy());
      c.cheat(forgery);
      ASSERT_EQ(forgery.forge(), absl::OkStatus());
      ASSERT_EQ(rest->prove(forgery.statement, {forgery.cells}), absl::OkStatus());
      EXPECT_EQ(rest->verify(), absl::OkStatus());
      EXPECT_EQ(runtime::errorOf(whole->verifyProofOf(*rest)), runtime::Error::kRejected);

      const absl::Status status = whole->prove(forgery.statement, {forgery.cells});
      if (honest) {
        EXPECT_EQ(status, absl::OkStatus());
        EXPECT_EQ(whole->verify(), absl::OkStatus());
        continue;
      }
      EXPECT_EQ(runtime::errorOf(status), runtime::Error::kProverFailed) << status;
      EXPECT_THAT(std::string(status.message()),
                  ::testing::HasSubstr(absl::StartsWith(c.rejected_by, "constraint")
                                           ? "the witness does not satisfy the constraints"
                                           : "do not cancel"));
    }
  }
}

}  // namespace
}  // namespace lindero::test
