// What the gadgets accept, by enumeration: for given inputs, every witness that a cheating prover
// could commit is tried on the expressions, constraints and lookups of the circuit as it is
// emitted, in the field, and at most one is accepted. Nothing here knows the formulas: a cell that
// stands in an equation with the coefficient 1 or -1 is solved for, all others are enumerated.
#include <map>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/dialects.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/lower_air/verify_intervals/verify_intervals.h"
#include "passes/quantize/tables.h"
#include "tests/soundness/table_view.h"
#include "tests/soundness/toy_gpt.h"

namespace lindero::test {
namespace {

// x of 4 features in [-1, 1], y = requantize(x w), |x w| <= bound.
void makeRequantize(ir::Module& module, int64_t shift, int64_t bits, int64_t bound,
                    std::vector<int64_t> weights) {
  ir::Function* f = module.addFunction("main");
  ir::Builder b(&f->body());
  b.setLocation({"/fc"});
  ir::Value* x = f->body().addArgument(ir::Type::fixed({4, 4}, 4, -1, 1), "x");
  const auto& c = module.constants().addOwned<int64_t>("w", {4, 4}, std::move(weights));
  ir::Value* w = b.value("integer.constant", {}, ir::Type::fixed({4, 4}, 4, -bound, bound),
                         {{"value", ir::Symbol{c.name}}});
  ir::Value* acc = b.value("integer.linear", {x, w}, ir::Type::fixed({4, 4}, 8, -bound, bound));
  int64_t half = int64_t{1} << (bits - 1);
  ir::Value* q = b.value("integer.requantize", {acc}, ir::Type::fixed({4, 4}, 8, -half, half - 1),
                         {{"shift", shift}, {"bits", bits}});
  b.create("integer.return", {q}, {}, {{"names", std::vector<std::string>{"y"}}});
  ASSERT_TRUE(passes::createLowerToAir({.widest = true})->run(module).ok());
}

void makeRequantize(ir::Module& module, int64_t shift, int64_t bits, int64_t bound) {
  makeRequantize(module, shift, bits, bound, std::vector<int64_t>(16, bound / 4));
}

// The quotients that are accepted for an accumulator.
std::vector<int64_t> quotients(TableView& t, const Tuples& tuples, int64_t bits, int64_t acc) {
  std::vector<int64_t> out;
  ir::Value* lane = t.lanes()[0];
  for (int64_t q = -(int64_t{1} << (bits - 1)); q < int64_t{1} << (bits - 1); ++q) {
    t.set("q.0", 0, q);
    // Most remainders are far out of range: do not ask the table.
    if (t.solve("r.0", 0, lane, acc) > 65535) continue;
    if (t.found("function.0", 0, tuples) && t.found("remainder.0", 0, tuples)) out.push_back(q);
  }
  return out;
}

class Uniqueness : public ::testing::Test {
 protected:
  void SetUp() override { ir::registerAllDialects(); }
};

TEST_F(Uniqueness, RequantizeOfEveryAccumulator) {
  for (int64_t shift : {1, 3, 5}) {
    for (int64_t bits : {2, 4}) {
      ir::Module module;
      const int64_t bound = 160, half = int64_t{1} << (bits - 1);
      makeRequantize(module, shift, bits, bound);
      EXPECT_TRUE(passes::createVerifyIntervals()->run(module).ok());
      TableView t(module, "results");
      Tuples tuples = allTuples(module);
      for (int64_t acc = -bound; acc <= bound; ++acc) {
        int64_t q = (acc + (int64_t{1} << (shift - 1))) >> shift;
        std::vector<int64_t> expected;
        if (-half <= q && q < half) expected.push_back(q);
        EXPECT_EQ(quotients(t, tuples, bits, acc), expected) << shift << " " << bits << " " << acc;
      }
    }
  }
}

TEST_F(Uniqueness, WideRequantizeHasTwoWitnessesAndIsRefused) {
  for (int64_t bits : {15, 16}) {
    ir::Module module;
    const int64_t bound = (int64_t{1} << 30) - (1 << 16) - 4;
    makeRequantize(module, 16, bits, bound);
    EXPECT_EQ(passes::createVerifyIntervals()->run(module).ok(), bits == 15);
    TableView t(module, "results");
    Tuples tuples = allTuples(module);
    size_t most = 0;
    for (int64_t acc : {bound, -bound, int64_t{0}, int64_t{1} << 29, -(int64_t{1} << 29)}) {
      most = std::max(most, quotients(t, tuples, bits, acc).size());
    }
    EXPECT_EQ(most, bits == 15 ? 1u : 2u);
  }
}

// The bound comes from the weights in the circuit, not from the program's types: one weight that
// is too large is enough, wherever it stands.
TEST_F(Uniqueness, EachWeightCountsForTheBound) {
  const int64_t largest = (int64_t{1} << 30) - (1 << 16);
  for (int at = 0; at < 16; ++at) {
    for (int64_t weight : {largest, -largest, largest + (3 << 14), -largest - (3 << 14)}) {
      ir::Module module;
      std::vector<int64_t> weights(16, 0);
      weights[at] = weight;
      makeRequantize(module, 16, 15, largest, weights);
      absl::Status status = passes::createVerifyIntervals()->run(module).status();
      if (std::abs(weight) == largest) {
        EXPECT_EQ(status, absl::OkStatus()) << at;
      } else {
        EXPECT_THAT(status.message(), ::testing::HasSubstr("the product in"))
            << at << " " << weight;
      }
    }
  }
}

// z = layernorm(x) with 16-bit outputs and a table for variances of at most 2^(16 + 2 limit).
absl::Status verifyLayerNorm(int64_t limit, int64_t max_exponent) {
  ir::Module module;
  ir::Function* f = module.addFunction("main");
  ir::Builder b(&f->body());
  b.setLocation({"/ln"});
  const int shift = passes::squareShift(8);
  auto root = passes::reciprocalRootTable(8, shift, 12, 16, limit);
  if (!root.ok()) return root.status();
  const auto& c =
      module.constants().addOwned<int32_t>("root", {65536, 2}, std::move(root->entries));
  ir::Value* x = f->body().addArgument(ir::Type::fixed({4, 8}, 8, -32768, 32767), "x");
  ir::Value* r = b.value("integer.constant", {}, ir::Type::fixed({65536, 2}, 0, 0, 16384),
                         {{"value", ir::Symbol{c.name}}});
  ir::Value* z = b.value("integer.layernorm", {x, r}, ir::Type::fixed({4, 8}, 12, -32768, 32767),
                         {{"square_shift", int64_t{shift}},
                          {"epsilon", int64_t{1}},
                          {"output_bits", int64_t{16}},
                          {"max_exponent", max_exponent},
                          {"has_mean", true}});
  b.create("integer.return", {z}, {}, {{"names", std::vector<std::string>{"z"}}});
  if (auto status = passes::createLowerToAir({.widest = true})->run(module).status(); !status.ok())
    return status;
  return passes::createVerifyIntervals()->run(module).status();
}

// A larger exponent than the table is made for means a larger shift, with which z has two
// witnesses.
TEST_F(Uniqueness, AVarianceBeyondTheTableIsRefused) {
  EXPECT_EQ(verifyLayerNorm(5, 5), absl::OkStatus());
  absl::Status status = verifyLayerNorm(5, 7);
  EXPECT_THAT(std::string(status.message()),
              ::testing::AllOf(::testing::HasSubstr("norms.normalize.0 (node /ln, row 0)"),
                               ::testing::HasSubstr("can differ by p or more")));
}

class ToyUniqueness : public Uniqueness {
 protected:
  void SetUp() override {
    Uniqueness::SetUp();
    ASSERT_EQ(makeToyGpt(module_), absl::OkStatus());
    ASSERT_TRUE(passes::createLowerToAir({.lanes = 4, .widest = true})->run(module_).ok());
    ASSERT_EQ(passes::createVerifyIntervals()->run(module_).status(), absl::OkStatus());
    tuples_ = allTuples(module_);
  }
  ir::Module module_;
  Tuples tuples_;
  std::mt19937 random_{1};
};

// All normalizers near the least with sum p <= 2^P, and many far ones; for each score every row of
// the table of exponentials.
TEST_F(ToyUniqueness, SoftmaxHasOneNormalizer) {
  TableView t(module_, "softmax");
  const int64_t row = kToyTokens - 1;  // the last query sees all keys; a block is a row
  std::vector<ir::Value*> lanes = t.lanes();
  ASSERT_EQ(lanes.size(), size_t{kToyTokens});
  std::vector<std::vector<int64_t>> table;
  for (const std::vector<int64_t>& tuple : tuples_.at("exponential")) {
    if (tuple[0] == t.get("table", row)) table.push_back(tuple);
  }
  for (int64_t spread : {0, 300, 2'000'000}) {
    std::vector<int64_t> scores;
    for (int i = 0; i < kToyTokens; ++i) scores.push_back(int64_t(random_() % (spread + 1)));
    bool all_fit = false;  // every score has its row
    auto accepted = [&](int64_t l) {
      all_fit = false;
      t.set("normalizer_low", row, l & 0xffff), t.set("normalizer_high", row, l >> 16);
      int64_t sum = 0, before = 0;
      for (int i = 0; i < kToyTokens; ++i) {
        std::string lane = absl::StrCat(".", i);
        t.set("k" + lane, row, 0), t.set("r" + lane, row, 0);
        int64_t origin = t.eval(lanes[i], row);
        t.set("k" + lane, row, 1);
        int64_t slope = centered(mod(t.eval(lanes[i], row) - origin));
        int fits = 0;
        for (const auto& e : table) {
          // score = origin + slope k - r
          int64_t r = ((origin - scores[i] + slope * e[1]) % kP + kP) % kP;
          if (r > 65535) continue;
          t.set("k" + lane, row, e[1]), t.set("w" + lane, row, e[2]), t.set("r" + lane, row, r);
          t.set("p" + lane, row, e[3]), t.set("previous" + lane, row, e[4]);
          EXPECT_EQ(t.eval(lanes[i], row), mod(scores[i]));
          if (!t.found("exponential" + lane, row, tuples_)) continue;
          if (!t.found("score remainder" + lane, row, tuples_)) continue;
          ++fits, sum += e[3], before += e[4];
        }
        EXPECT_LE(fits, 1);
        if (fits == 0) return false;
      }
      all_fit = true;
      t.set("sum", row, sum), t.set("previous_sum", row, before);
      for (const char* lookup :
           {"mass", "mass one step before", "normalizer low", "normalizer high"}) {
        if (!t.found(lookup, row, tuples_)) return false;
      }
      return true;
    };
    // L is near the largest score: where the table's first rows stand.
    t.set("k.0", row, 0), t.set("r.0", row, 0);
    t.set("normalizer_high", row, 0), t.set("normalizer_low", row, 0);
    int64_t origin = centered(t.eval(lanes[0], row));
    t.set("normalizer_low", row, 1);
    int64_t unit = centered(t.eval(lanes[0], row)) - origin;
    int64_t top = (*std::max_element(scores.begin(), scores.end()) - origin) / unit;
    std::vector<int64_t> found;
    std::set<int64_t> tried;
    for (int i = 0; i < 60; ++i) tried.insert(int64_t(random_() % (1 << 20)));
    int64_t low = top - 20, high = top + 8000;
    auto tooSmall = [&](int64_t l) {  // a score above L has no row; else sum p > 2^P
      accepted(l);
      return !all_fit || centered(t.tuple(t.rule("mass"), row)[1]) < 0;
    };
    while (high - low > 1) (tooSmall((low + high) / 2) ? low : high) = (low + high) / 2;
    for (int64_t l = high - 15; l < high + 15; ++l) tried.insert(l);
    for (int64_t l : tried) {
      if (l >= 0 && accepted(l)) found.push_back(l);
    }
    EXPECT_EQ(found, std::vector<int64_t>{high}) << spread;
  }
}

// Every mean, every (mantissa, exponent), every output.
TEST_F(ToyUniqueness, LayerNormHasOneOutput) {
  TableView t(module_, "norms"), s(module_, "norm_statistics");
  const int kLanes = 4, kBlocks = 2;  // of a token of width 8
  for (int64_t spread : {0, 3, 1000, 12000}) {
    std::vector<int64_t> x;
    for (int i = 0; i < kLanes * kBlocks; ++i) {
      x.push_back(int64_t(random_() % (2 * spread + 1)) - spread);
      t.set(absl::StrCat("x.", i % kLanes), i / kLanes, x.back());
    }
    std::vector<int64_t> means;
    int statistics = 0;
    for (int64_t mean = -33000; mean <= 33000; ++mean) {
      int64_t sum_d = 0, sum_v = 0;
      bool fits = true;
      for (int i = 0; i < kLanes * kBlocks && fits; ++i) {
        t.set("mean", i / kLanes, mean);
        std::vector<int64_t> tuple =
            t.tuple(t.rule(absl::StrCat("square.", i % kLanes)), i / kLanes);
        auto it = tuples_.at("function").lower_bound({tuple[0], tuple[1], 0});
        fits = it != tuples_.at("function").end() && (*it)[0] == tuple[0] && (*it)[1] == tuple[1];
        if (!fits) break;
        sum_d += centered(tuple[1]), sum_v += (*it)[2];
      }
      s.set("sum_d", 0, sum_d), s.set("sum_v", 0, sum_v);
      if (!fits || !s.found("mean low", 0, tuples_) || !s.found("mean high", 0, tuples_)) continue;
      means.push_back(mean);
      for (const auto& four : tuples_.at("four")) {
        s.set("exponent", 0, four[1]), s.set("power_four", 0, four[2]), s.set("low", 0, four[3]);
        if (!s.found("power of four", 0, tuples_)) continue;
        for (int64_t m = 0; m < 65536; ++m) {
          s.set("mantissa", 0, m);
          if (s.solve("remainder", 0, s.rule("variance").operand(0), 0) > 65535) continue;
          if (!s.found("variance remainder", 0, tuples_)) continue;
          if (!s.found("mantissa", 0, tuples_)) continue;
          ++statistics;
          for (const auto& root : tuples_.at("root")) {
            if (root[1] != m) continue;
            s.set("root", 0, root[2]), s.set("shift", 0, root[3] + four[1]);
            ASSERT_TRUE(s.found("root", 0, tuples_));
          }
        }
      }
    }
    EXPECT_EQ(means.size(), 1u);
    EXPECT_EQ(statistics, 1);
    const int64_t shift = s.get("shift", 0), mean = means.empty() ? 0 : means[0];
    for (int row = 0; row < kBlocks; ++row) {
      t.set("mean", row, mean), t.set("root", row, s.get("root", 0));
      t.set("shift", row, shift), t.set("power", row, int64_t{1} << shift);
    }
    s.set("power", 0, int64_t{1} << shift);
    EXPECT_TRUE(s.found("power of two", 0, tuples_));
    int outputs = 0;
    for (int64_t z = -2048; z < 2048; ++z) {
      t.set("z.1", 0, z);
      if (t.solve("r.1", 0, t.rule("normalize.1").operand(0), 0) > 65535) continue;
      outputs += t.found("output.1", 0, tuples_) && t.found("remainder.1", 0, tuples_);
    }
    EXPECT_EQ(outputs, 1) << spread;
  }
}

class WideUniqueness : public Uniqueness {
 protected:
  void SetUp() override {
    Uniqueness::SetUp();
    ASSERT_EQ(makeToyGpt(module_, {.wide = true}), absl::OkStatus());
    ASSERT_TRUE(passes::createLowerToAir({.lanes = 4, .widest = true})->run(module_).ok());
    ASSERT_EQ(passes::createVerifyIntervals()->run(module_).status(), absl::OkStatus());
    tuples_ = allTuples(module_);
  }

  // How many pairs of a shifted value and what is shifted out fit an element of row 0, whose mean
  // and row power are set; the last one stays.
  int fits(TableView& t, int lane, int64_t row, int64_t e) {
    const std::string at = absl::StrCat(".", lane);
    t.set("u" + at, row, 0), t.set("q" + at, row, 0);
    const int64_t d = t.eval(t.rule("shift" + at).operand(0), row);
    const int64_t inverse = mod(int64_t{1} << (31 - e) % 31);  // of 2^e: 2^31 = 1
    const std::set<std::vector<int64_t>>& squares = tuples_.at("row_square");
    int count = 0;
    int64_t u = 0, q = 0;
    for (int64_t out = 0; out < int64_t{1} << e; ++out) {
      const int64_t shifted = mod(__int128(d - out) * inverse);
      const auto found = squares.lower_bound({t.get("square", row), shifted, 0, 0});
      if (found == squares.end() || (*found)[0] != t.get("square", row) || (*found)[1] != shifted)
        continue;
      u = shifted, q = out, ++count;
      t.set("v" + at, row, (*found)[2]), t.set("c" + at, row, (*found)[3]);
    }
    t.set("u" + at, row, u), t.set("q" + at, row, q);
    if (count > 0) {
      EXPECT_TRUE(t.zero("shift" + at, row));
      EXPECT_TRUE(t.found("square" + at, row, tuples_));
      EXPECT_TRUE(t.found("shifted out" + at, row, tuples_));
    }
    return count;
  }

  ir::Module module_;
  Tuples tuples_;
  std::mt19937 random_{1};
};

// Every row shift, every mean near the right one and many far ones, for each element every value
// that may be shifted out; then every output.
TEST_F(WideUniqueness, WideNormHasOneRowShiftAndOneOutput) {
  TableView t(module_, "wide_norms"), s(module_, "wide_norm_statistics");
  const int kLanes = 4, kBlocks = 2;  // of a token of width 8
  for (int64_t spread : {0, 900, 16384, 32767, 32768, 65535, 1000000, 4 << 20}) {
    std::vector<int64_t> x;
    for (int i = 0; i < kLanes * kBlocks; ++i) {
      // At the ends of what a shift holds, too.
      const int64_t inner = int64_t(random_() % (2 * spread + 1)) - spread;
      x.push_back(i == 1 ? spread : i == 6 ? -spread : inner);
      t.set(absl::StrCat("x.", i % kLanes), i / kLanes, x.back());
    }
    const int64_t sum = std::accumulate(x.begin(), x.end(), int64_t{0});
    std::set<int64_t> means{0};
    for (int64_t near = -20; near <= 20; ++near) {
      for (int64_t far : {int64_t{0}, (kP + 1) / 8, -(kP + 1) / 8})
        means.insert(sum / 8 + near + far);
    }
    for (int i = 0; i < 40; ++i) means.insert(int64_t(random_() % (1 << 25)) - (1 << 24));
    std::vector<std::pair<int64_t, int64_t>> accepted;
    for (const std::vector<int64_t>& shift : tuples_.at("row_shift")) {
      if (shift[0] == 0) continue;  // no table's
      for (int64_t mean : means) {
        bool fit = true;
        int64_t sums[4] = {};
        for (int i = 0; i < kLanes * kBlocks && fit; ++i) {
          const int64_t row = i / kLanes;
          t.set("mean", row, mean), t.set("row_shift", row, shift[1]);
          t.set("row_power", row, shift[2]), t.set("coarse", row, shift[3]);
          const int count = fits(t, i % kLanes, row, shift[1]);
          EXPECT_LE(count, 1);
          fit = count == 1;
          const char* columns[] = {"u.", "q.", "v.", "c."};
          for (int k = 0; k < 4; ++k)
            sums[k] += centered(t.get(absl::StrCat(columns[k], i % kLanes), row));
        }
        if (!fit) continue;
        s.set("sum_u", 0, sums[0]), s.set("sum_q", 0, sums[1]);
        s.set("sum_v", 0, sums[2]), s.set("count", 0, sums[3]);
        s.set("row_shift", 0, shift[1]), s.set("row_power", 0, shift[2]);
        s.set("coarse", 0, shift[3]), s.set("epsilon", 0, shift[4]);
        bool found = true;
        for (const char* rule : {"mean low", "mean high", "row shift", "a large element"})
          found = found && s.found(rule, 0, tuples_);
        if (found) accepted.push_back({mean, shift[1]});
      }
    }
    int64_t e = 0;  // the least
    const int64_t mean = (2 * sum + 8 - ((2 * sum + 8) % 16 + 16) % 16) / 16;
    for (int64_t value : x) {
      while ((value - mean) >> e < -32768 || (value - mean) >> e > 32767) ++e;
    }
    EXPECT_THAT(accepted, ::testing::ElementsAre(std::pair(mean, e))) << spread;
    // The rest is as in a norm that is not wide.
    t.set("coarse", 0, e > 0), t.set("root", 0, 700);
    t.set("shift", 0, 12), t.set("power", 0, 4096);
    t.set("u.1", 0, 3000);
    int outputs = 0;
    for (int64_t z = -2048; z < 2048; ++z) {
      t.set("z.1", 0, z);
      if (t.solve("r.1", 0, t.rule("normalize.1").operand(0), 0) > 65535) continue;
      outputs += t.found("output.1", 0, tuples_) && t.found("remainder.1", 0, tuples_);
    }
    EXPECT_EQ(outputs, 1) << spread;
  }
}

// Every pattern of bits, and every maximum that some entry attains, or nearly.
TEST_F(ToyUniqueness, ArgmaxHasOneChoice) {
  TableView t(module_, "argmax");
  const int kLanes = 4, kBlocks = 3;  // of 10 words
  std::vector<ir::Value*> lanes = t.lanes();
  ASSERT_EQ(lanes.size(), size_t{kLanes});
  for (int round = 0; round < 12; ++round) {
    const int64_t limit = round % 3 == 0 ? 2 : (int64_t{1} << 29) - 2;
    std::vector<int64_t> logits;
    for (int64_t i = 0; i < kToyVocabulary; ++i) {
      logits.push_back(int64_t(random_() % (2 * limit + 1)) - limit);
    }
    // Padding lanes have no weights: their product is zero.
    std::vector<int64_t> values = logits;
    values.resize(kLanes * kBlocks, 0);
    std::vector<int64_t> choices;
    for (int bits = 0; bits < 1 << (kLanes * kBlocks); ++bits) {
      bool boolean = true;
      for (int i = 0; i < kLanes * kBlocks; ++i) {
        t.set(absl::StrCat("before.", i % kLanes), i / kLanes, (bits >> i) & 1);
      }
      for (int row = 0; row < kBlocks && boolean; ++row) {
        for (int l = 0; l < kLanes; ++l) {
          boolean &= t.zero(absl::StrCat("before is a bit.", l), row);
        }
        boolean &= t.zero("something is chosen", row);
      }
      if (!boolean) continue;
      std::set<int64_t> maxima{-((int64_t{1} << 29) - 1), (int64_t{1} << 29) - 1};
      for (int64_t v : logits) maxima.insert({v - 1, v, v + 1});
      for (int64_t maximum : maxima) {
        bool fits = true;
        for (int i = 0; i < kLanes * kBlocks && fits; ++i) {
          int row = i / kLanes, l = i % kLanes;
          std::string lane = absl::StrCat(".", l);
          t.set("maximum", row, maximum), t.set("high" + lane, row, 0);
          int64_t rest = t.solve("low" + lane, row, lanes[l], values[i]);
          t.set("high" + lane, row, rest >> 15), t.set("low" + lane, row, rest & 0x7fff);
          EXPECT_EQ(t.eval(lanes[l], row), mod(values[i]));
          fits = t.found("high" + lane, row, tuples_) && t.found("low" + lane, row, tuples_) &&
                 t.zero("the maximum is attained" + lane, row);
        }
        if (fits) choices.push_back(__builtin_popcount(bits));
      }
    }
    int64_t best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    EXPECT_EQ(choices, std::vector<int64_t>{best}) << round;
  }
}

}  // namespace
}  // namespace lindero::test
