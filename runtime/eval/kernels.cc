#include "runtime/eval/kernels.h"

#include <algorithm>

namespace lindero::runtime {
namespace {

template <bool kScalar>
struct BaseReader {
  explicit BaseReader(const Operand& operand) : limb(operand.limb[0]) {
    if (kScalar) value = Lanes::broadcast(*limb);
  }
  Lanes at(size_t i) const { return kScalar ? value : Lanes::load(limb + i); }

  const uint32_t* limb;
  Lanes value;
};

template <bool kScalar>
struct ExtReader {
  explicit ExtReader(const Operand& operand) : limbs(operand.limb) {
    if (kScalar) value = ExtLanes::broadcast(limbs);
  }
  ExtLanes at(size_t i) const { return kScalar ? value : ExtLanes::load(limbs, i); }

  const uint32_t* const* limbs;
  ExtLanes value;
};

// Coordinates 1..3 of a sum with a base element.
ExtLanes withFirst(ExtLanes x, Lanes first) {
  x.limb[0] = first;
  return x;
}
ExtLanes negated(const ExtLanes& x) {
  Lanes zero = Lanes::broadcast(0);
  return {{subLanes(zero, x.limb[0]), subLanes(zero, x.limb[1]), subLanes(zero, x.limb[2]),
           subLanes(zero, x.limb[3])}};
}

struct Add {
  static Lanes apply(Lanes a, Lanes b) { return addLanes(a, b); }
  static ExtLanes apply(const ExtLanes& a, const ExtLanes& b) { return addLanes(a, b); }
  static ExtLanes apply(const ExtLanes& a, Lanes b) { return withFirst(a, addLanes(a.limb[0], b)); }
  static ExtLanes apply(Lanes a, const ExtLanes& b) { return apply(b, a); }
};
struct Sub {
  static Lanes apply(Lanes a, Lanes b) { return subLanes(a, b); }
  static ExtLanes apply(const ExtLanes& a, const ExtLanes& b) { return subLanes(a, b); }
  static ExtLanes apply(const ExtLanes& a, Lanes b) { return withFirst(a, subLanes(a.limb[0], b)); }
  static ExtLanes apply(Lanes a, const ExtLanes& b) {
    return withFirst(negated(b), subLanes(a, b.limb[0]));
  }
};
struct Mul {
  static Lanes apply(Lanes a, Lanes b) { return mulLanes(a, b); }
  static ExtLanes apply(const ExtLanes& a, const ExtLanes& b) { return mulLanes(a, b); }
  static ExtLanes apply(const ExtLanes& a, Lanes b) { return mulLanes(a, b); }
  static ExtLanes apply(Lanes a, const ExtLanes& b) { return mulLanes(b, a); }
};
struct Neg {
  static Lanes apply(Lanes a, Lanes) { return subLanes(Lanes::broadcast(0), a); }
  static ExtLanes apply(const ExtLanes& a, const ExtLanes&) { return negated(a); }
};

void put(uint32_t* const out[4], size_t i, Lanes value) { value.store(out[0] + i); }
void put(uint32_t* const out[4], size_t i, const ExtLanes& value) { value.store(out, i); }

template <typename Operation, typename ReaderA, typename ReaderB>
void runKernel(uint32_t* const out[4], const Operand& a, const Operand& b, size_t rows) {
  ReaderA read_a(a);
  ReaderB read_b(b);
  for (size_t i = 0; i < rows; i += kLanes)
    put(out, i, Operation::apply(read_a.at(i), read_b.at(i)));
}

template <typename Operation, typename ReaderA>
Kernel selectSecond(OperandKind b) {
  if (b.extension) {
    return b.scalar ? runKernel<Operation, ReaderA, ExtReader<true>>
                    : runKernel<Operation, ReaderA, ExtReader<false>>;
  }
  return b.scalar ? runKernel<Operation, ReaderA, BaseReader<true>>
                  : runKernel<Operation, ReaderA, BaseReader<false>>;
}

template <typename Operation>
Kernel selectBoth(OperandKind a, OperandKind b) {
  if (a.extension) {
    return a.scalar ? selectSecond<Operation, ExtReader<true>>(b)
                    : selectSecond<Operation, ExtReader<false>>(b);
  }
  return a.scalar ? selectSecond<Operation, BaseReader<true>>(b)
                  : selectSecond<Operation, BaseReader<false>>(b);
}

bool padAndFindZeros(uint32_t* values, size_t rows, uint32_t was_zero[kChunkRows]) {
  bool any = false;
  for (size_t i = 0; i < rows; ++i) {
    was_zero[i] = values[i] == 0;
    any |= was_zero[i] != 0;
    values[i] |= was_zero[i];
  }
  // The lanes of the last vector that lie beyond the rows must not be zero either.
  std::fill(values + rows, values + kChunkRows, 1u);
  return any;
}

}  // namespace

Kernel selectKernel(Node::Op op, OperandKind a, OperandKind b) {
  switch (op) {
    case Node::ADD:
      return selectBoth<Add>(a, b);
    case Node::SUB:
      return selectBoth<Sub>(a, b);
    case Node::MUL:
      return selectBoth<Mul>(a, b);
    default:  // NEG
      return a.extension ? runKernel<Neg, ExtReader<false>, ExtReader<false>>
                         : runKernel<Neg, BaseReader<false>, BaseReader<false>>;
  }
}

// Montgomery's trick with kStride running products side by side, so that products of a round are
// independent; one vector exponentiation inverts them all.
bool invertBaseChunk(uint32_t* values, size_t rows) {
  constexpr size_t kStride = 32;
  static_assert(kChunkRows % kStride == 0 && kStride % kLanes == 0);
  uint32_t buffer[kChunkRows], was_zero[kChunkRows], prefix[kChunkRows];
  std::copy(values, values + rows, buffer);
  bool zeros = padAndFindZeros(buffer, rows, was_zero);
  size_t rounds = (rows + kStride - 1) / kStride;
  for (size_t lane = 0; lane < kStride; lane += kLanes) {
    Lanes product = Lanes::broadcast(1);
    for (size_t round = 0; round < rounds; ++round) {
      size_t i = round * kStride + lane;
      product.store(prefix + i);
      product = mulLanes(product, Lanes::load(buffer + i));
    }
    Lanes inverse = inverseLanes(product);
    for (size_t round = rounds; round-- > 0;) {
      size_t i = round * kStride + lane;
      Lanes value = Lanes::load(buffer + i);
      mulLanes(inverse, Lanes::load(prefix + i)).store(buffer + i);
      inverse = mulLanes(inverse, value);
    }
  }
  for (size_t i = 0; i < rows; ++i) values[i] = was_zero[i] ? 0 : buffer[i];
  return zeros;
}

// 1 / (A + B u) = (A - B u) / N with N = A^2 - (2 + i) B^2 in CM31, and 1 / N = conj(N) / |N|^2
// with |N|^2 in M31.
bool invertChunk(uint32_t* const values[4], size_t rows) {
  alignas(32) uint32_t norm_re[kChunkRows], norm_im[kChunkRows], scale[kChunkRows];
  auto product = [](Lanes a, Lanes b) { return WideSum::product(a, b); };
  for (size_t i = 0; i < rows; i += kLanes) {
    ExtLanes x = ExtLanes::load(values, i);
    Lanes a = x.limb[0], b = x.limb[1], c = x.limb[2], d = x.limb[3];
    Lanes square_re = (product(c, c) + product(d, complementLanes(d))).reduce();
    Lanes square_im = (product(c, d) + product(c, d)).reduce();
    Lanes re = (product(a, a) + product(b, complementLanes(b))).reduce();
    Lanes im = (product(a, b) + product(a, b)).reduce();
    re = subLanes(re, subLanes(addLanes(square_re, square_re), square_im));
    im = subLanes(im, addLanes(addLanes(square_im, square_im), square_re));
    re.store(norm_re + i);
    im.store(norm_im + i);
    (product(re, re) + product(im, im)).reduce().store(scale + i);
  }
  bool zeros = invertBaseChunk(scale, rows);
  for (size_t i = 0; i < rows; i += kLanes) {
    ExtLanes x = ExtLanes::load(values, i);
    Lanes a = x.limb[0], b = x.limb[1], c = x.limb[2], d = x.limb[3];
    Lanes s = Lanes::load(scale + i);
    // re - im' i = conj(N) / |N|^2
    Lanes re = mulLanes(Lanes::load(norm_re + i), s), im = mulLanes(Lanes::load(norm_im + i), s);
    Lanes minus_re = complementLanes(re), minus_im = complementLanes(im);
    ExtLanes r{{(product(a, re) + product(b, im)).reduce(),
                (product(b, re) + product(a, minus_im)).reduce(),
                (product(c, minus_re) + product(d, minus_im)).reduce(),
                (product(c, im) + product(d, minus_re)).reduce()}};
    r.store(values, i);
  }
  return zeros;
}

}  // namespace lindero::runtime
