// The Mersenne prime field of p = 2^31 - 1 elements: what every committed cell holds.
//
// A value is always its canonical residue 0 <= v < p, so equality is equality of bits. Every
// operation is a few instructions and free of branches; `inverse` is an exponentiation (about 37
// products). Signed integers enter through `fromSigned` and leave through `centered`, the
// representative in [-(p-1)/2, (p-1)/2].
#ifndef LINDERO_RUNTIME_FIELD_M31_H_
#define LINDERO_RUNTIME_FIELD_M31_H_

#include <cstdint>

namespace lindero::runtime {

inline constexpr uint32_t kModulus = 0x7fffffffu;

// Any 64-bit number to its canonical residue.
constexpr uint32_t reduce64(uint64_t x) {
  uint64_t folded = (x & kModulus) + ((x >> 31) & kModulus) + (x >> 62);  // <= 2p + 3
  uint32_t r = static_cast<uint32_t>(folded & kModulus) + static_cast<uint32_t>(folded >> 31);
  return r >= kModulus ? r - kModulus : r;
}

class M31 {
 public:
  constexpr M31() = default;
  // Requires v < p.
  static constexpr M31 fromCanonical(uint32_t v) { return M31(v); }
  static constexpr M31 fromUnsigned(uint64_t x) { return M31(reduce64(x)); }
  static constexpr M31 fromSigned(int64_t x) {
    int64_t r = x % static_cast<int64_t>(kModulus);
    return M31(static_cast<uint32_t>(r < 0 ? r + kModulus : r));
  }

  constexpr uint32_t value() const { return value_; }
  constexpr int64_t centered() const {
    return value_ > kModulus / 2 ? static_cast<int64_t>(value_) - kModulus : value_;
  }
  constexpr bool isZero() const { return value_ == 0; }

  friend constexpr bool operator==(M31 a, M31 b) { return a.value_ == b.value_; }
  friend constexpr bool operator!=(M31 a, M31 b) { return a.value_ != b.value_; }
  friend constexpr M31 operator+(M31 a, M31 b) {
    uint32_t s = a.value_ + b.value_;
    return M31(s >= kModulus ? s - kModulus : s);
  }
  friend constexpr M31 operator-(M31 a, M31 b) {
    return M31(a.value_ >= b.value_ ? a.value_ - b.value_ : a.value_ + kModulus - b.value_);
  }
  friend constexpr M31 operator*(M31 a, M31 b) {
    return M31(reduce64(static_cast<uint64_t>(a.value_) * b.value_));
  }
  constexpr M31 operator-() const { return M31(value_ == 0 ? 0 : kModulus - value_); }
  M31& operator+=(M31 other) { return *this = *this + other; }
  M31& operator-=(M31 other) { return *this = *this - other; }
  M31& operator*=(M31 other) { return *this = *this * other; }

  constexpr M31 power(uint64_t exponent) const {
    M31 result(1), base = *this;
    for (; exponent != 0; exponent >>= 1) {
      if (exponent & 1) result = result * base;
      base = base * base;
    }
    return result;
  }
  // 1 / this; 0 for 0.
  constexpr M31 inverse() const { return power(kModulus - 2); }

 private:
  constexpr explicit M31(uint32_t v) : value_(v) {}

  uint32_t value_ = 0;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_FIELD_M31_H_
