// Forged witnesses: each case is a cheating prover that recomputes all that it controls, so that
// exactly the constraint, lookup or claim that its cheat aims at is left to reject it.
#include <functional>
#include <map>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "runtime/check/checker.h"
#include "runtime/tamper/forged_rows.h"
#include "tests/soundness/forgery.h"

namespace lindero::test {
namespace {

using runtime::forgeArgmaxRow;
using runtime::forgeNormRow;
using runtime::forgeSoftmaxRow;
using runtime::NormCheat;
using runtime::QM31;
using runtime::sumSoftmaxRow;

constexpr ToyOptions kArgmax{}, kLogits{.logits = true}, kTies{.ties = true};

// One compiled toy per set of options.
const ToyRun& toy(const ToyOptions& options) {
  static auto& runs = *new std::map<std::pair<bool, bool>, std::unique_ptr<ToyRun>>;
  std::unique_ptr<ToyRun>& run = runs[{options.logits, options.ties}];
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

void remainderOutOfRange(Forgery& f) {
  f.onStep("/q", Step::kRequantize, [](const Step& step, Buffers& b) {
    const Requantize& s = step.requantize();
    b.at(s.quotient())[5] -= 1;
    b.at(s.remainder())[5] += 1 << s.shift();
  });
}

// q 2^s + r = acc + p has the solution q + 2^(31-s), r - 1.
void secondSolution(Forgery& f) {
  f.onStep("/attn/o", Step::kRequantize, [](const Step& step, Buffers& b) {
    const Requantize& s = step.requantize();
    uint64_t e = findElement(b.at(s.remainder()).size(),
                             [&](uint64_t i) { return b.at(s.remainder())[i] > 0; });
    b.at(s.quotient())[e] += 1 << (31 - s.shift());
    b.at(s.remainder())[e] -= 1;
  });
}

void quotientOffByOne(Forgery& f) {
  f.onStep("/k", Step::kRequantize,
           [](const Step& step, Buffers& b) { b.at(step.requantize().quotient())[3] += 1; });
}

void activationOfAnotherKey(Forgery& f) {
  f.onStep("/gelu", Step::kTableLookup,
           [](const Step& step, Buffers& b) { b.at(step.table_lookup().out())[9] += 1; });
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
    b.at(s.key())[1 * s.keys() + 2] += 1;  // query 1 does not see key 2
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

// LayerNorm ---------------------------------------------------------------------------------------

std::function<void(Forgery&)> norm(const char* node, NormCheat cheat, uint64_t row = 1) {
  return [=](Forgery& f) {
    f.onStep(node, Step::kLayerNorm, [&f, cheat, row](const Step& step, Buffers& b) {
      forgeNormRow(f.run().package(), step.layer_norm(), b, row, cheat);
    });
  };
}

// R differs between the blocks of a token, z follows.
void rootOfOneBlock(Forgery& f) {
  f.onStep("/ln2", Step::kLayerNorm, [](const Step& step, Buffers& b) {
    const LayerNorm& s = step.layer_norm();
    const int64_t root = b.at(s.reciprocal())[0] + 1, shift = b.at(s.shift())[0];
    for (uint32_t c = 0; c < s.lanes(); ++c) {
      int64_t scaled = (b.at(s.x())[c] - b.at(s.mean())[0]) * root + ((int64_t{1} << shift) >> 1);
      b.at(s.out())[c] = static_cast<int32_t>(scaled >> shift);
      b.at(s.remainder())[c] = static_cast<int32_t>(scaled & ((int64_t{1} << shift) - 1));
    }
  });
  f.onCells([](Forgery& g) { add(g.cell("norms", "root", g.rowOf("norms", "/ln2")), 1); });
}

std::function<void(Forgery&)> normalizedOffByOne(bool remainder) {
  return [remainder](Forgery& f) {
    f.onStep("/ln1", Step::kLayerNorm, [remainder](const Step& step, Buffers& b) {
      const LayerNorm& s = step.layer_norm();
      b.at(s.out())[4] += 1;
      if (remainder) b.at(s.remainder())[4] -= b.at(s.shift_power())[0];
    });
  };
}

// Softmax -----------------------------------------------------------------------------------------

constexpr uint64_t kQuery = 3;  // of head 0; it sees all keys

std::function<void(Forgery&)> normalizerOff(int64_t error) {
  return [error](Forgery& f) {
    f.onStep("/attn/Softmax", Step::kSoftmax, [&f, error](const Step& step, Buffers& b) {
      forgeSoftmaxRow(f.run().package(), step.softmax(), b, kQuery, error);
    });
  };
}

// There is no reciprocal in the circuit: the row's one witness is L. (L - k) 2^s - r = S + p has
// the solution L + 2^(31-s), r + 1, with keys and probabilities unchanged.
void wrappedNormalizer(Forgery& f) {
  f.onStep("/attn/Softmax", Step::kSoftmax, [](const Step& step, Buffers& b) {
    const Softmax& s = step.softmax();
    const int32_t last = (1 << s.score_shift()) - 1;  // the largest remainder
    auto remainder = [&](uint64_t row, uint64_t i) -> int32_t& {
      return b.at(s.remainder())[row * s.keys() + i];
    };
    uint64_t row = findElement(s.heads() * s.queries(), [&](uint64_t r) {
      bool fits = true;
      for (uint64_t i = 0; i <= r % s.queries(); ++i) fits &= remainder(r, i) < last;
      return fits;
    });
    b.at(s.normalizer_high_limb())[row] += 1 << (31 - s.score_shift() - 16);
    for (uint64_t i = 0; i <= row % s.queries(); ++i) remainder(row, i) += 1;
  });
}

// The same with k + 2^(31-s), r - 1.
void wrappedKey(Forgery& f) {
  f.onStep("/attn/Softmax", Step::kSoftmax, [](const Step& step, Buffers& b) {
    const Softmax& s = step.softmax();
    uint64_t e = kQuery * s.keys() + findElement(s.keys(), [&](uint64_t i) {
                   return b.at(s.remainder())[kQuery * s.keys() + i] > 0;
                 });
    b.at(s.key())[e] += 1 << (31 - s.score_shift());
    b.at(s.remainder())[e] -= 1;
  });
}

void probabilityOfAnotherKey(Forgery& f) {
  f.onStep("/attn/Softmax", Step::kSoftmax, [&f](const Step& step, Buffers& b) {
    const Softmax& s = step.softmax();
    absl::Span<const uint32_t> exp =
        f.run().package().fixedColumn(s.exp_table(), s.exp_column() + 2);
    uint64_t e = kQuery * s.keys() + findElement(s.keys(), [&](uint64_t i) {
                   int32_t k = b.at(s.key())[kQuery * s.keys() + i];
                   return b.at(s.probability())[kQuery * s.keys() + i] !=
                          static_cast<int32_t>(exp[s.exp_first_row() + k + 1]);
                 });
    b.at(s.probability())[e] = static_cast<int32_t>(exp[s.exp_first_row() + b.at(s.key())[e] + 1]);
    sumSoftmaxRow(s, b, kQuery);
  });
}

// k and p of the next row of the table, and a remainder that makes up for it.
void scoreRemainderOutOfRange(Forgery& f) {
  f.onStep("/attn/Softmax", Step::kSoftmax, [&f](const Step& step, Buffers& b) {
    const Softmax& s = step.softmax();
    const runtime::Package& package = f.run().package();
    const uint64_t e = kQuery * s.keys() + 1;
    const int32_t next = b.at(s.key())[e] + 1;
    ASSERT_LT(next, static_cast<int32_t>(s.live_rows()));
    b.at(s.key())[e] = next;
    b.at(s.remainder())[e] -= 1 << s.score_shift();
    b.at(s.probability())[e] = static_cast<int32_t>(
        package.fixedColumn(s.exp_table(), s.exp_column() + 2)[s.exp_first_row() + next]);
    b.at(s.previous_probability())[e] = static_cast<int32_t>(
        package.fixedColumn(s.exp_table(), s.exp_column() + 3)[s.exp_first_row() + next]);
    sumSoftmaxRow(s, b, kQuery);
  });
}

// Query 1 mixes in the value at position 3.
void attentionToTheFuture(Forgery& f) {
  f.onStep("/attn/Softmax", Step::kSoftmax, [](const Step& step, Buffers& b) {
    const Softmax& s = step.softmax();
    uint64_t row = findElement(2,
                               [&](uint64_t head) {
                                 uint64_t r = head * s.queries() + 1;
                                 return b.at(s.probability_sums())[r] < 65536;
                               }) *
                       s.queries() +
                   1;
    b.at(s.probability())[row * s.keys() + 3] += 1;
    sumSoftmaxRow(s, b, row);
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

std::pair<int64_t, int64_t> notAttained(int64_t best, absl::Span<const int32_t> values) {
  return {best, values[best] + 1};
}
std::pair<int64_t, int64_t> notMaximal(int64_t best, absl::Span<const int32_t> values) {
  int64_t other = best == 0 ? 1 : 0;
  return {other, values[other]};
}
std::pair<int64_t, int64_t> secondOfTie(int64_t best, absl::Span<const int32_t> values) {
  EXPECT_EQ(values[best], values[best + 1]);
  return {best + 1, values[best]};
}
// The lanes that pad the last block hold -(2^29 - 1).
std::pair<int64_t, int64_t> beyondVocabulary(int64_t, absl::Span<const int32_t>) {
  return {kToyVocabulary, -((int64_t{1} << 29) - 1)};
}

// Nothing is chosen: every entry is smaller than a maximum that none has, and the index says 0.
void nothingChosen(Forgery& f) {
  f.onStep("/argmax", Step::kArgmax, [](const Step& step, Buffers& b) {
    const Argmax& s = step.argmax();
    const int64_t blocks = (s.width() + s.lanes() - 1) / s.lanes();
    int64_t best = b.at(s.index())[0];
    forgeArgmaxRow(s, b, 0, blocks * s.lanes(), b.at(s.values())[best] + 1);
    b.at(s.index())[0] = 0;
    for (int64_t block = 0; block < blocks; ++block) b.at(s.index_sums())[block] = 0;
  });
}

void indexOffByOne(Forgery& f) {
  f.onStep("/argmax", Step::kArgmax, [](const Step& step, Buffers& b) {
    const Argmax& s = step.argmax();
    const uint32_t blocks = (s.width() + s.lanes() - 1) / s.lanes();
    int32_t error = b.at(s.index())[0] == 0 ? 1 : -1;
    b.at(s.index())[0] += error;
    b.at(s.index_sums())[blocks - 1] += error;
  });
}

// Of two maxima side by side the first has b = -1 and no gap, which takes 1 off the index.
void countOfMinusOne(Forgery& f) {
  f.onStep("/argmax", Step::kArgmax, [](const Step& step, Buffers& b) {
    const Argmax& s = step.argmax();
    const uint64_t blocks = (s.width() + s.lanes() - 1) / s.lanes(), width = blocks * s.lanes();
    const uint64_t row = findElement(s.rows(), [&](uint64_t r) { return b.at(s.index())[r] > 0; });
    const auto best = static_cast<uint64_t>(b.at(s.index())[row]);
    b.at(s.before())[row * width + best] = -1;
    b.at(s.low())[row * width + best] = 1;
    b.at(s.index())[row] -= 1;
    for (uint64_t block = best / s.lanes(); block < blocks; ++block) {
      b.at(s.index_sums())[row * blocks + block] -= 1;
    }
  });
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

// The token stays, its features are another word's.
void wrongEmbeddingRow(Forgery& f) {
  f.onStep("/wte/Gather", Step::kGatherRows, [](const Step& step, Buffers& b) {
    const GatherRows& s = step.gather_rows();
    ASSERT_NE(b.at(s.ids())[1], b.at(s.ids())[2]);
    for (uint32_t c = 0; c < s.width(); ++c) {
      int32_t first = b.at(s.addend())[s.width() + c], second = b.at(s.addend())[2 * s.width() + c];
      b.at(s.out())[s.width() + c] = b.at(s.out())[2 * s.width() + c] - second + first;
    }
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
      {"RemainderOutOfRange", remainderOutOfRange, {"lookup results.remainder"}},
      {"SecondSolutionOfWideRequantization", secondSolution, {"lookup results.function"}},
      {"RequantizationOffByOne", quotientOffByOne, {"products"}},
      {"ActivationOfAnotherKey", activationOfAnotherKey, {"lookup results.function"}},
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
      {"MeanTooLarge", norm("/ln1", {.mean_error = 1}), {"lookup norm_statistics.mean low"}},
      {"MeanTooSmall", norm("/ln1", {.mean_error = -1}), {"lookup norm_statistics.mean high"}},
      {"MeanInRmsNorm", norm("/ln1.1", {.mean = 1}), {"constraint norms.no mean"}},
      {"RootOffByOne", norm("/ln1", {.root_error = 1}), {"lookup norm_statistics.root"}},
      {"RootOfOneBlock", rootOfOneBlock, {"constraint norms.one root per token"}},
      // The root is not witnessed but tabulated by the variance's mantissa, so that is what wraps.
      {"WrappedRoot",
       norm("/ln2", {.root_error = -1, .wrap_variance = true}),
       {"lookup norm_statistics.mantissa", "lookup norm_statistics.root"}},
      {"SquareOffByOne", norm("/ln1", {.square_error = 1}), {"lookup norms.square"}},
      {"NormalizedOffByOne", normalizedOffByOne(false), {"constraint norms.normalize"}},
      {"NormalizedRemainderOutOfRange", normalizedOffByOne(true), {"lookup norms.remainder"}},
      {"LogSumExpTooLarge", normalizerOff(1), {"lookup softmax.mass one step before"}},
      {"LogSumExpTooSmall", normalizerOff(-1), {"lookup softmax.mass"}},
      {"WrappedReciprocal", wrappedNormalizer, {"lookup softmax.normalizer high"}},
      {"WrappedKey", wrappedKey, {"lookup softmax.exponential"}},
      {"ProbabilityOfAnotherKey", probabilityOfAnotherKey, {"lookup softmax.exponential"}},
      {"ScoreRemainderOutOfRange", scoreRemainderOutOfRange, {"lookup softmax.score remainder"}},
      {"AttentionToTheFuture", attentionToTheFuture, {"constraint softmax.masked probability"}},
      {"MaximumNotAttained", choose(notAttained), {"constraint argmax.the maximum is attained"}},
      {"MaximumNotMaximal", choose(notMaximal), {"lookup argmax.high"}},
      {"TieTakenWrongly", choose(secondOfTie), {"lookup argmax.high"}, kTies},
      {"CountOfMinusOne", countOfMinusOne, {"constraint argmax.before is a bit"}, kTies},
      // The index cannot be published, so the public one is another.
      {"ChoiceBeyondVocabulary", choose(beyondVocabulary), {"lookup argmax.high", "public:next"}},
      {"NothingChosen",
       nothingChosen,
       {"constraint argmax.index of the chosen", "constraint argmax.something is chosen"}},
      {"IndexOffByOne", indexOffByOne, {"constraint argmax.index of the chosen"}},
      {"SwappedMultiplicities", swappedMultiplicities, {"lookup functions.function0"}},
      {"WrongEmbeddingRow", wrongEmbeddingRow, {"lookup embeddings.row", "lookup weights.row"}},
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

}  // namespace
}  // namespace lindero::test
