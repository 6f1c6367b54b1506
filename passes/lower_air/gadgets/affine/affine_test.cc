// What maps with constants and the rounding of stored values accept, by enumeration: for each
// element, or pair of them, one quotient at most; and what is refused because it would accept two.
#include <gtest/gtest.h>

#include "ir/dialects.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/lower_air/verify_intervals/verify_intervals.h"
#include "tests/soundness/table_view.h"

namespace lindero::passes {
namespace {

using test::TableView;
using test::Tuples;

struct Case {
  bool two = false;  // y n, too
  int64_t factor_bits = 4, shift = 3, bits = 4;
  int64_t m = 3, c = -5, n = -2;
};

ir::Value* number(ir::Module& module, ir::Builder& b, int64_t value) {
  const auto& c = module.constants().addOwned<int64_t>("n", {1}, {value});
  return b.value("integer.constant", {}, ir::Type::fixed({1}, 0, value, value),
                 {{"value", ir::Symbol{c.name}}});
}

void lower(ir::Module& module, const Case& k) {
  ir::Function* f = module.addFunction("main");
  ir::Builder b(&f->body());
  b.setLocation({"/Affine"});
  const int64_t factor = int64_t{1} << (k.factor_bits - 1), half = int64_t{1} << (k.bits - 1);
  const ir::Type type = ir::Type::fixed({2, 2, 3}, 0, -factor, factor - 1);
  std::vector<ir::Value*> operands{f->body().addArgument(type, "x"), number(module, b, k.m),
                                   number(module, b, k.c)};
  if (k.two) operands.push_back(f->body().addArgument(type, "y"));
  if (k.two) operands.push_back(number(module, b, k.n));
  ir::Value* q = b.value("integer.affine", operands,
                         ir::Type::fixed({2, 2, 3}, static_cast<int>(-k.shift), -half, half - 1),
                         {{"shift", k.shift}, {"bits", k.bits}});
  b.create("integer.return", {q}, {}, {{"names", std::vector<std::string>{"q"}}});
  ASSERT_TRUE(createLowerToAir({.widest = true})->run(module).ok());
}

class AffineTest : public ::testing::Test {
 protected:
  void SetUp() override { ir::registerAllDialects(); }
};

// The quotients that are accepted: the remainder is what the constraint leaves it to be.
std::vector<int64_t> quotients(TableView& t, const Tuples& tuples, const Case& k) {
  std::vector<int64_t> accepted;
  for (int64_t q = -(int64_t{1} << (k.bits - 1)); q < int64_t{1} << (k.bits - 1); ++q) {
    t.set("q.0", 0, q);
    if (!t.found("quotient.0", 0, tuples)) continue;
    if (k.shift == 0) {
      if (t.zero("affine.0", 0)) accepted.push_back(q);
      continue;
    }
    if (t.solve("r.0", 0, t.rule("affine.0").operand(0), 0) > 65535) continue;
    if (t.found("remainder.0", 0, tuples)) accepted.push_back(q);
  }
  return accepted;
}

TEST_F(AffineTest, EveryElementHasOneImage) {
  for (const Case& k : {Case{}, Case{.shift = 0, .bits = 6}, Case{.bits = 2}, Case{.two = true},
                        Case{.two = true, .shift = 0, .bits = 7}, Case{.shift = 1, .m = -7}}) {
    SCOPED_TRACE(testing::Message() << "shift " << k.shift << ", bits " << k.bits << ", m " << k.m);
    ir::Module module;
    lower(module, k);
    ASSERT_EQ(createVerifyIntervals()->run(module).status(), absl::OkStatus());
    TableView t(module, k.two ? "affine_sum" : "affine");
    const Tuples tuples = test::allTuples(module);
    for (int64_t x = -8; x < 8; ++x) {
      for (int64_t y = -8; y < (k.two ? 8 : -7); ++y) {
        t.set("x.0", 0, x);
        if (k.two) t.set("y.0", 0, y);
        const int64_t sum = x * k.m + k.c + (k.two ? y * k.n : 0);
        const int64_t q = (sum + ((int64_t{1} << k.shift) >> 1)) >> k.shift;
        const int64_t half = int64_t{1} << (k.bits - 1);
        std::vector<int64_t> expected;
        if (-half <= q && q < half) expected.push_back(q);
        EXPECT_EQ(quotients(t, tuples, k), expected) << x << ", " << y;
      }
    }
  }
}

// A wide sum of one value beside one of two, in one table: its image is one, and so are its cells.
TEST_F(AffineTest, WideSumsOfOneValueHaveNoAddend) {
  ir::Module module;
  ir::Function* f = module.addFunction("main");
  ir::Builder b(&f->body());
  b.setLocation({"/Affine"});
  const ir::Type type = ir::Type::fixed({1, 1}, 0, -8, 7);
  ir::Value *x = f->body().addArgument(type, "x"), *y = f->body().addArgument(type, "y");
  auto sum = [&](std::vector<ir::Value*> operands) {
    return b.value("integer.affine", operands, ir::Type::fixed({1, 1}, 0, -60, 60),
                   {{"shift", int64_t{0}}, {"bits", int64_t{17}}});
  };
  ir::Value *m = number(module, b, 3), *c = number(module, b, -5), *n = number(module, b, -2);
  const std::vector<ir::Value*> sums{sum({x, m, c}), sum({x, m, c, y, n})};
  b.create("integer.return", sums, {}, {{"names", std::vector<std::string>{"one", "two"}}});
  ASSERT_TRUE(createLowerToAir({.widest = true})->run(module).ok());
  ASSERT_EQ(createVerifyIntervals()->run(module).status(), absl::OkStatus());
  TableView t(module, "wide_sums");
  const int64_t one = t.get("n", 0) == 0 ? 0 : 1;
  for (int64_t row : {one, 1 - one}) {
    for (int64_t value = -8; value < 8; ++value) {
      for (int64_t addend = -8; addend < 8; ++addend) {
        t.set("x.0", row, value), t.set("y.0", row, addend);
        const int64_t image = value * 3 - 5 + (row == one ? 0 : addend * -2);
        for (int64_t q = -60; q <= 60; ++q) {
          t.set("q.0", row, q);
          EXPECT_EQ(t.zero("affine.0", row), q == image);
        }
        EXPECT_EQ(t.zero("no y.0", row), row != one || addend == 0);
      }
    }
  }
}

// |x m| <= 2^30 and 2^(15+15): the two sides can differ by p.
TEST_F(AffineTest, WideMapsHaveTwoWitnessesAndAreRefused) {
  for (int64_t bits : {14, 16}) {
    const Case k{.factor_bits = 15, .shift = 16, .bits = bits, .m = 16384, .c = 0};
    ir::Module module;
    lower(module, k);
    EXPECT_EQ(createVerifyIntervals()->run(module).ok(), bits == 14) << bits;
    TableView t(module, "affine");
    const Tuples tuples = test::allTuples(module);
    for (int64_t x : {-16384, 0, 16383}) {
      t.set("x.0", 0, x);
      EXPECT_LE(quotients(t, tuples, k).size(), bits == 14 ? 1u : 2u) << x;
    }
  }
}

}  // namespace
}  // namespace lindero::passes
