// What the elementwise product accepts, by enumeration: for each pair of factors one quotient at
// most; and what is refused because it would accept two.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/lower_air/verify_intervals/verify_intervals.h"
#include "tests/soundness/table_view.h"

namespace lindero::passes {
namespace {

using test::TableView;
using test::Tuples;

// y = round(a b / 2^shift), a and b of `factor_bits`.
void makeMultiply(ir::Module& module, int64_t factor_bits, int64_t shift, int64_t bits) {
  ir::Function* f = module.addFunction("main");
  ir::Builder b(&f->body());
  b.setLocation({"/Mul"});
  const int64_t factor = int64_t{1} << (factor_bits - 1), half = int64_t{1} << (bits - 1);
  const ir::Type type = ir::Type::fixed({4, 2}, 4, -factor, factor - 1);
  ir::Value* x = f->body().addArgument(type, "a");
  ir::Value* y = f->body().addArgument(type, "b");
  ir::Value* q = b.value("integer.multiply", {x, y},
                         ir::Type::fixed({4, 2}, static_cast<int>(8 - shift), -half, half - 1),
                         {{"shift", shift}, {"bits", bits}});
  b.create("integer.return", {q}, {}, {{"names", std::vector<std::string>{"y"}}});
  ASSERT_TRUE(createLowerToAir({.widest = true})->run(module).ok());
}

class MultiplyTest : public ::testing::Test {
 protected:
  void SetUp() override { ir::registerAllDialects(); }
};

// The quotients that are accepted: the remainder is what the constraint leaves it to be.
std::vector<int64_t> quotients(TableView& t, const Tuples& tuples, int64_t bits) {
  std::vector<int64_t> accepted;
  for (int64_t q = -(int64_t{1} << (bits - 1)); q < int64_t{1} << (bits - 1); ++q) {
    t.set("q.0", 0, q);
    if (t.solve("r.0", 0, t.rule("multiply.0").operand(0), 0) > 65535) continue;
    if (t.found("quotient.0", 0, tuples) && t.found("remainder.0", 0, tuples)) {
      accepted.push_back(q);
    }
  }
  return accepted;
}

TEST_F(MultiplyTest, EveryPairOfFactorsHasOneProduct) {
  for (int64_t shift : {1, 3, 5}) {
    for (int64_t bits : {2, 4}) {
      ir::Module module;
      makeMultiply(module, 4, shift, bits);
      ASSERT_EQ(createVerifyIntervals()->run(module).status(), absl::OkStatus());
      TableView t(module, "multiply");
      const Tuples tuples = test::allTuples(module);
      for (int64_t a = -8; a < 8; ++a) {
        for (int64_t b = -8; b < 8; ++b) {
          t.set("a.0", 0, a);
          t.set("b.0", 0, b);
          const int64_t q = (a * b + (int64_t{1} << (shift - 1))) >> shift;
          const int64_t half = int64_t{1} << (bits - 1);
          std::vector<int64_t> expected;
          if (-half <= q && q < half) expected.push_back(q);
          EXPECT_EQ(quotients(t, tuples, bits), expected) << a << " * " << b << " >> " << shift;
        }
      }
    }
  }
}

// |a b| <= 2^30 and 2^(15+15): the two sides can differ by p.
TEST_F(MultiplyTest, WideProductsHaveTwoWitnessesAndAreRefused) {
  for (int64_t bits : {14, 16}) {
    ir::Module module;
    makeMultiply(module, 15, 16, bits);
    EXPECT_EQ(createVerifyIntervals()->run(module).ok(), bits == 14) << bits;
    TableView t(module, "multiply");
    const Tuples tuples = test::allTuples(module);
    size_t most = 0;
    for (int64_t a : {-16384, 0, 16383}) {
      for (int64_t b : {-16384, 1, 16383}) {
        t.set("a.0", 0, a);
        t.set("b.0", 0, b);
        most = std::max(most, quotients(t, tuples, bits).size());
      }
    }
    EXPECT_LE(most, bits == 14 ? 1u : 2u);
  }
}

}  // namespace
}  // namespace lindero::passes
