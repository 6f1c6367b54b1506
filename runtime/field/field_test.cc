#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "runtime/field/m31.h"
#include "runtime/field/qm31.h"

namespace lindero::runtime {
namespace {

std::vector<uint32_t> interestingResidues() {
  std::vector<uint32_t> values = {
      0, 1, 2, 3, 1u << 30, kModulus / 2, kModulus / 2 + 1, kModulus - 2, kModulus - 1};
  std::mt19937_64 random(7);
  for (int i = 0; i < 40; ++i) values.push_back(random() % kModulus);
  return values;
}

TEST(M31, AgreesWithIntegerArithmetic) {
  for (uint32_t a : interestingResidues()) {
    for (uint32_t b : interestingResidues()) {
      M31 x = M31::fromCanonical(a), y = M31::fromCanonical(b);
      EXPECT_EQ((x + y).value(), (uint64_t{a} + b) % kModulus) << a << " " << b;
      EXPECT_EQ((x - y).value(), (uint64_t{a} + kModulus - b) % kModulus) << a << " " << b;
      EXPECT_EQ((x * y).value(), uint64_t{a} * b % kModulus) << a << " " << b;
    }
  }
}

TEST(M31, ReducesEvery64BitNumber) {
  std::vector<uint64_t> values = {0,
                                  kModulus,
                                  uint64_t{kModulus} * 2,
                                  ~uint64_t{0},
                                  ~uint64_t{0} - 1,
                                  uint64_t{1} << 62,
                                  uint64_t{1} << 63,
                                  (uint64_t{1} << 62) - 1,
                                  uint64_t{kModulus} * kModulus * 4};
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) values.push_back(random());
  for (uint64_t v : values) EXPECT_EQ(reduce64(v), v % kModulus) << v;
}

TEST(M31, SignedValuesRoundTrip) {
  for (int64_t v :
       {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{kModulus / 2}, -int64_t{kModulus / 2}}) {
    EXPECT_EQ(M31::fromSigned(v).centered(), v);
  }
  EXPECT_EQ(M31::fromSigned(-int64_t{kModulus}).value(), 0u);
  EXPECT_EQ(M31::fromSigned(INT64_MIN).value(),
            (M31::fromUnsigned(uint64_t{1} << 63) * M31::fromSigned(-1)).value());
}

TEST(M31, InverseIsInverse) {
  for (uint32_t a : interestingResidues()) {
    M31 x = M31::fromCanonical(a);
    EXPECT_EQ((x * x.inverse()).value(), a == 0 ? 0u : 1u) << a;
  }
}

QM31 element(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return QM31::fromLimbs({a, b, c, d});
}

// The defining relations of the tower.
TEST(QM31, TowerRelations) {
  QM31 i = element(0, 1, 0, 0), u = element(0, 0, 1, 0);
  EXPECT_EQ(i * i, element(kModulus - 1, 0, 0, 0));
  EXPECT_EQ(u * u, element(2, 1, 0, 0));
  EXPECT_EQ(i * u, element(0, 0, 0, 1));
  // (1 + 2i + (3 + 4i)u)(4 + 5i + (6 + 7i)u), multiplied out by hand.
  EXPECT_EQ(element(1, 2, 3, 4) * element(4, 5, 6, 7),
            element(kModulus - 71, 93, kModulus - 16, 50));
}

TEST(QM31, FieldLaws) {
  std::mt19937_64 random(3);
  auto draw = [&] {
    return element(random() % kModulus, random() % kModulus, random() % kModulus,
                   random() % kModulus);
  };
  std::vector<QM31> values = {QM31(), element(1, 0, 0, 0),
                              element(kModulus - 1, kModulus - 1, kModulus - 1, kModulus - 1),
                              element(0, 0, 0, kModulus - 1)};
  for (int k = 0; k < 12; ++k) values.push_back(draw());
  for (const QM31& x : values) {
    EXPECT_EQ(x + (-x), QM31());
    EXPECT_EQ(x * x.inverse(), x.isZero() ? QM31() : element(1, 0, 0, 0)) << x.toString();
    EXPECT_EQ(x.power(5), x * x * x * x * x);
    for (const QM31& y : values) {
      EXPECT_EQ(x * y, y * x);
      EXPECT_EQ(x - y, -(y - x));
      for (const QM31& z : values) {
        EXPECT_EQ((x * y) * z, x * (y * z));
        EXPECT_EQ(x * (y + z), x * y + x * z);
      }
    }
  }
}

template <typename Field>
void expectBatchInverse(std::vector<Field> values, size_t zeros) {
  std::vector<Field> inverses = values;
  EXPECT_EQ(batchInverse(absl::MakeSpan(inverses)), zeros);
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(inverses[i], values[i].inverse()) << i;
}

TEST(BatchInverse, AnyLengthWithZeros) {
  std::mt19937_64 random(9);
  for (size_t count : {0, 1, 2, 63, 64, 65, 200}) {
    std::vector<M31> base;
    std::vector<QM31> extension;
    size_t zeros = 0;
    for (size_t i = 0; i < count; ++i) {
      uint32_t v = i % 7 == 3 ? 0 : random() % kModulus;
      zeros += v == 0;
      base.push_back(M31::fromCanonical(v));
      extension.push_back(element(0, v, v, 0));
    }
    expectBatchInverse(base, zeros);
    expectBatchInverse(extension, zeros);
  }
}

}  // namespace
}  // namespace lindero::runtime
