// The kernel against plain formulas, and the equations that its witnesses have to satisfy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/trace/step_kernels.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

TEST_F(StepKernels, Softmax) {
  constexpr int kHeads = 2, kQueries = 12, kLanes = 5, kShift = 4;
  for (bool causal : {false, true}) {
    const int keys = causal ? kQueries : 17, rows = kHeads * kQueries,
              row_tiles = (keys + kLanes - 1) / kLanes;
    program_.Clear();
    initial_.clear();
    std::vector<int64_t> scores;
    for (int row = 0; row < rows; ++row) {
      // Flat rows, ordinary ones, and rows that end in dead bins.
      const int64_t amplitudes[] = {0, 10, 100, 1000, 16000};
      int64_t amplitude = amplitudes[row % 5];
      std::vector<int64_t> drawn = draw(keys, -amplitude, amplitude);
      scores.insert(scores.end(), drawn.begin(), drawn.end());
    }
    Softmax s;
    s.set_scores(buffer(scores));
    s.set_heads(kHeads), s.set_queries(kQueries), s.set_keys(keys), s.set_lanes(kLanes),
        s.set_causal(causal);
    s.set_score_shift(kShift), s.set_probability_bits(kProbabilityBits);
    s.set_normalizer_low(-70000), s.set_normalizer_bits(18);
    s.set_exp_table(1), s.set_exp_column(0), s.set_exp_first_row(5);
    s.set_live_rows(kLive), s.set_dead_rows(kDead), s.set_dead_width(kDeadWidth),
        s.set_exp_at_minus_one(expValue(-1));
    s.set_normalizer_low_limb(buffer(static_cast<size_t>(rows))),
        s.set_normalizer_high_limb(buffer(static_cast<size_t>(rows)));
    s.set_bin(buffer(scores.size())), s.set_width(buffer(scores.size())),
        s.set_remainder(buffer(scores.size()));
    s.set_probability(buffer(scores.size())), s.set_previous_probability(buffer(scores.size()));
    s.set_probability_sums(buffer(static_cast<size_t>(rows * row_tiles)));
    s.set_previous_probability_sums(buffer(static_cast<size_t>(rows * row_tiles)));
    ASSERT_TRUE(run(s).ok()) << run(s);
    std::vector<int64_t> low = result(s.normalizer_low_limb()),
                         high = result(s.normalizer_high_limb()), bin = result(s.bin()),
                         width = result(s.width()), remainder = result(s.remainder()),
                         p = result(s.probability()), previous = result(s.previous_probability()),
                         p_sums = result(s.probability_sums()),
                         previous_sums = result(s.previous_probability_sums());
    int dead = 0;
    for (int row = 0; row < rows; ++row) {
      const int visible = causal ? row % kQueries + 1 : keys;
      auto sigma = [&](int i) {
        return static_cast<int64_t>(-std::floor((8.0 - scores[row * keys + i]) / 16));
      };
      // The least L whose probabilities fit, by trying.
      int64_t normalizer = -100000;
      for (int64_t sum = 1 << 30; sum > 1 << kProbabilityBits; ++normalizer) {
        sum = 0;
        for (int i = 0; i < visible; ++i)
          sum += expValue(std::max<int64_t>(normalizer + 1 - sigma(i), -1));
      }
      ASSERT_EQ(low[row] + (high[row] << 16) - 70000, normalizer) << row;
      ASSERT_TRUE(low[row] >= 0 && low[row] < 65536);
      int64_t sum = 0, previous_sum = 0;
      for (int i = 0; i < keys; ++i) {
        int at = row * keys + i;
        if (i >= visible) {
          ASSERT_EQ(bin[at], scores[at]);
          ASSERT_EQ(width[at] | remainder[at] | p[at] | previous[at], 0);
        } else {
          ASSERT_EQ(p[at], expValue(normalizer - sigma(i)));
          ASSERT_EQ(previous[at], expValue(normalizer - sigma(i) - 1));
          ASSERT_EQ(scores[at], (normalizer - bin[at]) * 16 + 8 - remainder[at]);
          ASSERT_TRUE(remainder[at] >= 0 && remainder[at] < 16 << width[at]);
          ASSERT_EQ(width[at], bin[at] < kLive ? 0 : kDeadWidth);
          if (bin[at] >= kLive) {
            ASSERT_EQ((bin[at] - kLive) % (1 << kDeadWidth), 0);
            ++dead;
          }
        }
        sum += p[at];
        previous_sum += previous[at];
        if (i % kLanes == kLanes - 1 || i == keys - 1) {
          ASSERT_EQ(p_sums[row * row_tiles + i / kLanes], sum);
          ASSERT_EQ(previous_sums[row * row_tiles + i / kLanes], previous_sum);
        }
      }
      ASSERT_TRUE(sum <= 1 << kProbabilityBits && previous_sum > 1 << kProbabilityBits);
    }
    EXPECT_GT(dead, 0);
    // A score too far below, and a normalizer out of its range.
    initial_[0].second[keys] = -60000;
    EXPECT_THAT(std::string(run(s).message()),
                HasSubstr("distance of a score from the normalizer"));
    initial_[0].second[keys] = 0;
    s.set_normalizer_low(20000);
    EXPECT_THAT(std::string(run(s).message()), HasSubstr("normalizer "));
  }
}

}  // namespace
}  // namespace lindero::runtime
