// Field arithmetic on several rows at once: 8 lanes with AVX2, else 1. The same results either way.
//
// A `Lanes` holds canonical residues. A `WideSum` accumulates up to four products of numbers <= p
// in 64 bits and is reduced once, which is what makes an extension product cost about four base
// products.
#ifndef LINDERO_RUNTIME_FIELD_LANES_H_
#define LINDERO_RUNTIME_FIELD_LANES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runtime/field/m31.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace lindero::runtime {

#if defined(__AVX2__)

inline constexpr size_t kLanes = 8;

struct Lanes {
  __m256i v;

  static Lanes load(const uint32_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
  static Lanes broadcast(uint32_t x) { return {_mm256_set1_epi32(static_cast<int>(x))}; }
  void store(uint32_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
};

// Any of a + b, a - b that went below zero or above p is the larger of two unsigned candidates.
inline Lanes addLanes(Lanes a, Lanes b) {
  __m256i s = _mm256_add_epi32(a.v, b.v);
  return {_mm256_min_epu32(s, _mm256_sub_epi32(s, Lanes::broadcast(kModulus).v))};
}
inline Lanes subLanes(Lanes a, Lanes b) {
  __m256i d = _mm256_sub_epi32(a.v, b.v);
  return {_mm256_min_epu32(d, _mm256_add_epi32(d, Lanes::broadcast(kModulus).v))};
}
// p - a, in [1, p]: minus a for use in products.
inline Lanes complementLanes(Lanes a) {
  return {_mm256_sub_epi32(Lanes::broadcast(kModulus).v, a.v)};
}

// Products of the even and of the odd lanes.
struct WideSum {
  __m256i even, odd;

  static WideSum product(Lanes a, Lanes b) {
    return {_mm256_mul_epu32(a.v, b.v),
            _mm256_mul_epu32(_mm256_srli_epi64(a.v, 32), _mm256_srli_epi64(b.v, 32))};
  }
  friend WideSum operator+(WideSum a, WideSum b) {
    return {_mm256_add_epi64(a.even, b.even), _mm256_add_epi64(a.odd, b.odd)};
  }
  Lanes reduce() const {
    __m256i p = _mm256_set1_epi64x(kModulus);
    auto fold = [&](__m256i x) {  // <= 2p + 3, in the low half of each 64-bit lane
      __m256i low = _mm256_and_si256(x, p);
      __m256i middle = _mm256_and_si256(_mm256_srli_epi64(x, 31), p);
      return _mm256_add_epi64(_mm256_add_epi64(low, middle), _mm256_srli_epi64(x, 62));
    };
    __m256i s = _mm256_blend_epi32(fold(even), _mm256_slli_epi64(fold(odd), 32), 0xaa);
    __m256i q = Lanes::broadcast(kModulus).v;
    s = _mm256_min_epu32(s, _mm256_sub_epi32(s, q));
    return {_mm256_min_epu32(s, _mm256_sub_epi32(s, q))};
  }
};

#else

inline constexpr size_t kLanes = 1;

struct Lanes {
  uint32_t v;

  static Lanes load(const uint32_t* p) { return {*p}; }
  static Lanes broadcast(uint32_t x) { return {x}; }
  void store(uint32_t* p) const { *p = v; }
};

inline Lanes addLanes(Lanes a, Lanes b) {
  uint32_t s = a.v + b.v;
  return {std::min(s, s - kModulus)};
}
inline Lanes subLanes(Lanes a, Lanes b) {
  uint32_t d = a.v - b.v;
  return {std::min(d, d + kModulus)};
}
inline Lanes complementLanes(Lanes a) { return {kModulus - a.v}; }

struct WideSum {
  uint64_t v;

  static WideSum product(Lanes a, Lanes b) { return {uint64_t{a.v} * b.v}; }
  friend WideSum operator+(WideSum a, WideSum b) { return {a.v + b.v}; }
  Lanes reduce() const { return {reduce64(v)}; }
};

#endif

inline Lanes mulLanes(Lanes a, Lanes b) { return WideSum::product(a, b).reduce(); }

// An element of QM31 in every lane.
struct ExtLanes {
  Lanes limb[4];

  static ExtLanes load(const uint32_t* const p[4], size_t i) {
    return {{Lanes::load(p[0] + i), Lanes::load(p[1] + i), Lanes::load(p[2] + i),
             Lanes::load(p[3] + i)}};
  }
  static ExtLanes broadcast(const uint32_t* const p[4]) {
    return {{Lanes::broadcast(*p[0]), Lanes::broadcast(*p[1]), Lanes::broadcast(*p[2]),
             Lanes::broadcast(*p[3])}};
  }
  void store(uint32_t* const p[4], size_t i) const {
    for (size_t k = 0; k < 4; ++k) limb[k].store(p[k] + i);
  }
};

inline ExtLanes addLanes(const ExtLanes& a, const ExtLanes& b) {
  ExtLanes r;
  for (size_t k = 0; k < 4; ++k) r.limb[k] = addLanes(a.limb[k], b.limb[k]);
  return r;
}
inline ExtLanes subLanes(const ExtLanes& a, const ExtLanes& b) {
  ExtLanes r;
  for (size_t k = 0; k < 4; ++k) r.limb[k] = subLanes(a.limb[k], b.limb[k]);
  return r;
}
inline ExtLanes mulLanes(const ExtLanes& a, Lanes b) {
  ExtLanes r;
  for (size_t k = 0; k < 4; ++k) r.limb[k] = mulLanes(a.limb[k], b);
  return r;
}
// See QM31: with (r, s) = the product of the upper halves, u^2 = 2 + i turns it into
// (2r - s, 2s + r).
inline ExtLanes mulLanes(const ExtLanes& x, const ExtLanes& y) {
  auto product = [](Lanes a, Lanes b) { return WideSum::product(a, b); };
  Lanes a = x.limb[0], b = x.limb[1], c = x.limb[2], d = x.limb[3];
  Lanes e = y.limb[0], f = y.limb[1], g = y.limb[2], h = y.limb[3];
  Lanes nf = complementLanes(f), nh = complementLanes(h);
  Lanes r = (product(c, g) + product(d, nh)).reduce();
  Lanes s = (product(c, h) + product(d, g)).reduce();
  Lanes low_re = (product(a, e) + product(b, nf)).reduce();
  Lanes low_im = (product(a, f) + product(b, e)).reduce();
  return {{addLanes(low_re, subLanes(addLanes(r, r), s)),
           addLanes(low_im, addLanes(addLanes(s, s), r)),
           (product(a, g) + product(b, nh) + product(c, e) + product(d, nf)).reduce(),
           (product(a, h) + product(b, g) + product(c, f) + product(d, e)).reduce()}};
}

// a^(p-2) = 1/a: an addition chain of 30 squarings and 7 products, 2^31 - 3 = 0b11...101.
inline Lanes inverseLanes(Lanes a) {
  auto squareTimes = [](Lanes x, int n) {
    for (int i = 0; i < n; ++i) x = mulLanes(x, x);
    return x;
  };
  Lanes ones2 = mulLanes(squareTimes(a, 1), a);          // exponent 0b11
  Lanes ones4 = mulLanes(squareTimes(ones2, 2), ones2);  // 4 ones
  Lanes ones8 = mulLanes(squareTimes(ones4, 4), ones4);
  Lanes ones16 = mulLanes(squareTimes(ones8, 8), ones8);
  Lanes ones24 = mulLanes(squareTimes(ones16, 8), ones8);
  Lanes ones28 = mulLanes(squareTimes(ones24, 4), ones4);
  Lanes ones29 = mulLanes(squareTimes(ones28, 1), a);
  return mulLanes(squareTimes(ones29, 2), a);  // 29 ones, then 01
}

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_FIELD_LANES_H_
