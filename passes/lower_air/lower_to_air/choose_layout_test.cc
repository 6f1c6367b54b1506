// The columns that a layout is chosen by are those that the circuit has.
#include "passes/lower_air/lower_to_air/choose_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ir/core/op_table.h"
#include "ir/dialects.h"
#include "passes/lower_air/lower_sums/lower_sums.h"
#include "passes/lower_air/lower_to_air/planner.h"
#include "passes/quantize/tables.h"
#include "tests/soundness/toy_gpt.h"

namespace lindero::passes {

void PrintTo(const TableShape& s, std::ostream* out) {
  *out << s.fixed << " fixed, " << s.main << " main, " << s.folds << " folds, " << s.fractions
       << " fractions";
}

void PrintTo(const TableSize& s, std::ostream* out) {
  *out << s.name << ": " << s.height << " rows, ";
  PrintTo(s.shape, out);
}

namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

// The tables of a circuit whose sums are lowered.
std::vector<TableSize> emittedSizes(ir::Module& module, const LowerToAirOptions& options) {
  EXPECT_EQ(createLowerToAir(options)->run(module).status(), absl::OkStatus());
  EXPECT_EQ(createLowerSums()->run(module).status(), absl::OkStatus());
  std::vector<TableSize> sizes;
  for (const ir::Op& table : module.findFunction("circuit")->body().ops()) {
    if (!table.is("air.table")) continue;
    TableShape& shape =
        sizes.emplace_back(table.stringAttr("name"), int64_t{1} << table.intAttr("log_height"))
            .shape;
    for (const ir::Op& op : table.block()->ops()) {
      if (op.is("air.column")) ++(op.intAttr("phase") == 0 ? shape.fixed : shape.main);
      if (op.is("air.scan") || op.is("air.gather")) ++shape.folds;
      if (op.is("air.fraction")) ++shape.fractions;
    }
  }
  return sizes;
}

absl::StatusOr<ChosenLayout> layoutOf(const ir::Module& module, const LowerToAirOptions& options) {
  Planner planner(*module.findFunction("main"), options);
  if (absl::Status s = planner.plan(); !s.ok()) return s;
  return chooseLayout(planner.wiring(), planner.tables());
}

int64_t columnsOf(const ChosenLayout& chosen) {
  int64_t columns = 0;
  for (const TableSize& table : chosen.sizes) columns += table.shape.columns();
  return columns;
}

class MeasuredShapes : public ::testing::TestWithParam<test::ToyOptions> {};

TEST_P(MeasuredShapes, AreThoseOfTheCircuit) {
  ir::registerAllDialects();
  for (int64_t lanes : {1, 2, 4}) {
    SCOPED_TRACE(lanes);
    ir::Module module;
    ASSERT_EQ(test::makeToyGpt(module, GetParam()), absl::OkStatus());
    const LowerToAirOptions options{.lanes = lanes, .widest = true, .decode = GetParam().decode};
    const absl::StatusOr<ChosenLayout> chosen = layoutOf(module, options);
    ASSERT_EQ(chosen.status(), absl::OkStatus());
    const std::vector<TableSize> emitted = emittedSizes(module, options);
    EXPECT_THAT(chosen->sizes, ElementsAreArray(emitted));
    EXPECT_EQ(chosen->costs.of(chosen->sizes), chosen->costs.of(emitted));
  }
}

INSTANTIATE_TEST_SUITE_P(Toys, MeasuredShapes,
                         ::testing::Values(test::ToyOptions{}, test::ToyOptions{.logits = true},
                                           test::ToyOptions{.embedded = false},
                                           test::ToyOptions{.causal = false},
                                           test::ToyOptions{.decode = true},
                                           test::ToyOptions{.decode = true, .block = 2}));

// A product, its rounding, a norm and a product of elements, again and again; all of one length.
class Branch {
 public:
  Branch(ir::Module& module, ir::Builder& b, int64_t rows, int64_t columns)
      : module_(module), b_(b), rows_(rows), columns_(columns) {}

  ir::Value* chain(ir::Value* x, int times) {
    for (int i = 0; i < times; ++i) {
      ir::Value* z = norm(x);
      ir::Value* product = b_.value("integer.linear", {z, constant({columns_, columns_}, 1)},
                                    type(columns_ << 11, 8));
      x = b_.value("integer.requantize", {product}, type(1 << 11, 7),
                   {{"shift", int64_t{1}}, {"bits", int64_t{12}}});
      x = b_.value("integer.multiply", {x, z}, type(1 << 11, 4),
                   {{"shift", int64_t{11}}, {"bits", int64_t{12}}});
    }
    return x;
  }

  ir::Type type(int64_t bound, int exponent) const {
    return ir::Type::fixed({rows_, columns_}, exponent, -bound, bound - 1);
  }

 private:
  ir::Value* norm(ir::Value* x) {
    const int square = squareShift(columns_);
    auto root = reciprocalRootTable(columns_, square, 8, 12, 5);
    EXPECT_EQ(root.status(), absl::OkStatus());
    const auto& table = module_.constants().addOwned<int32_t>("root", {65536, 2}, root->entries);
    const auto [low, high] = std::minmax_element(root->entries.begin(), root->entries.end());
    ir::Value* entries =
        b_.value("integer.constant", {}, ir::Type::fixed({65536, 2}, 0, *low, *high),
                 {{"value", ir::Symbol{table.name}}});
    return b_.value("integer.layernorm", {x, entries}, type(1 << 11, 8),
                    {{"square_shift", int64_t{square}},
                     {"epsilon", int64_t{1}},
                     {"output_bits", int64_t{12}},
                     {"max_exponent", int64_t{5}},
                     {"has_mean", true}});
  }

  ir::Value* constant(std::vector<int64_t> shape, int64_t value) {
    const ir::Type type = ir::Type::fixed(shape, 0, value, value);
    const auto& c = module_.constants().addOwned<int64_t>(
        "w", shape, std::vector<int64_t>(type.elements(), value));
    return b_.value("integer.constant", {}, type, {{"value", ir::Symbol{c.name}}});
  }

  ir::Module& module_;
  ir::Builder& b_;
  int64_t rows_, columns_;
};

// The lanes of the items of a body of 16 x 64, by the kind of table, and beside it a branch of 13 x
// 11 so many times as long.
std::map<std::string, std::vector<int64_t>> lanesBeside(int branch) {
  ir::registerAllDialects();
  ir::Module module;
  ir::Function* f = module.addFunction("main");
  ir::Builder b(&f->body());
  b.setLocation({"/node"});
  constexpr int kTimes = 8;
  Branch body(module, b, 16, 64), beside(module, b, 13, 11);
  std::vector<ir::Value*> outputs{
      body.chain(f->body().addArgument(body.type(1 << 11, 8), "x"), kTimes)};
  std::vector<std::string> names{"y"};
  if (branch > 0) {
    ir::Value* x = f->body().addArgument(beside.type(1 << 11, 8), "b");
    outputs.push_back(beside.chain(x, branch * kTimes));
    names.push_back("c");
  }
  b.create("integer.return", outputs, {}, {{"names", names}});
  Planner planner(*f, {.lanes = 4});
  EXPECT_EQ(planner.plan(), absl::OkStatus());
  absl::StatusOr<ChosenLayout> chosen = chooseLayout(planner.wiring(), planner.tables());
  EXPECT_EQ(chosen.status(), absl::OkStatus());
  std::map<std::string, std::vector<int64_t>> lanes;
  for (const TableKind* kind : planner.tables()) {
    if (kind->name() == "weights") continue;  // in one table, whatever their products are
    for (size_t item = 0; item < kind->items(); ++item) {
      lanes[kind->name()].push_back(chosen->layout.lanes(kind->lanes(item)));
    }
  }
  return lanes;
}

TEST(Lanes, ABranchOfPrimeLengthChangesNoOtherTable) {
  const auto body = lanesBeside(0);
  EXPECT_THAT(body.at("results"), Each(4));
  // The longer one has more cells than the body.
  for (int branch : {1, 10}) {
    SCOPED_TRACE(branch);
    const auto both = lanesBeside(branch);
    for (const auto& [kind, lanes] : body) {
      SCOPED_TRACE(kind);
      // The body's items are listed first.
      ASSERT_GT(both.at(kind).size(), lanes.size());
      EXPECT_EQ(std::vector(both.at(kind).begin(), both.at(kind).begin() + lanes.size()), lanes);
    }
    // Its last rows are partial.
    EXPECT_GT(both.at("results").back(), 1);
  }
}

// A product of one row by a matrix of 2^22 weights, and what rounds it.
std::unique_ptr<ir::Module> wideProduct() {
  ir::registerAllDialects();
  auto module = std::make_unique<ir::Module>();
  ir::Function* f = module->addFunction("main");
  ir::Builder b(&f->body());
  b.setLocation({"/node"});
  Branch branch(*module, b, 1, 2048);
  ir::Value* x = f->body().addArgument(branch.type(1 << 11, 8), "x");
  b.create("integer.return", {branch.chain(x, 1)}, {}, {{"names", std::vector<std::string>{"y"}}});
  return module;
}

// A lookup has 2^16 rows. By themselves, a toy's functions would stand in one set of columns of
// 2^17.
TEST(TallestTable, IsNoTallerThanALookupHasToBe) {
  ir::registerAllDialects();
  ir::Module module;
  ASSERT_EQ(test::makeToyGpt(module, {}), absl::OkStatus());
  const auto chosen = layoutOf(module, {});
  ASSERT_EQ(chosen.status(), absl::OkStatus());
  EXPECT_EQ(tallestOf(chosen->sizes), 1 << 16);
  EXPECT_EQ(chosen->limits.tallest, 1 << 16);
}

// Columns are what layouts for smaller proofs have fewer of; cells and rows, those for faster ones.
TEST(Preferences, HaveFewerColumnsOrFewerCells) {
  const auto module = wideProduct();
  std::vector<int64_t> columns, cells;
  for (const Prefer prefer : {Prefer::kSpeed, Prefer::kBalance, Prefer::kSize}) {
    const auto chosen = layoutOf(*module, {.prefer = prefer});
    ASSERT_EQ(chosen.status(), absl::OkStatus());
    columns.push_back(columnsOf(*chosen));
    cells.push_back(LayoutCosts{.column = 0, .row = 60}.of(chosen->sizes));
  }
  EXPECT_GE(columns[0], columns[1]);
  EXPECT_GT(columns[1], columns[2]);
  EXPECT_LE(cells[0], cells[1]);
  EXPECT_LT(cells[1], cells[2]);
}

constexpr TableShape kShape{.fixed = 2, .main = 4, .folds = 1, .fractions = 1};  // 12 online

TEST(PackRows, OneTableWhereItIsFull) {
  EXPECT_THAT(packRows({16, 16}, kShape, {}), ElementsAre(ElementsAre(0, 1)));
}

TEST(PackRows, ASecondTableWhereItSavesMoreThanItsColumns) {
  // 64 + 32 rows instead of 128 save 32 rows of 12 cells; a table is 14 columns.
  EXPECT_THAT(packRows({64, 20}, kShape, {.column_cost = 384 / 14}),
              ElementsAre(ElementsAre(0), ElementsAre(1)));
  EXPECT_THAT(packRows({64, 20}, kShape, {.column_cost = 384 / 14 + 1}),
              ElementsAre(ElementsAre(0, 1)));
}

TEST(PackRows, ItemsStayWhole) {
  EXPECT_THAT(packRows({40, 40, 40}, kShape, {}), ElementsAre(ElementsAre(0, 1, 2)));
}

TEST(PackRows, TheTallestFirstWhereTheOrderOfTheProgramDoesNotSplit) {
  // In order, 8 + 20 of 32 leave 24 + 12, which take 64 again; 24 + 8 leave 32.
  EXPECT_THAT(packRows({8, 20, 24, 12}, kShape, {}),
              ElementsAre(ElementsAre(0, 2), ElementsAre(1, 3)));
}

TEST(PackRows, NoTableIsTallerThanTheLimitUnlessAnItemIs) {
  const int64_t no_split = 1 << 20;
  EXPECT_THAT(packRows({64, 20}, kShape, {no_split, 64}),
              ElementsAre(ElementsAre(0), ElementsAre(1)));
  EXPECT_THAT(packRows({40, 40, 20}, kShape, {no_split, 64}),
              ElementsAre(ElementsAre(0, 2), ElementsAre(1)));
  EXPECT_THAT(packRows({64, 20, 8}, kShape, {no_split, 32}),
              ElementsAre(ElementsAre(1, 2), ElementsAre(0)));
}

}  // namespace
}  // namespace lindero::passes
