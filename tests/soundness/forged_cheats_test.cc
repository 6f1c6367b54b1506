// Cheats of the campaign (runtime/tamper/cheats.h), each with the checks that must reject it.
#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "runtime/tamper/cheats.h"
#include "tests/soundness/forged_toys.h"

namespace lindero::test {
namespace {

using runtime::Cheat;

// They draw where and how they cheat: each draw
// must be noticed, and one of them by what the case says and by nothing else.
struct CheatCase {
  const char* name;
  const char* node;
  const char* cheat;
  std::set<std::string> rejected_by;
  ToyOptions options = kArgmax;
};

const std::vector<CheatCase>& cheatCases() {
  static auto& all = *new std::vector<CheatCase>{
      {"RemainderOutOfRange", "/q", "remainder out of range", {"lookup results.remainder"}},
      {"SecondSolutionOfWideRequantization",
       "/attn/o",
       "another quotient modulo p",
       {"lookup results.function"}},
      {"ActivationOfAnotherKey", "/gelu", "value of another key", {"lookup results.function"}},
      {"ProductRemainderOutOfRange",
       "/gate",
       "remainder of a product out of range",
       {"lookup multiply.remainder"},
       kGated},
      {"SecondSolutionOfAProduct",
       "/gate.1",
       "another product modulo p",
       {"lookup multiply.quotient"},
       kGated},
      {"ElementOfAProductOffByOne",
       "/gate",
       "product off by one",
       {"constraint multiply.multiply"},
       kGated},
      // Of a tagged bus both ends are named: what is looked up, and what is given and nobody reads.
      {"CopyOffByOne",
       "/rotate",
       "copied element off by one",
       {"lookup copied_rows_1.element", "lookup copies_columns_1.element"},
       kCopied},
      {"CopyOfAnotherTag",
       "/shift",
       "element of another tag",
       {"lookup copied_columns_4.element", "lookup copies_columns_4.element"},
       kCopied},
      {"ConstantChanged",
       "/join",
       "copied element off by one",
       {"lookup copied_constants_rows_1.element", "lookup copies_rows_1.element"},
       kCopied},
      {"CopiesSwapped",
       "/join.1",
       "two elements swapped",
       {"lookup copied_columns_1.element", "lookup copies_rows_1.element"},
       kCopied},
      {"MapRemainderOutOfRange",
       "/affine.2",
       "remainder of a map out of range",
       {"lookup affine_by_row.remainder"},
       kGeneral},
      {"MapOfASumOffByOne",
       "/affine.4",
       "image off by one",
       {"constraint affine_sum.affine"},
       kGeneral},
      {"QuotientTooLarge",
       "/divide.44",
       "quotient too large",
       {"lookup divide.remainder low"},
       kGeneral},
      {"QuotientTooSmall",
       "/divide.44",
       "quotient too small",
       {"lookup divide.remainder high"},
       kGeneral},
      {"QuotientOffByOne",
       "/divide.44",
       "quotient off by one",
       {"constraint divide.divide"},
       kGeneral},
      {"SecondQuotientModuloP",
       "/divide.44",
       "another quotient of two modulo p",
       {"lookup divide.quotient"},
       kGeneral},
      {"SignThatIsNone",
       "/divide.44",
       "sign that is none",
       {"constraint divide.negative is a bit"},
       kGeneral},
      {"DenominatorOfTheOtherSign",
       "/divide.44",
       "denominator of the other sign",
       {"lookup divide.remainder low", "lookup divide.remainder high"},
       kGeneral},
      {"StoredRemainderOutOfRange",
       "/requantize.1",
       "remainder out of range",
       {"lookup affine.remainder"},
       kGeneral},
      {"MeanTooLarge", "/ln1", "another mean", {"lookup norm_statistics.mean low"}},
      {"MeanTooSmall", "/ln1", "another mean", {"lookup norm_statistics.mean high"}},
      {"MeanInRmsNorm", "/ln1.1", "a mean in RMSNorm", {"constraint norms.no mean"}},
      {"RootOffByOne", "/ln1", "another root", {"lookup norm_statistics.root"}},
      {"RootOfOneTile",
       "/ln2",
       "one row tile with other statistics",
       {"constraint norms.one root per token"}},
      // The root is not witnessed but tabulated by the variance's mantissa, so that is what wraps.
      {"WrappedVariance",
       "/ln2",
       "a variance beyond p",
       {"lookup norm_statistics.mantissa", "lookup norm_statistics.root"}},
      {"SquareOffByOne", "/ln1", "another square", {"lookup norms.square"}},
      {"NormalizedOffByOne", "/ln1", "normalized value off by one", {"constraint norms.normalize"}},
      {"NormalizedRemainderOutOfRange",
       "/ln1",
       "normalized value's remainder out of range",
       {"lookup norms.remainder"}},
      {"MaximumNotAttained",
       "/argmax",
       "a maximum that is not attained",
       {"constraint argmax.the maximum is attained"}},
      {"MaximumNotMaximal", "/argmax", "a choice that is not maximal", {"lookup argmax.high"}},
      {"CountOfMinusOne",
       "/argmax",
       "a count of minus one between two maxima",
       {"constraint argmax.before is a bit"},
       kTies},
      // The index is the number of entries, which cannot be published.
      {"NothingChosen",
       "/argmax",
       "nothing chosen",
       {"constraint argmax.something is chosen", "public:next"}},
      {"IndexOffByOne", "/argmax", "another index", {"constraint argmax.index of the chosen"}},
      {"WrongEmbeddingRow",
       "/wte/Gather",
       "row of another token",
       {"lookup embeddings.row", "lookup weights.row"}},
  };
  return all;
}

// Those of softmax, in a whole run and in a block.
std::vector<CheatCase> softmaxCases(const ToyOptions& options) {
  constexpr const char* kNode = "/attn/Softmax";
  // There is no reciprocal in the circuit: the row's one witness is the log-sum-exp. In no row of
  // the block are all remainders of one bit 0, or all 1, so that each of them has room.
  std::set<std::string> wrapped{"lookup softmax.normalizer high"};
  if (options.block > 0) wrapped.insert("lookup softmax.score remainder");
  return {
      {"LogSumExpTooLarge",
       kNode,
       "another log-sum-exp",
       {"lookup softmax.mass one step before"},
       options},
      {"LogSumExpTooSmall", kNode, "another log-sum-exp", {"lookup softmax.mass"}, options},
      {"WrappedLogSumExp", kNode, "another log-sum-exp modulo p", wrapped, options},
      {"LimbsOfTheLogSumExp",
       kNode,
       "other limbs of the log-sum-exp",
       {"lookup softmax.normalizer low"},
       options},
      {"WrappedBin", kNode, "another bin modulo p", {"lookup softmax.exponential"}, options},
      {"ProbabilityOfAnotherBin",
       kNode,
       "probability of another bin",
       {"lookup softmax.exponential"},
       options},
      {"ScoreRemainderOutOfRange",
       kNode,
       "probability of another bin",
       {"lookup softmax.score remainder"},
       options},
      {"AttentionToTheFuture",
       kNode,
       "a masked score that counts",
       {"constraint softmax.masked probability"},
       options},
  };
}

// Those of norms of wide rows.
std::vector<CheatCase> wideCases() {
  const auto of = [](const char* name, const char* cheat, std::set<std::string> rejected_by,
                     const char* node = "/ln1") {
    return CheatCase{name, node, cheat, std::move(rejected_by), kWide};
  };
  return {
      of("WideMeanTooLarge", "another mean of a wide row",
         {"lookup wide_norm_statistics.mean low"}),
      of("WideMeanTooSmall", "another mean of a wide row",
         {"lookup wide_norm_statistics.mean high"}),
      of("WideMeanInRmsNorm", "a mean in wide RMSNorm", {"constraint wide_norms.no mean"},
         "/ln1.1"),
      of("RowShiftTooLarge", "a larger row shift", {"lookup wide_norm_statistics.a large element"}),
      of("RowShiftTooSmall", "a smaller row shift", {"lookup wide_norms.square"}),
      of("ElementCalledLarge", "an element called large", {"lookup wide_norms.square"}),
      of("OtherRowPower", "another power of the row shift",
         {"lookup wide_norm_statistics.row shift"}),
      of("NoOffset", "no offset", {"lookup wide_norm_statistics.row shift"}),
      of("OtherEpsilon", "another epsilon", {"lookup wide_norm_statistics.row shift"}),
      of("ShiftedOutOfRange", "shifted out of range", {"lookup wide_norms.shifted out"}),
      of("ShiftedOutOffByOne", "shifted out off by one", {"constraint wide_norms.shift"}),
      of("WideSquareOffByOne", "another square of a wide row", {"lookup wide_norms.square"}),
      of("WideRootOffByOne", "another root of a wide row", {"lookup wide_norm_statistics.root"}),
      of("WideVarianceRemainder", "remainder of a wide row's variance out of range",
         {"lookup wide_norm_statistics.variance remainder"}),
      of("WideNormalizedOffByOne", "wide row's normalized value off by one",
         {"constraint wide_norms.normalize"}),
      of("WideNormalizedRemainder", "remainder of a wide row's normalized value out of range",
         {"lookup wide_norms.remainder"}),
      of("OffsetOfOneTile", "one tile of a wide row with other statistics",
         {"constraint wide_norms.one offset per token"}),
      of("RowPowerOfOneTile", "one tile of a wide row with other statistics",
         {"constraint wide_norms.one row power per token"}, "/ln1.1"),
      of("MeansOfTwoWideTiles", "two tiles of a wide row with other means",
         {"constraint wide_norms.one mean per token"}),
      {"MeanModuloP",
       "/layernorm.0",
       "another mean modulo p",
       {"lookup wide_norm_statistics.sum of shifted"},
       kLongRows},
      of("WideSumOffByOne", "image off by one", {"constraint wide_sums.affine"}, "/add1"),
  };
}

std::vector<CheatCase> closedCases() {
  return {{"ClosedRemainder",
           "/attn/Softmax",
           "a closed score that counts",
           {"constraint softmax.closed remainder"},
           kBlocks}};
}

void PrintTo(const CheatCase& c, std::ostream* out) { *out << c.name; }

class CheatTest : public ::testing::TestWithParam<CheatCase> {};

// The failing checks, joined; empty when the cheat does not fit what is drawn.
std::string refusals(const CheatCase& c, uint64_t draw) {
  const auto& all = runtime::cheats();
  const auto* cheat = std::find_if(all.begin(), all.end(), [&](const Cheat& of) {
    return absl::string_view(of.name) == c.cheat;
  });
  if (cheat == all.end()) return "no such cheat";
  Forgery forgery(toy(c.options));
  bool fits = false;
  std::vector<runtime::CellChange> copies;
  forgery.onStep(c.node, cheat->kind, [&](const Step& step, Buffers& buffers) {
    runtime::Draws draws(/*seed=*/1, draw);
    fits = cheat->apply({forgery.run().package(), step, buffers, draws, copies});
  });
  forgery.onCells([&](Forgery& f) {
    const runtime::ColumnLayout& layout = f.run().package().traceLayout();
    for (const runtime::CellChange& change : copies) {
      f.cells[layout.offset(change.table, change.column) + change.row] = change.value;
    }
  });
  // A later step may refuse the values: there is no trace then.
  if (!forgery.forge().ok() || !fits || forgery.cells == forgery.run().cells()) return "";
  auto failures = forgery.failures();
  EXPECT_EQ(failures.status(), absl::OkStatus());
  return failures->empty() ? "nothing" : absl::StrJoin(*failures, ", ");
}

TEST_P(CheatTest, IsRejectedByWhatItAimsAt) {
  constexpr uint64_t kDraws = 60;
  const std::string expected = absl::StrJoin(GetParam().rejected_by, ", ");
  std::set<std::string> seen;
  for (uint64_t draw = 0; draw < kDraws && seen.count(expected) == 0; ++draw) {
    std::string refused = refusals(GetParam(), draw);
    EXPECT_NE(refused, "nothing") << "draw " << draw;
    if (!refused.empty()) seen.insert(std::move(refused));
  }
  EXPECT_EQ(seen.count(expected), 1) << expected << "; seen: " << absl::StrJoin(seen, "; ");
}

std::string nameOf(const ::testing::TestParamInfo<CheatCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Whole, CheatTest, ::testing::ValuesIn(cheatCases()), nameOf);
INSTANTIATE_TEST_SUITE_P(Softmax, CheatTest, ::testing::ValuesIn(softmaxCases(kArgmax)), nameOf);
INSTANTIATE_TEST_SUITE_P(SoftmaxOfABlock, CheatTest, ::testing::ValuesIn(softmaxCases(kBlocks)),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(Wide, CheatTest, ::testing::ValuesIn(wideCases()), nameOf);
INSTANTIATE_TEST_SUITE_P(ClosedKeys, CheatTest, ::testing::ValuesIn(closedCases()), nameOf);

}  // namespace
}  // namespace lindero::test
