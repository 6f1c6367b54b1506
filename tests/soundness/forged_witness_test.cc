// Forged witnesses: each case is a cheating prover that recomputes all that it controls, so that
// exactly the constraint, lookup or claimed sum that its cheat aims at is left to reject it.
#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "runtime/tamper/forged_rows.h"
#include "tests/soundness/forged_toys.h"

namespace lindero::test {
namespace {

using runtime::forgeArgmaxRow;

struct Case {
  const char* name;
  std::function<void(Forgery&)> cheat;
  std::set<std::string> rejected_by;
  ToyOptions options = kArgmax;
};

// An element that the condition holds for; the test is worth nothing without.
uint64_t findElement(uint64_t count, const std::function<bool(uint64_t)>& condition) {
  for (uint64_t i = 0; i < count; ++i) {
    if (condition(i)) return i;
  }
  ADD_FAILURE() << "no element suits the cheat";
  return 0;
}

// Requantization ----------------------------------------------------------------------------------

void quotientOffByOne(Forgery& f) {
  f.onStep("/k", Step::kRequantize,
           [](const Step& step, Buffers& b) { b.at(step.requantize().quotient())[3] += 1; });
}

// The residual's addend and its quotient move together: acc is unchanged.
void residualAddendMoved(Forgery& f) {
  f.onStep("/add1", Step::kRequantize, [](const Step& step, Buffers& b) {
    EXPECT_EQ(step.requantize().shift(), step.requantize().addend_shift());
    b.at(step.requantize().quotient())[0] += 1;
  });
  f.onCells([](Forgery& g) { add(g.cell("operands", "x.0", g.rowOf("operands", "/add1")), 1); });
}

// Products ----------------------------------------------------------------------------------------

std::function<void(Forgery&)> productOffByOne(const char* node) {
  return [node](Forgery& f) {
    f.onStep(node, Step::kMatmul,
             [](const Step& step, Buffers& b) { b.at(step.matmul().out())[2] += 1; });
  };
}

void maskedScoreChanged(Forgery& f) {
  f.onStep("/attn/Softmax", Step::kSoftmax, [](const Step& step, Buffers& b) {
    const Softmax& s = step.softmax();
    b.at(s.bin())[1 * s.keys() + 2] += 1;  // query 1 does not see key 2
  });
}

// Edges -------------------------------------------------------------------------------------------

// X of a product with two tokens swapped, and the product of that.
void permutedTensor(Forgery& f) {
  f.onStep("/gelu", Step::kMatmul, [](const Step& step, Buffers& b) {
    const MatMul& s = step.matmul();
    for (uint32_t j = 0; j < s.n(); ++j) std::swap(b.at(s.out())[j], b.at(s.out())[s.n() + j]);
  });
  f.onCells([](Forgery& g) {
    for (uint64_t i = 0; i < 8; ++i) std::swap(g.operand("/fc", 0, i), g.operand("/fc", 1, i));
  });
}

// The second block's LayerNorm feeds three products; two of them take an element that is wrong by
// +1 and by -1.
void errorMovedBetweenEdges(Forgery& f) {
  constexpr uint64_t kToken = 2, kFeature = 3;
  for (auto [node, error] : {std::pair("/q.1", 1), {"/k.1", -1}}) {
    f.onStep(node, Step::kMatmul, [error = error](const Step& step, Buffers& b) {
      const MatMul& s = step.matmul();
      for (uint32_t j = 0; j < s.n(); ++j) {
        int64_t at = s.rhs_strides().offset() + kFeature * s.rhs_strides().row() +
                     j * s.rhs_strides().column();
        b.at(s.out())[kToken * s.n() + j] += error * b.at(s.rhs())[static_cast<uint64_t>(at)];
      }
    });
    f.onCells([node = node, error = error](Forgery& g) {
      add(g.operand(node, kToken, kFeature), error);
    });
  }
}

// The first factor of an element is another in the table of products than where it comes from; the
// product and all that follows are of that.
void factorChangedOnTheWay(Forgery& f) {
  f.onStep("/gate", Step::kMultiply, [](const Step& step, Buffers& b) {
    const Multiply& m = step.multiply();
    const int64_t half = int64_t{1} << (m.shift() - 1);
    const int64_t product = int64_t{b.at(m.a())[0] + 1} * b.at(m.b())[0] + half;
    b.at(m.quotient())[0] = static_cast<int32_t>(product >> m.shift());
    b.at(m.remainder())[0] = static_cast<int32_t>(product & (2 * half - 1));
  });
  f.onCells([](Forgery& g) { add(g.cell("multiply", "a.0", g.rowOf("multiply", "/gate")), 1); });
}

// An element that the table of sources does not take over as it is; all that read it are of that.
void elementChangedOnTheWay(Forgery& f) {
  f.onStep("/rotate", Step::kCopyElements, [](const Step& step, Buffers& b) {
    b.at(step.copy_elements().out())[7] += 1;  // the first of the row, moved
  });
  f.onCells([](Forgery& g) {
    const uint64_t row = g.rowOf("copied_rows_1", "/rotate");
    add(g.cell("copied_rows_1", "x.0", row), 1);
  });
}

// A value that is stored is another one in the table that maps it, which is honest from there on.
void mapOfAnotherValue(Forgery& f) {
  f.onStep("/affine.2", Step::kAffine, [](const Step& step, Buffers& b) {
    const Affine& a = step.affine();
    const int64_t half = int64_t{1} << (a.shift() - 1);
    const int64_t sum = int64_t{b.at(a.x())[0] + 1} * b.at(a.m())[0] + b.at(a.c())[0] + half;
    b.at(a.quotient())[0] = static_cast<int32_t>(sum >> a.shift());
    b.at(a.remainder())[0] = static_cast<int32_t>(sum & (2 * half - 1));
  });
  f.onCells([](Forgery& g) {
    add(g.cell("affine_by_row", "x.0", g.rowOf("affine_by_row", "/affine.2")), 1);
  });
}

// A wide sum of one value has an addend, in a lane that holds an element and in one that does not.
void addendThatIsNone(Forgery& f) {
  f.onCells([](Forgery& g) {
    const uint64_t row = g.rowOf("wide_sums", "/affine.2");
    add(g.cell("wide_sums", "y.0", row), 1);
    add(g.cell("wide_sums", "y.3", row + 1), 1);
  });
}

// A denominator is another one in the table of quotients than where it comes from.
void denominatorChangedOnTheWay(Forgery& f) {
  f.onStep("/divide.44", Step::kDivide, [](const Step& step, Buffers& b) {
    const Divide& d = step.divide();
    const int64_t scaled = int64_t{b.at(d.a())[0]} << d.shift(), by = b.at(d.b())[0] + 1;
    const int64_t q = (2 * scaled + by) / (2 * by) - ((2 * scaled + by) % (2 * by) < 0 ? 1 : 0);
    b.at(d.quotient())[0] = static_cast<int32_t>(q);
    b.at(d.remainder())[0] = static_cast<int32_t>(scaled - by * q);
  });
  f.onCells([](Forgery& g) { add(g.cell("divide", "b.0", g.rowOf("divide", "/divide.44")), 1); });
}

// What a relay gives its readers is not what it takes.
void relayOfAnotherValue(Forgery& f) {
  f.onCells([](Forgery& g) { add(g.cell("relays", "x.0", 0), 1); });
}

// A sum that the statistics table does not take over as it is; the variance there is in order.
void statisticsChangedOnTheWay(Forgery& f) {
  f.onCells([](Forgery& g) {
    uint64_t row = g.rowOf("norm_statistics", "/ln1");
    uint64_t r = row + findElement(4, [&](uint64_t i) {
                   return g.cell("norm_statistics", "remainder", row + i) > 0;
                 });
    add(g.cell("norm_statistics", "sum_v", r), -1);
    add(g.cell("norm_statistics", "remainder", r), -1);
  });
}

// Argmax ------------------------------------------------------------------------------------------

// `chosen` and `maximum` from the row's honest ones and its values.
using Choose = std::function<std::pair<int64_t, int64_t>(int64_t best, absl::Span<const int32_t>)>;

std::function<void(Forgery&)> choose(Choose how) {
  return [how](Forgery& f) {
    f.onStep("/argmax", Step::kArgmax, [how](const Step& step, Buffers& b) {
      const Argmax& s = step.argmax();
      auto [chosen, maximum] = how(b.at(s.index())[0], b.at(s.values()).subspan(0, s.width()));
      forgeArgmaxRow(s, b, 0, chosen, maximum);
    });
  };
}

std::pair<int64_t, int64_t> secondOfTie(int64_t best, absl::Span<const int32_t> values) {
  EXPECT_EQ(values[best], values[best + 1]);
  return {best + 1, values[best]};
}
// The lanes that pad the last block hold -(2^29 - 1).
std::pair<int64_t, int64_t> beyondVocabulary(int64_t, absl::Span<const int32_t>) {
  return {kToyVocabulary, -((int64_t{1} << 29) - 1)};
}

// Tables, tokens, statement -----------------------------------------------------------------------

void swappedMultiplicities(Forgery& f) {
  f.atLast([](Forgery& g) {
    uint64_t row = findElement(1 << 12, [&](uint64_t i) {
      uint32_t a = g.cell("functions", "function0.count", i),
               b = g.cell("functions", "function0.count", i + 1);
      return a != b && a != 0 && b != 0;
    });
    std::swap(g.cell("functions", "function0.count", row),
              g.cell("functions", "function0.count", row + 1));
  });
}

// The proof of another prompt.
void anotherToken(Forgery& f) {
  f.onStep("/wte/Gather", Step::kInput, [](const Step& step, Buffers& b) {
    int32_t& id = b.at(step.input().out())[1];
    id = (id + 1) % kToyVocabulary;
  });
}

std::function<void(Forgery&)> anotherValue(PublicValues::Kind kind) {
  return [kind](Forgery& f) {
    f.atLast([kind](Forgery& g) {
      for (PublicValues& tensor : *g.statement.mutable_tensors()) {
        if (tensor.kind() != kind) continue;
        tensor.set_values(0, tensor.values(0) == 0 ? 1 : tensor.values(0) - 1);
      }
    });
  };
}

const std::vector<Case>& cases() {
  static auto& all = *new std::vector<Case>{
      {"Honest", [](Forgery&) {}, {}},
      {"HonestLogits", [](Forgery&) {}, {}, kLogits},
      {"HonestTies", [](Forgery&) {}, {}, kTies},
      {"RequantizationOffByOne", quotientOffByOne, {"products"}},
      {"ResidualAddendMoved", residualAddendMoved, {"edges"}},
      {"ProductOffByOne", productOffByOne("/add1"), {"products"}},
      {"ScoreOffByOne", productOffByOne("/attn/MatMul"), {"products"}},
      {"MixOffByOne", productOffByOne("/attn/o"), {"products"}},
      {"LogitOffByOne", productOffByOne("/argmax"), {"products"}},
      {"PublishedLogitOffByOne", productOffByOne("/head"), {"products"}, kLogits},
      {"MaskedScoreChanged", maskedScoreChanged, {"products"}},
      {"PermutedTensor", permutedTensor, {"edges"}},
      {"ErrorMovedBetweenEdges", errorMovedBetweenEdges, {"edges"}},
      {"StatisticsChangedOnTheWay", statisticsChangedOnTheWay, {"edges"}},
      {"HonestGated", [](Forgery&) {}, {}, kGated},
      {"FactorChangedOnTheWay", factorChangedOnTheWay, {"edges"}, kGated},
      {"HonestCopied", [](Forgery&) {}, {}, kCopied},
      {"ElementChangedOnTheWay", elementChangedOnTheWay, {"edges"}, kCopied},
      {"HonestGeneral", [](Forgery&) {}, {}, kGeneral},
      {"HonestPadded", [](Forgery&) {}, {}, kPadded},
      {"MapOfAnotherValue", mapOfAnotherValue, {"edges"}, kGeneral},
      {"HonestWideSums", [](Forgery&) {}, {}, kWideSums},
      {"AddendThatIsNone", addendThatIsNone, {"constraint wide_sums.no y"}, kWideSums},
      {"DenominatorOfAnotherValue", denominatorChangedOnTheWay, {"edges"}, kGeneral},
      {"RelayOfAnotherValue", relayOfAnotherValue, {"edges", "public:a"}, kGeneral},
      {"TieTakenWrongly", choose(secondOfTie), {"lookup argmax.high"}, kTies},
      // The index cannot be published, so the public one is another.
      {"ChoiceBeyondVocabulary", choose(beyondVocabulary), {"lookup argmax.high", "public:next"}},
      {"SwappedMultiplicities", swappedMultiplicities, {"lookup functions.function0"}},
      {"AnotherToken", anotherToken, {"public:input_ids"}},
      {"AnotherInput", anotherValue(PublicValues::INPUT), {"public:input_ids"}},
      {"AnotherOutput", anotherValue(PublicValues::OUTPUT), {"public:next"}},
      {"AnotherLogit", anotherValue(PublicValues::OUTPUT), {"public:logits"}, kLogits},
  };
  return all;
}

class ForgedWitnessTest : public ::testing::TestWithParam<Case> {};

TEST_P(ForgedWitnessTest, IsRejectedByWhatItAimsAt) {
  Forgery forgery(toy(GetParam().options));
  GetParam().cheat(forgery);
  ASSERT_EQ(forgery.forge(), absl::OkStatus());
  auto failures = forgery.failures();
  ASSERT_EQ(failures.status(), absl::OkStatus());
  EXPECT_EQ(absl::StrJoin(*failures, ", "), absl::StrJoin(GetParam().rejected_by, ", "));
}

// What says that this cell is not what it is.
std::set<std::string> failuresOf(const ToyRun& run, const std::string& table,
                                 const std::string& column, uint64_t row) {
  Forgery forgery(run);
  forgery.onCells([&](Forgery& g) { add(g.cell(table, column, row), 1); });
  EXPECT_EQ(forgery.forge(), absl::OkStatus());
  auto failures = forgery.failures();
  EXPECT_EQ(failures.status(), absl::OkStatus());
  return failures.ok() ? *failures : std::set<std::string>();
}

// A row for each fixed column that is 1 on partial rows.
std::set<uint64_t> partialRows(const ToyRun& run, const Table& table) {
  std::set<uint64_t> rows;
  const uint32_t t = run.table(table.name());
  for (int c = 0; c < table.columns_size(); ++c) {
    if (!absl::StartsWith(table.columns(c).name(), "partial")) continue;
    auto cells = run.package().fixedColumn(t, static_cast<uint32_t>(c));
    rows.insert(std::find(cells.begin(), cells.end(), 1u) - cells.begin());
  }
  return rows;
}

// Each cell that is held at zero, for each gadget that has such cells.
TEST(PaddingTest, ALaneThatHoldsNothingIsZero) {
  const ToyRun& run = toy(kPadded);
  std::set<std::string> held;
  for (const Table& table : run.circuit().tables()) {
    const std::set<uint64_t> rows = partialRows(run, table);
    for (const Constraint& c : table.constraints()) {
      if (!absl::StartsWith(c.name(), "padding of ")) continue;
      const std::string column = c.name().substr(c.name().rfind(' ') + 1);
      const std::string name =
          absl::StrCat("constraint ", table.name(), ".", c.name().substr(0, c.name().rfind('.')));
      SCOPED_TRACE(absl::StrCat(table.name(), ".", c.name()));
      bool refused = false;
      for (uint64_t row : rows) {
        std::set<std::string> failures = failuresOf(run, table.name(), column, row);
        if (failures.erase(name) == 0) continue;
        refused = true;
        // What others take is an end of an edge, too, and what the verifier takes one of a
        // tensor's; and a softmax adds up its lanes.
        for (const std::string& failure : failures) {
          EXPECT_TRUE(failure == "edges" || absl::StartsWith(failure, "public:") ||
                      absl::StrContains(failure, "softmax_1.sum "))
              << failure;
        }
      }
      EXPECT_TRUE(refused);
      held.insert(name);
    }
  }
  // Tables after the first of a kind have its name and a number.
  for (auto [kind, padding] :
       std::initializer_list<std::pair<const char*, const char*>>{{"operands", "x"},
                                                                  {"operands", "right x"},
                                                                  {"operands", "public x"},
                                                                  {"results", "q"},
                                                                  {"results", "r"},
                                                                  {"results", "g"},
                                                                  {"outputs", "y"},
                                                                  {"affine", "q"},
                                                                  {"affine_sum", "r"},
                                                                  {"affine_by_row", "q"},
                                                                  {"lookups", "g"},
                                                                  {"multiply", "q"},
                                                                  {"multiply", "r"},
                                                                  {"divide", "q"},
                                                                  {"divide", "r"},
                                                                  {"softmax", "k"},
                                                                  {"stored_softmax", "k"},
                                                                  {"stored_softmax", "p"}}) {
    const std::string first = absl::StrCat("constraint ", kind),
                      last = absl::StrCat(".padding of ", padding);
    EXPECT_TRUE(std::any_of(held.begin(), held.end(),
                            [&](const std::string& name) {
                              return absl::StartsWith(name, first) && absl::EndsWith(name, last);
                            }))
        << kind << last;
  }
}

// What an edge brings is what its giver has there, and a sign that no element has is none.
TEST(PaddingTest, NothingElseIsFree) {
  const ToyRun& run = toy(kPadded);
  for (auto [name, column, refused] :
       {std::tuple("multiply", "a.3", "edges"),
        {"divide", "b.3", "edges"},
        {"affine", "x.3", "edges"},
        {"divide", "negative.3", "constraint divide.negative is a bit"}}) {
    SCOPED_TRACE(absl::StrCat(name, ".", column));
    const Table& table = run.circuit().tables(static_cast<int>(run.table(name)));
    const std::set<uint64_t> rows = partialRows(run, table);
    EXPECT_FALSE(rows.empty());
    for (uint64_t row : rows) {
      const std::set<std::string> failures = failuresOf(run, name, column, row);
      EXPECT_TRUE(failures.contains(refused) ||
                  std::any_of(failures.begin(), failures.end(),
                              [](const std::string& f) { return absl::StartsWith(f, "public:"); }))
          << absl::StrJoin(failures, ", ");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ForgedWitnessTest, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lindero::test
