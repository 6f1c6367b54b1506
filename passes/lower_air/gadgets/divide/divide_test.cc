// What the quotient of two tensors accepts, by enumeration: for each pair of numbers one quotient
// at most, and none for a zero denominator; and what is refused because it would accept two.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/lower_air/verify_intervals/verify_intervals.h"
#include "tests/soundness/table_view.h"

namespace lindero::passes {
namespace {

using test::TableView;
using test::Tuples;

// y = round(a 2^shift / b), a and b of `operand_bits` bits.
void makeDivide(ir::Module& module, int64_t operand_bits, int64_t shift, int64_t bits) {
  ir::Function* f = module.addFunction("main");
  ir::Builder b(&f->body());
  b.setLocation({"/Div"});
  const int64_t operand = int64_t{1} << (operand_bits - 1), half = int64_t{1} << (bits - 1);
  const ir::Type type = ir::Type::fixed({4, 2}, 4, -operand, operand - 1);
  ir::Value* x = f->body().addArgument(type, "a");
  ir::Value* y = f->body().addArgument(type, "b");
  ir::Value* q = b.value("integer.divide", {x, y},
                         ir::Type::fixed({4, 2}, static_cast<int>(shift), -half, half - 1),
                         {{"shift", shift}, {"bits", bits}});
  b.create("integer.return", {q}, {}, {{"names", std::vector<std::string>{"y"}}});
  ASSERT_TRUE(createLowerToAir({.widest = true})->run(module).ok());
}

class DivideTest : public ::testing::Test {
 protected:
  void SetUp() override { ir::registerAllDialects(); }
};

// The quotients and signs that are accepted: the remainder is what the constraint leaves it to be.
std::vector<std::pair<int64_t, int64_t>> quotients(TableView& t, const Tuples& tuples,
                                                   int64_t bits) {
  std::vector<std::pair<int64_t, int64_t>> accepted;
  for (int64_t negative : {0, 1}) {
    t.set("negative.0", 0, negative);
    for (int64_t q = -(int64_t{1} << (bits - 1)); q < int64_t{1} << (bits - 1); ++q) {
      t.set("q.0", 0, q);
      t.solve("r.0", 0, t.rule("divide.0").operand(0), 0);
      if (t.found("quotient.0", 0, tuples) && t.found("remainder low.0", 0, tuples) &&
          t.found("remainder high.0", 0, tuples)) {
        accepted.emplace_back(q, negative);
      }
    }
  }
  return accepted;
}

// Whether floor(a 2^shift / b + 1/2) is q, by the definition.
bool isQuotient(int64_t a, int64_t b, int64_t shift, int64_t q) {
  const int64_t sign = b < 0 ? -1 : 1, rest = sign * ((a << shift) - b * q);
  return -sign * b <= 2 * rest && 2 * rest < sign * b;
}

TEST_F(DivideTest, EveryPairHasOneQuotientAndZeroHasNone) {
  for (int64_t shift : {0, 1, 3}) {
    for (int64_t bits : {3, 6}) {
      ir::Module module;
      makeDivide(module, 4, shift, bits);
      ASSERT_EQ(createVerifyIntervals()->run(module).status(), absl::OkStatus());
      TableView t(module, "divide");
      const Tuples tuples = test::allTuples(module);
      for (int64_t a = -8; a < 8; ++a) {
        for (int64_t b = -8; b < 8; ++b) {
          t.set("a.0", 0, a);
          t.set("b.0", 0, b);
          std::vector<std::pair<int64_t, int64_t>> expected;
          const int64_t half = int64_t{1} << (bits - 1);
          for (int64_t q = -half; q < half; ++q) {
            if (isQuotient(a, b, shift, q)) expected.emplace_back(q, b < 0 ? 1 : 0);
          }
          EXPECT_EQ(quotients(t, tuples, bits), expected) << a << " / " << b << " << " << shift;
        }
      }
    }
  }
}

TEST_F(DivideTest, SignsAreBits) {
  ir::Module module;
  makeDivide(module, 4, 1, 3);
  TableView t(module, "divide");
  for (int64_t negative = -3; negative <= 3; ++negative) {
    t.set("negative.0", 0, negative);
    EXPECT_EQ(t.zero("negative is a bit.0", 0), negative == 0 || negative == 1) << negative;
  }
}

// The ends of the widest ranges, b = -2^15 among them: one quotient at most, and no other modulo p.
TEST_F(DivideTest, WideQuotientsThatCouldWrapAreRefused) {
  for (int64_t bits : {15, 16}) {
    ir::Module module;
    makeDivide(module, 16, 13, bits);
    EXPECT_EQ(createVerifyIntervals()->run(module).ok(), bits == 15) << bits;
    TableView t(module, "divide");
    const Tuples tuples = test::allTuples(module);
    for (int64_t a : {-32768, -1, 0, 32767}) {
      for (int64_t b : {-32768, -32767, -1, 0, 1, 20000, 32767}) {
        t.set("a.0", 0, a);
        t.set("b.0", 0, b);
        EXPECT_LE(quotients(t, tuples, bits).size(), bits == 15 ? 1u : 2u) << a << " / " << b;
      }
    }
  }
}

}  // namespace
}  // namespace lindero::passes
