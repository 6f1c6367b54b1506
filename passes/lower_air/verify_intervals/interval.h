// Integer intervals that stand for field elements: a cell is congruent, modulo p = 2^31 - 1, to an
// integer of its interval. Few values are listed one by one, so that half of an even one is known
// to be an integer. Nothing is ever reduced modulo p: a sum or product that can wrap must show.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include "ir/core/field.h"

namespace lindero::passes {

using ir::kFieldModulus;

// The integer of (-p/2, p/2) that is congruent to v.
inline int64_t symmetric(__int128 v) {
  int64_t r = static_cast<int64_t>(v % kFieldModulus);
  if (r > kFieldModulus / 2) r -= kFieldModulus;
  if (r < -(kFieldModulus / 2)) r += kFieldModulus;
  return r;
}

struct Interval {
  // Bounds beyond are as good as unknown, and saturate. The difference of two bounds fits 64 bits.
  static constexpr int64_t kFar = int64_t{1} << 61;
  static constexpr size_t kMaxListed = 64;

  int64_t low = 0, high = 0;
  std::vector<int64_t> listed;  // ascending; empty: every integer between the bounds

  static Interval of(int64_t value) { return {value, value, {value}}; }
  static Interval between(int64_t low, int64_t high) {
    if (low == high) return of(low);
    return {low, high, {}};
  }
  static Interval list(std::vector<int64_t> values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    Interval r{values.front(), values.back(), {}};
    if (values.size() <= kMaxListed) r.listed = std::move(values);
    return r;
  }

  bool isConstant() const { return low == high; }
  bool contains(int64_t v) const {
    return listed.empty() ? low <= v && v <= high
                          : std::binary_search(listed.begin(), listed.end(), v);
  }
  int64_t magnitude() const { return std::max(-low, high); }
  bool operator==(const Interval&) const = default;
};

using MaybeInterval = std::optional<Interval>;

inline int64_t saturate(__int128 v) {
  return v > Interval::kFar ? Interval::kFar : v < -Interval::kFar ? -Interval::kFar : int64_t(v);
}

template <typename Apply>
Interval combine(const Interval& a, const Interval& b, Apply apply) {
  if (!a.listed.empty() && !b.listed.empty() &&
      a.listed.size() * b.listed.size() <= Interval::kMaxListed) {
    std::vector<int64_t> values;
    for (int64_t x : a.listed) {
      for (int64_t y : b.listed) values.push_back(saturate(apply(x, y)));
    }
    return Interval::list(std::move(values));
  }
  __int128 corners[] = {apply(a.low, b.low), apply(a.low, b.high), apply(a.high, b.low),
                        apply(a.high, b.high)};
  return Interval::between(saturate(*std::min_element(corners, corners + 4)),
                           saturate(*std::max_element(corners, corners + 4)));
}

inline Interval operator+(const Interval& a, const Interval& b) {
  return combine(a, b, [](__int128 x, __int128 y) { return x + y; });
}
inline Interval operator-(const Interval& a, const Interval& b) {
  return combine(a, b, [](__int128 x, __int128 y) { return x - y; });
}
// k v for listed v and k = 1/2 or -1/2, which are the field elements -(p / 2) and p / 2.
inline Interval halved(int64_t k, const std::vector<int64_t>& listed) {
  std::vector<int64_t> values;
  for (int64_t v : listed) {
    values.push_back(v % 2 == 0 ? (k < 0 ? v / 2 : -v / 2) : saturate(__int128(k) * v));
  }
  return Interval::list(std::move(values));
}

inline Interval operator*(const Interval& a, const Interval& b) {
  auto isHalf = [](const Interval& k) {
    return k.isConstant() && std::abs(k.low) == kFieldModulus / 2;
  };
  if (isHalf(a) && !b.listed.empty()) return halved(a.low, b.listed);
  if (isHalf(b) && !a.listed.empty()) return halved(b.low, a.listed);
  return combine(a, b, [](__int128 x, __int128 y) { return x * y; });
}

// Every value of either.
inline Interval hull(const Interval& a, const Interval& b) {
  if (!a.listed.empty() && !b.listed.empty()) {
    std::vector<int64_t> values = a.listed;
    values.insert(values.end(), b.listed.begin(), b.listed.end());
    return Interval::list(std::move(values));
  }
  return Interval::between(std::min(a.low, b.low), std::max(a.high, b.high));
}

// Values of both; `a` if there are none (no witness is accepted, so any bound is true).
inline Interval meet(const Interval& a, const Interval& b) {
  if (!a.listed.empty() || !b.listed.empty()) {
    const Interval& few = a.listed.empty() ? b : a;
    const Interval& other = a.listed.empty() ? a : b;
    std::vector<int64_t> values;
    for (int64_t v : few.listed) {
      if (other.contains(v)) values.push_back(v);
    }
    return values.empty() ? a : Interval::list(std::move(values));
  }
  int64_t low = std::max(a.low, b.low), high = std::min(a.high, b.high);
  return low > high ? a : Interval::between(low, high);
}

// The bounds alone, without a list: for sums over many cells.
struct Bounds {
  int64_t low = 0, high = 0;

  static Bounds of(const Interval& r) { return {r.low, r.high}; }
  Interval interval() const { return Interval::between(low, high); }
  auto operator<=>(const Bounds&) const = default;
};

inline Bounds operator+(const Bounds& a, const Bounds& b) {
  return {saturate(__int128(a.low) + b.low), saturate(__int128(a.high) + b.high)};
}
inline Bounds operator*(const Bounds& a, const Bounds& b) {
  __int128 corners[] = {__int128(a.low) * b.low, __int128(a.low) * b.high, __int128(a.high) * b.low,
                        __int128(a.high) * b.high};
  return {saturate(*std::min_element(corners, corners + 4)),
          saturate(*std::max_element(corners, corners + 4))};
}
inline Bounds hull(const Bounds& a, const Bounds& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}
// Zero, and whatever comes of it.
inline Bounds withZero(const Bounds& r) { return hull(r, {0, 0}); }

// The interval rule: integers of the two that are congruent are equal.
inline bool sameOverIntegers(const Interval& a, const Interval& b) {
  return a.high - b.low < kFieldModulus && b.high - a.low < kFieldModulus;
}

}  // namespace lindero::passes
