// Softmax without maximum and division: a row needs one integer, the fixed-point log-sum-exp
//   L = min { L : sum_i EXP(L - sigma_i) <= 2^P },   sigma_i = -((2^(s-1) - S_i) >> s),
// and its probabilities are p_i = EXP(L - sigma_i). The sum does not increase in L, so L is unique.
#include <algorithm>
#include <vector>

#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

class SoftmaxRunner {
 public:
  SoftmaxRunner(const StepContext& context, const Softmax& step)
      : context_(context),
        step_(step),
        // EXP(-1), EXP(0), EXP(1), …, and 0 from the first dead bin on.
        exp_(uint64_t{step.live_rows()} + 2, 0),
        half_((int64_t{1} << step.score_shift()) >> 1),
        row_tiles_((uint64_t{step.keys()} + step.lanes() - 1) / step.lanes()) {
    absl::Span<const uint32_t> live = context.fixed(step.exp_table(), step.exp_column() + 2,
                                                    step.exp_first_row(), step.live_rows());
    exp_[0] = static_cast<int32_t>(step.exp_at_minus_one());
    for (size_t k = 0; k < live.size(); ++k) exp_[k + 1] = signedValue(live[k]);
  }

  absl::Status runRow(uint64_t row, std::vector<int64_t>& sigma) const {
    const uint64_t keys = step_.keys();
    const uint64_t earlier = step_.has_open_windows() ? keys - step_.queries() : 0;
    const uint64_t visible =
        step_.causal() ? std::min<uint64_t>(keys, earlier + row % step_.queries() + 1) : keys;
    absl::Span<const int32_t> scores = context_.in(step_.scores()).subspan(row * keys, keys);
    sigma.clear();
    for (uint64_t i = 0; i < visible; ++i) {
      if (isOpen(i)) sigma.push_back(-((half_ - scores[i]) >> step_.score_shift()));
    }
    const int64_t normalizer = findNormalizer(sigma);
    const int64_t limb_range = int64_t{1} << step_.normalizer_bits();
    const int64_t shifted = normalizer - step_.normalizer_low();
    if (shifted < 0 || shifted >= limb_range) {
      return context_.error(RangeViolation{"normalizer", row, 0, normalizer, step_.normalizer_low(),
                                           step_.normalizer_low() + limb_range - 1});
    }
    context_.out(step_.normalizer_low_limb())[row] = static_cast<int32_t>(shifted & 0xffff);
    context_.out(step_.normalizer_high_limb())[row] = static_cast<int32_t>(shifted >> 16);
    return fillRow(row, visible, normalizer);
  }

 private:
  // Whether the key is of this window, or of an earlier one that is open.
  bool isOpen(uint64_t key) const {
    if (!step_.has_open_windows()) return true;
    const uint64_t earlier = step_.keys() / step_.queries() - 1, window = key / step_.queries();
    return window + context_.in(step_.open_windows())[0] >= earlier;
  }

  // EXP(k) for any k >= -1.
  int64_t expAt(int64_t k) const {
    return exp_[static_cast<size_t>(
        std::clamp<int64_t>(k + 1, 0, static_cast<int64_t>(exp_.size()) - 1))];
  }
  bool fits(const std::vector<int64_t>& sigma, int64_t normalizer) const {
    int64_t sum = 0;
    for (int64_t s : sigma) sum += expAt(normalizer - s);
    return sum <= int64_t{1} << step_.probability_bits();
  }

  // The sum at the largest sigma tells how much too large it is; where EXP has fallen by that
  // factor, the answer is near.
  int64_t findNormalizer(const std::vector<int64_t>& sigma) const {
    const int64_t top = *std::max_element(sigma.begin(), sigma.end());
    int64_t sum = 0;
    for (int64_t s : sigma) sum += expAt(top - s);
    if (sum <= int64_t{1} << step_.probability_bits()) return top;
    // EXP(k) / 2^P <= 2^P / sum
    const int64_t wanted =
        static_cast<int64_t>((static_cast<__int128>(1) << (2 * step_.probability_bits())) / sum);
    int64_t guess = top + (std::partition_point(exp_.begin() + 1, exp_.end(),
                                                [&](int32_t e) { return e > wanted; }) -
                           (exp_.begin() + 1));
    // low does not fit, high does: gallop outwards from the guess, then bisect.
    int64_t low = top, high = top + static_cast<int64_t>(step_.live_rows());
    for (int64_t stride = 1; low < guess && guess < high; stride *= 2) {
      if (fits(sigma, guess)) {
        high = guess;
        guess -= stride;
        if (guess > low && !fits(sigma, guess)) {
          low = guess;
          break;
        }
      } else {
        low = guess;
        guess += stride;
        if (guess < high && fits(sigma, guess)) {
          high = guess;
          break;
        }
      }
    }
    while (high - low > 1) {
      int64_t middle = low + (high - low) / 2;
      (fits(sigma, middle) ? high : low) = middle;
    }
    return high;
  }

  absl::Status fillRow(uint64_t row, uint64_t visible, int64_t normalizer) const {
    const uint64_t keys = step_.keys();
    const uint32_t s = step_.score_shift();
    const int64_t live = step_.live_rows();
    absl::Span<const int32_t> scores = context_.in(step_.scores()).subspan(row * keys, keys);
    auto rowOf = [&](uint32_t buffer) { return context_.out(buffer).subspan(row * keys, keys); };
    absl::Span<int32_t> bin = rowOf(step_.bin()), widths = rowOf(step_.width()),
                        remainder = rowOf(step_.remainder()),
                        probability = rowOf(step_.probability()),
                        previous_probability = rowOf(step_.previous_probability());
    int64_t sum = 0, previous_sum = 0;
    for (uint64_t i = 0; i < keys; ++i) {
      if (i < visible && !isOpen(i)) {
        bin[i] = static_cast<int32_t>(live);
        widths[i] = static_cast<int32_t>(step_.dead_width());
      } else if (i < visible) {
        // distance = (L << s) + 2^(s-1) - S = k * 2^s + r
        int64_t distance = normalizer * (int64_t{1} << s) + half_ - scores[i];
        int64_t k = distance >> s, width = 0;
        if (k >= live) {
          int64_t dead = (k - live) >> step_.dead_width();
          width = step_.dead_width();
          k = live + (dead << width);
          if (dead >= step_.dead_rows() || k > kMaxElement) {
            int64_t reach = ((live + (int64_t{step_.dead_rows()} << width)) << s) - 1;
            return context_.error(RangeViolation{"distance of a score from the normalizer", row, i,
                                                 distance, 0, reach});
          }
        }
        int64_t p = k < live ? expAt(k) : 0, previous = k < live ? expAt(k - 1) : 0;
        bin[i] = static_cast<int32_t>(k);
        widths[i] = static_cast<int32_t>(width);
        remainder[i] = static_cast<int32_t>(distance - (k << s));
        probability[i] = static_cast<int32_t>(p);
        previous_probability[i] = static_cast<int32_t>(previous);
        sum += p;
        previous_sum += previous;
      } else {
        bin[i] = scores[i];
      }
      if ((i + 1) % step_.lanes() == 0 || i + 1 == keys) {
        if (previous_sum > kMaxElement) {
          return context_.error(
              RangeViolation{"sum of probabilities", row, i, previous_sum, 0, kMaxElement});
        }
        uint64_t tile = row * row_tiles_ + i / step_.lanes();
        context_.out(step_.probability_sums())[tile] = static_cast<int32_t>(sum);
        context_.out(step_.previous_probability_sums())[tile] = static_cast<int32_t>(previous_sum);
        const bool earlier = step_.has_open_windows() && i < keys - step_.queries();
        if (step_.has_open_windows()) context_.out(step_.open())[tile] = earlier && isOpen(i);
      }
    }
    return absl::OkStatus();
  }

  const StepContext& context_;
  const Softmax& step_;
  std::vector<int32_t> exp_;
  int64_t half_;
  uint64_t row_tiles_;
};

}  // namespace

absl::Status run(const StepContext& context, const Softmax& step) {
  SoftmaxRunner runner(context, step);
  uint64_t rows = uint64_t{step.heads()} * step.queries();
  constexpr uint64_t kRowsPerTask = 8;
  return context.forEach((rows + kRowsPerTask - 1) / kRowsPerTask, 1,
                         [&](uint64_t task) -> absl::Status {
                           std::vector<int64_t> sigma;
                           for (uint64_t row = task * kRowsPerTask;
                                row < std::min(rows, (task + 1) * kRowsPerTask); ++row) {
                             if (absl::Status status = runner.runRow(row, sigma); !status.ok())
                               return status;
                           }
                           return absl::OkStatus();
                         });
}

}  // namespace lindero::runtime
