#include "runtime/tamper/forged_rows.h"

#include <algorithm>

#include "runtime/field/m31.h"

namespace lindero::runtime {
namespace {

int64_t fixedAt(const Package& package, uint32_t table, uint32_t column, uint64_t row) {
  return M31::fromCanonical(package.fixedColumn(table, column)[row]).centered();
}

}  // namespace

bool forgeNormRow(const Package& package, const LayerNorm& s, Buffers& buffers, uint64_t row,
                  const NormCheat& cheat) {
  const uint64_t width = s.width(), row_tiles = (width + s.lanes() - 1) / s.lanes();
  auto scalar = [&](uint32_t buffer) -> int32_t& { return buffers.at(buffer)[row]; };
  auto element = [&](uint32_t buffer, uint64_t c) -> int32_t& {
    return buffers.at(buffer)[row * width + c];
  };
  const int64_t mean = cheat.mean.value_or(scalar(s.mean())) + cheat.mean_error;
  scalar(s.mean()) = static_cast<int32_t>(mean);
  auto meanOf = [&](uint64_t c) {
    const uint64_t tile = c / s.lanes();
    return mean + (tile < cheat.tile_means.size() ? cheat.tile_means[tile] : 0);
  };
  int64_t deviations = 0, variance = 0;
  for (uint64_t c = 0; c < width; ++c) {
    int64_t d = element(s.x(), c) - meanOf(c);
    int64_t v = (d * d + ((int64_t{1} << s.square_shift()) >> 1)) >> s.square_shift();
    if (c == cheat.square_element) v += cheat.square_error;
    element(s.square(), c) = static_cast<int32_t>(v);
    deviations += d;
    variance += v;
    uint64_t tile = row * row_tiles + c / s.lanes();
    buffers.at(s.deviation_sums())[tile] = static_cast<int32_t>(deviations);
    buffers.at(s.square_sums())[tile] = static_cast<int32_t>(variance);
  }
  variance += s.epsilon();
  int64_t j = 0;
  while ((variance >> (2 * j)) >= 65536) ++j;
  j += cheat.exponent_error;
  if (j < 0 || j > 15) return false;
  int64_t mantissa = (variance >> (2 * j)) + cheat.mantissa_error;
  absl::Span<const uint32_t> roots = package.fixedColumn(s.rsqrt_table(), s.rsqrt_column());
  const uint64_t at = s.rsqrt_first_row() + static_cast<uint64_t>(mantissa);
  if (mantissa < 0 || at >= roots.size()) return false;
  int64_t root = fixedAt(package, s.rsqrt_table(), s.rsqrt_column(), at) + cheat.root_error;
  int64_t shift =
      fixedAt(package, s.rsqrt_table(), s.rsqrt_column() + 1, at) + j + cheat.shift_error;
  if (shift < 0 || shift > 30) return false;
  if (cheat.wrap_variance) {
    j = s.max_exponent();
    variance += kModulus;
    mantissa = variance >> (2 * j);
  }
  scalar(s.mantissa()) = static_cast<int32_t>(mantissa);
  scalar(s.exponent()) = static_cast<int32_t>(j);
  scalar(s.exponent_power()) = static_cast<int32_t>(int64_t{1} << (2 * j));
  scalar(s.variance_remainder()) = static_cast<int32_t>(variance - (mantissa << (2 * j)));
  scalar(s.reciprocal()) = static_cast<int32_t>(root);
  scalar(s.shift()) = static_cast<int32_t>(shift);
  const int64_t power = (int64_t{1} << shift) + cheat.power_error;
  scalar(s.shift_power()) = static_cast<int32_t>(power);
  for (uint64_t c = 0; c < width; ++c) {
    int64_t scaled = (element(s.x(), c) - meanOf(c)) * root + power / 2;
    int64_t z = scaled / power - (scaled % power < 0 ? 1 : 0);
    element(s.out(), c) = static_cast<int32_t>(z);
    element(s.remainder(), c) = static_cast<int32_t>(scaled - z * power);
  }
  return true;
}

std::vector<uint64_t> elementsOf(const Softmax& s, Buffers& buffers, uint64_t row, Attended how) {
  const uint64_t keys = s.keys(), queries = s.queries();
  const uint64_t before = s.has_open_windows() ? keys - queries : 0, windows = before / queries;
  const auto open =
      s.has_open_windows() ? static_cast<uint64_t>(buffers.at(s.open_windows())[0]) : 0;
  std::vector<uint64_t> elements;
  for (uint64_t i = 0; i < keys; ++i) {
    Attended is = Attended::kOpen;
    if (i >= before) {
      if (s.causal() && i - before > row % queries) is = Attended::kMasked;
    } else if (i / queries + open < windows) {
      is = Attended::kClosed;
    }
    if (is == how) elements.push_back(row * keys + i);
  }
  return elements;
}

void attendClosedKey(const Package& package, const Softmax& s, Buffers& buffers, uint64_t element) {
  buffers.at(s.bin())[element] = buffers.at(s.width())[element] = 0;
  for (auto [buffer, column] : {std::pair(s.probability(), 2u), {s.previous_probability(), 3u}}) {
    buffers.at(buffer)[element] = static_cast<int32_t>(
        fixedAt(package, s.exp_table(), s.exp_column() + column, s.exp_first_row()));
  }
  sumSoftmaxRow(s, buffers, element / s.keys());
}

int64_t normalizerOf(const Softmax& s, Buffers& buffers, uint64_t row) {
  return s.normalizer_low() + buffers.at(s.normalizer_low_limb())[row] +
         (int64_t{buffers.at(s.normalizer_high_limb())[row]} << 16);
}

void forgeSoftmaxRow(const Package& package, const Softmax& s, Buffers& buffers, uint64_t row,
                     int64_t error) {
  forgeSoftmaxScores(package, s, buffers, row, 0, s.keys(), error);
  const int64_t shifted = normalizerOf(s, buffers, row) + error - s.normalizer_low();
  buffers.at(s.normalizer_low_limb())[row] = static_cast<int32_t>(shifted & 0xffff);
  buffers.at(s.normalizer_high_limb())[row] = static_cast<int32_t>(shifted >> 16);
}

void forgeSoftmaxScores(const Package& package, const Softmax& s, Buffers& buffers, uint64_t row,
                        uint64_t first, uint64_t last, int64_t error) {
  const int64_t normalizer = normalizerOf(s, buffers, row) + error;
  const int64_t half = (int64_t{1} << s.score_shift()) >> 1, live = s.live_rows();
  for (uint64_t e : elementsOf(s, buffers, row, Attended::kOpen)) {
    if (e < row * s.keys() + first || e >= row * s.keys() + last) continue;
    int64_t distance =
        normalizer * (int64_t{1} << s.score_shift()) + half - buffers.at(s.scores())[e];
    int64_t k = distance >> s.score_shift(), width = 0;
    if (k >= live) {
      width = s.dead_width();
      k = live + ((k - live) >> width << width);
    }
    uint64_t at = s.exp_first_row() + static_cast<uint64_t>(std::clamp<int64_t>(k, 0, live - 1));
    buffers.at(s.bin())[e] = static_cast<int32_t>(k);
    buffers.at(s.width())[e] = static_cast<int32_t>(width);
    buffers.at(s.remainder())[e] =
        static_cast<int32_t>(distance - k * (int64_t{1} << s.score_shift()));
    for (auto [buffer, column] : {std::pair(s.probability(), 2u), {s.previous_probability(), 3u}}) {
      buffers.at(buffer)[e] =
          k < live
              ? static_cast<int32_t>(fixedAt(package, s.exp_table(), s.exp_column() + column, at))
              : 0;
    }
  }
  sumSoftmaxRow(s, buffers, row);
}

void sumSoftmaxRow(const Softmax& s, Buffers& buffers, uint64_t row) {
  const uint64_t keys = s.keys(), row_tiles = (keys + s.lanes() - 1) / s.lanes();
  int32_t sum = 0, previous = 0;
  for (uint64_t i = 0; i < keys; ++i) {
    sum += buffers.at(s.probability())[row * keys + i];
    previous += buffers.at(s.previous_probability())[row * keys + i];
    buffers.at(s.probability_sums())[row * row_tiles + i / s.lanes()] = sum;
    buffers.at(s.previous_probability_sums())[row * row_tiles + i / s.lanes()] = previous;
  }
}

void forgeArgmaxRow(const Argmax& s, Buffers& buffers, uint64_t row, int64_t chosen,
                    int64_t maximum) {
  constexpr int64_t kNever = -((int64_t{1} << 29) - 1);
  const int64_t width = s.width(), lanes = s.lanes(), row_tiles = (width + lanes - 1) / lanes;
  buffers.at(s.index())[row] = static_cast<int32_t>(std::min(chosen, width - 1));
  buffers.at(s.maximum())[row] = static_cast<int32_t>(maximum);
  for (int64_t c = 0; c < row_tiles * lanes; ++c) {
    int64_t value = c < width ? buffers.at(s.values())[row * width + c] : kNever;
    int64_t before = c < chosen ? 1 : 0;
    // Larger than the limbs hold when it is negative.
    int64_t gap = M31::fromSigned(maximum - value - before).value();
    const uint64_t e = row * row_tiles * lanes + c;
    buffers.at(s.before())[e] = static_cast<int32_t>(before);
    buffers.at(s.high())[e] = static_cast<int32_t>(gap >> 15);
    buffers.at(s.low())[e] = static_cast<int32_t>(gap & 0x7fff);
  }
  for (int64_t tile = 0; tile < row_tiles; ++tile) {
    buffers.at(s.index_sums())[row * row_tiles + tile] =
        static_cast<int32_t>(std::min(chosen, (tile + 1) * lanes));
  }
}

}  // namespace lindero::runtime
