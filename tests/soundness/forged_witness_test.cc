// Forged witnesses: each case is a cheating prover that recomputes all that it controls, so that
// exactly the constraint, lookup or claimed sum that its cheat aims at is left to reject it.
#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "runtime/tamper/cheats.h"
#include "runtime/tamper/forged_rows.h"
#include "tests/soundness/forgery.h"
#include "tests/soundness/general_program.h"

namespace lindero::test {
namespace {

using runtime::Cheat;
using runtime::forgeArgmaxRow;

constexpr ToyOptions kArgmax{}, kLogits{.logits = true}, kTies{.ties = true}, kGated{.gated = true},
    kCopied{.copied = true}, kGeneral{.lanes = 2, .general = 0}, kWide{.wide = true},
    kLongRows{.general = kLongRowsProgram};
// The third block of three: of the slots before, two are open and one is closed.
constexpr ToyOptions kBlocks{.lanes = 2, .decode = true, .block = 2, .at = 2};

// One compiled toy per set of options.
const ToyRun& toy(const ToyOptions& options) {
  static auto& runs = *new std::map<std::tuple<bool, bool, bool, bool, bool, int64_t, int64_t>,
                                    std::unique_ptr<ToyRun>>;
  std::unique_ptr<ToyRun>& run = runs[{options.logits, options.ties, options.gated, options.copied,
                                       options.wide, options.general.value_or(-1), options.block}];
  if (!run) run = std::move(*ToyRun::create(options));
  return *run;
}

struct Case {
  const char* name;
  std::function<void(Forgery&)> cheat;
  std::set<std::string> rejected_by;
  ToyOptions options = kArgmax;
};

// An element that the condition holds for; the test is worth nothing without.
uint64_t findElement(uint64_t count, const std::function<bool(uint64_t)>& condition) {
  for (uint64_t i = 0; i < count; ++i) {
    if (condition(i)) return i;
  }
  ADD_FAILURE() << "no element suits the cheat";
  return 0;
}

// Requantization ----------------------------------------------------------------------------------

void quotientOffByOne(Forgery& f) {
  f.onStep("/k", Step::kRequantize,
           [](const Step& step, Buffers& b) { b.at(step.requantize().quotient())[3] += 1; });
}

// The residual's addend and its quotient move together: acc is unchanged.
void residualAddendMoved(Forgery& f) {
  f.onStep("/add1", Step::kRequantize, [](const Step& step, Buffers& b) {
    EXPECT_EQ(step.requantize().shift(), step.requantize().addend_shift());
    b.at(step.requantize().quotient())[0] += 1;
  });
  f.onCells([](Forgery& g) { add(g.cell("operands", "x.0", g.rowOf("operands", "/add1")), 1); });
}

// Products ----------------------------------------------------------------------------------------

std::function<void(Forgery&)> productOffByOne(const char* node) {
  return [node](Forgery& f) {
    f.onStep(node, Step::kMatmul,
             [](const Step& step, Buffers& b) { b.at(step.matmul().out())[2] += 1; });
  };
}

void maskedScoreChanged(Forgery& f) {
  f.onStep("/attn/Softmax", Step::kSoftmax, [](const Step& step, Buffers& b) {
    const Softmax& s = step.softmax();
    b.at(s.bin())[1 * s.keys() + 2] += 1;  // query 1 does not see key 2
  });
}

// Edges -------------------------------------------------------------------------------------------

// X of a product with two tokens swapped, and the product of that.
void permutedTensor(Forgery& f) {
  f.onStep("/gelu", Step::kMatmul, [](const Step& step, Buffers& b) {
    const MatMul& s = step.matmul();
    for (uint32_t j = 0; j < s.n(); ++j) std::swap(b.at(s.out())[j], b.at(s.out())[s.n() + j]);
  });
  f.onCells([](Forgery& g) {
    for (uint64_t i = 0; i < 8; ++i) std::swap(g.operand("/fc", 0, i), g.operand("/fc", 1, i));
  });
}

// The second block's LayerNorm feeds three products; two of them take an element that is wrong by
// +1 and by -1.
void errorMovedBetweenEdges(Forgery& f) {
  constexpr uint64_t kToken = 2, kFeature = 3;
  for (auto [node, error] : {std::pair("/q.1", 1), {"/k.1", -1}}) {
    f.onStep(node, Step::kMatmul, [error = error](const Step& step, Buffers& b) {
      const MatMul& s = step.matmul();
      for (uint32_t j = 0; j < s.n(); ++j) {
        int64_t at = s.rhs_strides().offset() + kFeature * s.rhs_strides().row() +
                     j * s.rhs_strides().column();
        b.at(s.out())[kToken * s.n() + j] += error * b.at(s.rhs())[static_cast<uint64_t>(at)];
      }
    });
    f.onCells([node = node, error = error](Forgery& g) {
      add(g.operand(node, kToken, kFeature), error);
    });
  }
}

// The first factor of an element is another in the table of products than where it comes from; the
// product and all that follows are of that.
void factorChangedOnTheWay(Forgery& f) {
  f.onStep("/gate", Step::kMultiply, [](const Step& step, Buffers& b) {
    const Multiply& m = step.multiply();
    const int64_t half = int64_t{1} << (m.shift() - 1);
    const int64_t product = int64_t{b.at(m.a())[0] + 1} * b.at(m.b())[0] + half;
    b.at(m.quotient())[0] = static_cast<int32_t>(product >> m.shift());
    b.at(m.remainder())[0] = static_cast<int32_t>(product & (2 * half - 1));
  });
  f.onCells([](Forgery& g) { add(g.cell("multiply", "a.0", g.rowOf("multiply", "/gate")), 1); });
}

// An element that the table of sources does not take over as it is; all that read it are of that.
void elementChangedOnTheWay(Forgery& f) {
  f.onStep("/rotate", Step::kCopyElements, [](const Step& step, Buffers& b) {
    b.at(step.copy_elements().out())[7] += 1;  // the first of the row, moved
  });
  f.onCells([](Forgery& g) {
    const uint64_t row = g.rowOf("copied_rows_1", "/rotate");
    add(g.cell("copied_rows_1", "x.0", row), 1);
  });
}

// A value that is stored is another one in the table that maps it, which is honest from there on.
void mapOfAnotherValue(Forgery& f) {
  f.onStep("/affine.2", Step::kAffine, [](const Step& step, Buffers& b) {
    const Affine& a = step.affine();
    const int64_t half = int64_t{1} << (a.shift() - 1);
    const int64_t sum = int64_t{b.at(a.x())[0] + 1} * b.at(a.m())[0] + b.at(a.c())[0] + half;
    b.at(a.quotient())[0] = static_cast<int32_t>(sum >> a.shift());
    b.at(a.remainder())[0] = static_cast<int32_t>(sum & (2 * half - 1));
  });
  f.onCells([](Forgery& g) {
    add(g.cell("affine_by_row", "x.0", g.rowOf("affine_by_row", "/affine.2")), 1);
  });
}

// A denominator is another one in the table of quotients than where it comes from.
void denominatorChangedOnTheWay(Forgery& f) {
  f.onStep("/divide.44", Step::kDivide, [](const Step& step, Buffers& b) {
    const Divide& d = step.divide();
    const int64_t scaled = int64_t{b.at(d.a())[0]} << d.shift(), by = b.at(d.b())[0] + 1;
    const int64_t q = (2 * scaled + by) / (2 * by) - ((2 * scaled + by) % (2 * by) < 0 ? 1 : 0);
    b.at(d.quotient())[0] = static_cast<int32_t>(q);
    b.at(d.remainder())[0] = static_cast<int32_t>(scaled - by * q);
  });
  f.onCells([](Forgery& g) { add(g.cell("divide", "b.0", g.rowOf("divide", "/divide.44")), 1); });
}

// What a relay gives its readers is not what it takes.
void relayOfAnotherValue(Forgery& f) {
  f.onCells([](Forgery& g) { add(g.cell("relays", "x.0", 0), 1); });
}

// A sum that the statistics table does not take over as it is; the variance there is in order.
void statisticsChangedOnTheWay(Forgery& f) {
  f.onCells([](Forgery& g) {
    uint64_t row = g.rowOf("norm_statistics", "/ln1");
    uint64_t r = row + findElement(4, [&](uint64_t i) {
                   return g.cell("norm_statistics", "remainder", row + i) > 0;
                 });
    add(g.cell("norm_statistics", "sum_v", r), -1);
    add(g.cell("norm_statistics", "remainder", r), -1);
  });
}

// Argmax ------------------------------------------------------------------------------------------

// `chosen` and `maximum` from the row's honest ones and its values.
using Choose = std::function<std::pair<int64_t, int64_t>(int64_t best, absl::Span<const int32_t>)>;

std::function<void(Forgery&)> choose(Choose how) {
  return [how](Forgery& f) {
    f.onStep("/argmax", Step::kArgmax, [how](const Step& step, Buffers& b) {
      const Argmax& s = step.argmax();
      auto [chosen, maximum] = how(b.at(s.index())[0], b.at(s.values()).subspan(0, s.width()));
      forgeArgmaxRow(s, b, 0, chosen, maximum);
    });
  };
}

std::pair<int64_t, int64_t> secondOfTie(int64_t best, absl::Span<const int32_t> values) {
  EXPECT_EQ(values[best], values[best + 1]);
  return {best + 1, values[best]};
}
// The lanes that pad the last block hold -(2^29 - 1).
std::pair<int64_t, int64_t> beyondVocabulary(int64_t, absl::Span<const int32_t>) {
  return {kToyVocabulary, -((int64_t{1} << 29) - 1)};
}

// Tables, tokens, statement -----------------------------------------------------------------------

void swappedMultiplicities(Forgery& f) {
  f.atLast([](Forgery& g) {
    uint64_t row = findElement(1 << 12, [&](uint64_t i) {
      uint32_t a = g.cell("functions", "function0.count", i),
               b = g.cell("functions", "function0.count", i + 1);
      return a != b && a != 0 && b != 0;
    });
    std::swap(g.cell("functions", "function0.count", row),
              g.cell("functions", "function0.count", row + 1));
  });
}

// The proof of another prompt.
void anotherToken(Forgery& f) {
  f.onStep("/wte/Gather", Step::kInput, [](const Step& step, Buffers& b) {
    int32_t& id = b.at(step.input().out())[1];
    id = (id + 1) % kToyVocabulary;
  });
}

std::function<void(Forgery&)> anotherValue(PublicValues::Kind kind) {
  return [kind](Forgery& f) {
    f.atLast([kind](Forgery& g) {
      for (PublicValues& tensor : *g.statement.mutable_tensors()) {
        if (tensor.kind() != kind) continue;
        tensor.set_values(0, tensor.values(0) == 0 ? 1 : tensor.values(0) - 1);
      }
    });
  };
}

const std::vector<Case>& cases() {
  static auto& all = *new std::vector<Case>{
      {"Honest", [](Forgery&) {}, {}},
      {"HonestLogits", [](Forgery&) {}, {}, kLogits},
      {"HonestTies", [](Forgery&) {}, {}, kTies},
      {"RequantizationOffByOne", quotientOffByOne, {"products"}},
      {"ResidualAddendMoved", residualAddendMoved, {"edges"}},
      {"ProductOffByOne", productOffByOne("/add1"), {"products"}},
      {"ScoreOffByOne", productOffByOne("/attn/MatMul"), {"products"}},
      {"MixOffByOne", productOffByOne("/attn/o"), {"products"}},
      {"LogitOffByOne", productOffByOne("/argmax"), {"products"}},
      {"PublishedLogitOffByOne", productOffByOne("/head"), {"products"}, kLogits},
      {"MaskedScoreChanged", maskedScoreChanged, {"products"}},
      {"PermutedTensor", permutedTensor, {"edges"}},
      {"ErrorMovedBetweenEdges", errorMovedBetweenEdges, {"edges"}},
      {"StatisticsChangedOnTheWay", statisticsChangedOnTheWay, {"edges"}},
      {"HonestGated", [](Forgery&) {}, {}, kGated},
      {"FactorChangedOnTheWay", factorChangedOnTheWay, {"edges"}, kGated},
      {"HonestCopied", [](Forgery&) {}, {}, kCopied},
      {"ElementChangedOnTheWay", elementChangedOnTheWay, {"edges"}, kCopied},
      {"HonestGeneral", [](Forgery&) {}, {}, kGeneral},
      {"MapOfAnotherValue", mapOfAnotherValue, {"edges"}, kGeneral},
      {"DenominatorOfAnotherValue", denominatorChangedOnTheWay, {"edges"}, kGeneral},
      {"RelayOfAnotherValue", relayOfAnotherValue, {"edges", "public:a"}, kGeneral},
      {"TieTakenWrongly", choose(secondOfTie), {"lookup argmax.high"}, kTies},
      // The index cannot be published, so the public one is another.
      {"ChoiceBeyondVocabulary", choose(beyondVocabulary), {"lookup argmax.high", "public:next"}},
      {"SwappedMultiplicities", swappedMultiplicities, {"lookup functions.function0"}},
      {"AnotherToken", anotherToken, {"public:input_ids"}},
      {"AnotherInput", anotherValue(PublicValues::INPUT), {"public:input_ids"}},
      {"AnotherOutput", anotherValue(PublicValues::OUTPUT), {"public:next"}},
      {"AnotherLogit", anotherValue(PublicValues::OUTPUT), {"public:logits"}, kLogits},
  };
  return all;
}

class ForgedWitnessTest : public ::testing::TestWithParam<Case> {};

TEST_P(ForgedWitnessTest, IsRejectedByWhatItAimsAt) {
  Forgery forgery(toy(GetParam().options));
  GetParam().cheat(forgery);
  ASSERT_EQ(forgery.forge(), absl::OkStatus());
  auto failures = forgery.failures();
  ASSERT_EQ(failures.status(), absl::OkStatus());
  EXPECT_EQ(absl::StrJoin(*failures, ", "), absl::StrJoin(GetParam().rejected_by, ", "));
}

INSTANTIATE_TEST_SUITE_P(Cases, ForgedWitnessTest, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return std::string(info.param.name); });

// Cheats of the campaign (runtime/tamper/cheats.h). They draw where and how they cheat: each draw
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
