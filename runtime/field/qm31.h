// The degree-4 extension of M31 from which challenges are drawn, in the tower that Stwo uses:
// CM31 = M31[i] / (i^2 + 1) and QM31 = CM31[u] / (u^2 - 2 - i).
//
// An element is four canonical residues (a, b, c, d) = (a + b i) + (c + d i) u. A product costs 16
// base products with one reduction per coordinate, an inverse one base inverse and a dozen
// products.
#ifndef LINDERO_RUNTIME_FIELD_QM31_H_
#define LINDERO_RUNTIME_FIELD_QM31_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "runtime/field/m31.h"

namespace lindero::runtime {

class QM31 {
 public:
  constexpr QM31() = default;
  constexpr QM31(M31 base) : limbs_{base.value(), 0, 0, 0} {}  // NOLINT: a base element is one
  // Requires canonical limbs.
  static constexpr QM31 fromLimbs(const std::array<uint32_t, 4>& limbs) { return QM31(limbs); }

  constexpr const std::array<uint32_t, 4>& limbs() const { return limbs_; }
  constexpr uint32_t limb(size_t k) const { return limbs_[k]; }
  constexpr bool isZero() const { return (limbs_[0] | limbs_[1] | limbs_[2] | limbs_[3]) == 0; }
  constexpr bool isBase() const { return (limbs_[1] | limbs_[2] | limbs_[3]) == 0; }

  friend constexpr bool operator==(const QM31& a, const QM31& b) { return a.limbs_ == b.limbs_; }
  friend constexpr bool operator!=(const QM31& a, const QM31& b) { return a.limbs_ != b.limbs_; }
  friend constexpr QM31 operator+(const QM31& a, const QM31& b) {
    QM31 r;
    for (size_t k = 0; k < 4; ++k) r.limbs_[k] = (a.m(k) + b.m(k)).value();
    return r;
  }
  friend constexpr QM31 operator-(const QM31& a, const QM31& b) {
    QM31 r;
    for (size_t k = 0; k < 4; ++k) r.limbs_[k] = (a.m(k) - b.m(k)).value();
    return r;
  }
  constexpr QM31 operator-() const { return QM31() - *this; }
  friend constexpr QM31 operator*(const QM31& x, const QM31& y) {
    uint64_t a = x.limbs_[0], b = x.limbs_[1], c = x.limbs_[2], d = x.limbs_[3];
    uint64_t e = y.limbs_[0], f = y.limbs_[1], g = y.limbs_[2], h = y.limbs_[3];
    uint64_t nf = kModulus - f, nh = kModulus - h;  // -f and -h, in [1, p]
    // (c + d i)(g + h i), to be multiplied by u^2 = 2 + i.
    uint64_t r = reduce64(c * g + d * nh), s = reduce64(c * h + d * g);
    // Each sum has at most four products of numbers <= p, hence fits 64 bits.
    return QM31({reduce64(a * e + b * nf + 2 * r + (kModulus - s)),
                 reduce64(a * f + b * e + 2 * s + r), reduce64(a * g + b * nh + c * e + d * nf),
                 reduce64(a * h + b * g + c * f + d * e)});
  }
  QM31& operator+=(const QM31& other) { return *this = *this + other; }
  QM31& operator-=(const QM31& other) { return *this = *this - other; }
  QM31& operator*=(const QM31& other) { return *this = *this * other; }

  constexpr QM31 power(uint64_t exponent) const {
    QM31 result(M31::fromCanonical(1)), base = *this;
    for (; exponent != 0; exponent >>= 1) {
      if (exponent & 1) result = result * base;
      base = base * base;
    }
    return result;
  }

  // 1 / this; 0 for 0. With x = A + B u: 1/x = (A - B u) / (A^2 - (2 + i) B^2).
  constexpr QM31 inverse() const {
    M31 a = m(0), b = m(1), c = m(2), d = m(3);
    M31 square_re = c * c - d * d, square_im = c * d + c * d;
    M31 norm_re = a * a - b * b - (square_re + square_re - square_im);
    M31 norm_im = a * b + a * b - (square_im + square_im + square_re);
    M31 scale = (norm_re * norm_re + norm_im * norm_im).inverse();
    M31 re = norm_re * scale, im = -(norm_im * scale);
    return QM31({(a * re - b * im).value(), (a * im + b * re).value(), (-(c * re - d * im)).value(),
                 (-(c * im + d * re)).value()});
  }

  // "7" for base elements, else "(a, b, c, d)", canonical residues.
  std::string toString() const {
    if (isBase()) return absl::StrCat(limbs_[0]);
    return absl::StrCat("(", limbs_[0], ", ", limbs_[1], ", ", limbs_[2], ", ", limbs_[3], ")");
  }

 private:
  constexpr explicit QM31(const std::array<uint32_t, 4>& limbs) : limbs_(limbs) {}
  constexpr M31 m(size_t k) const { return M31::fromCanonical(limbs_[k]); }

  std::array<uint32_t, 4> limbs_ = {0, 0, 0, 0};
};

// Replaces every element by its inverse with one inversion and three products per element
// (Montgomery's trick). Zeros stay zero; returns how many there were. Field is M31 or QM31.
template <typename Field>
size_t batchInverse(absl::Span<Field> values) {
  const Field one(M31::fromCanonical(1));
  std::array<Field, 64> prefix;
  size_t zeros = 0;
  for (size_t begin = 0; begin < values.size(); begin += prefix.size()) {
    size_t count = values.size() - begin < prefix.size() ? values.size() - begin : prefix.size();
    Field product = one;
    for (size_t i = 0; i < count; ++i) {
      prefix[i] = product;
      if (!values[begin + i].isZero()) product = product * values[begin + i];
    }
    Field inverse = product.inverse();
    for (size_t i = count; i-- > 0;) {
      Field value = values[begin + i];
      if (value.isZero()) {
        ++zeros;
        continue;
      }
      values[begin + i] = inverse * prefix[i];
      inverse = inverse * value;
    }
  }
  return zeros;
}

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_FIELD_QM31_H_
