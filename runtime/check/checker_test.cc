#include "runtime/check/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "runtime/check/challenges.h"
#include "runtime/check/sums.h"
#include "runtime/package/files.h"
#include "runtime/trace/generate_trace.h"
#include "tests/samples/circuit_builder.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<int64_t> kInputs = {1, -2, 3, 50, -20, 0, 17, 7};

// The sample with its honest trace, whose cells a test may change.
class CheckerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::freshFolder();
    ASSERT_TRUE(testing::writeSample(testing::linearSample(), folder_ + "/model.lindero").ok());
    auto package = Package::open(folder_ + "/model.lindero");
    ASSERT_TRUE(package.ok()) << package.status();
    package_ = std::make_unique<Package>(*std::move(package));
    trace_path_ = folder_ + "/trace.bin";
    auto statement = generateTrace(*package_, testing::linearInputs(kInputs), trace_path_);
    ASSERT_TRUE(statement.ok()) << statement.status();
    statement_ = *statement;
    auto trace = MappedFile::openPrivate(trace_path_);
    ASSERT_TRUE(trace.ok()) << trace.status();
    trace_ = *std::move(trace);
  }

  CheckReport check(const CheckOptions& options = {}) {
    auto checker = Checker::create(*package_, statement_, trace_.words(), options);
    EXPECT_TRUE(checker.ok()) << checker.status();
    auto report = (*checker)->check();
    EXPECT_TRUE(report.ok()) << report.status();
    return *report;
  }

  uint32_t& cell(uint32_t table, uint32_t column, uint64_t row) {
    return trace_.mutableWords()[package_->traceLayout().offset(table, column) + row];
  }

  std::string folder_, trace_path_;
  std::unique_ptr<Package> package_;
  Statement statement_;
  MappedFile trace_;
};

TEST_F(CheckerTest, AcceptsTheHonestTrace) {
  CheckReport report = check();
  EXPECT_TRUE(report.ok()) << report.toString();
  EXPECT_EQ(report.rows, 8u + 2 + 8 + 512);
  EXPECT_THAT(report.toString(), HasSubstr("constraints hold"));
  for (uint64_t seed = 2; seed < 6; ++seed) {
    CheckOptions options;
    options.seed = seed;
    EXPECT_TRUE(check(options).ok()) << seed;
  }
  auto from_file = checkTraces(*package_, statement_, {trace_path_});
  ASSERT_TRUE(from_file.ok()) << from_file.status();
  EXPECT_TRUE(from_file->ok());
}

// Nothing in the trace is free: any change of any cell is noticed.
TEST_F(CheckerTest, RejectsEveryChangedCell) {
  absl::Span<uint32_t> cells = trace_.mutableWords();
  // The counts of "range" beyond the first rows behave alike.
  for (size_t i = 0; i < cells.size(); i += i < 48 ? 1 : 37) {
    uint32_t honest = cells[i];
    for (int64_t delta : {1, -1, 1 << 20}) {
      cells[i] = (M31::fromCanonical(honest) + M31::fromSigned(delta)).value();
      EXPECT_FALSE(check().ok()) << "cell " << i << " + " << delta;
    }
    cells[i] = honest;
  }
  EXPECT_TRUE(check().ok());
}

TEST_F(CheckerTest, RejectsEveryChangedPublicValue) {
  for (int t = 0; t < statement_.tensors_size(); ++t) {
    for (int i = 0; i < statement_.tensors(t).values_size(); ++i) {
      int64_t honest = statement_.tensors(t).values(i);
      statement_.mutable_tensors(t)->set_values(i, honest + 1);
      CheckReport report = check();
      ASSERT_EQ(report.failure_count, 1u);
      EXPECT_EQ(report.failures[0].kind, Failure::Kind::kSumGroup);
      EXPECT_EQ(report.failures[0].name, "public");
      EXPECT_THAT(report.toString(), HasSubstr("public " + statement_.tensors(t).name()));
      statement_.mutable_tensors(t)->set_values(i, honest);
    }
  }
}

// q + 1 and r - 4 leave the accumulator as it was; only the range of r tells, and the output.
TEST_F(CheckerTest, NamesTheLookupOfAForgedQuotient) {
  for (uint64_t row = 0; row < 8; ++row) {
    cell(2, 2, row) = (M31::fromCanonical(cell(2, 2, row)) + M31::fromSigned(1)).value();
    cell(2, 3, row) = (M31::fromCanonical(cell(2, 3, row)) - M31::fromSigned(4)).value();
  }
  for (int i = 0; i < 8; ++i) {
    auto* values = statement_.mutable_tensors(1);
    values->set_values(i, values->values(i) + 1);
  }
  CheckReport report = check();
  ASSERT_FALSE(report.ok());
  for (const Failure& failure : report.failures)
    EXPECT_NE(failure.kind, Failure::Kind::kConstraint);
  EXPECT_EQ(report.failures[0].kind, Failure::Kind::kBus);
  EXPECT_EQ(report.failures[0].name, "range");
  std::string text = report.toString();
  EXPECT_THAT(text, HasSubstr("bus range does not balance in table y"));
  EXPECT_THAT(text, HasSubstr("node \"/mlp/fc\" (layer0/mlp/right)"));
  EXPECT_THAT(text, HasSubstr("r (2, -"));
  EXPECT_THAT(text, HasSubstr("sum group range does not cancel"));
  EXPECT_THAT(text, HasSubstr("sum of range_q"));
  EXPECT_THAT(text, Not(HasSubstr("sum group product")));
}

// Offsets are a hint: a row that stands elsewhere is found by its selector and key.
TEST(BusCounterTest, FindsRowsThatStandElsewhere) {
  testing::Sample sample = testing::linearSample();
  auto run = [&](const std::string& name) {
    std::string folder = testing::freshFolder() + name;
    EXPECT_TRUE(testing::writeSample(sample, folder).ok());
    auto package = Package::open(folder);
    EXPECT_TRUE(package.ok()) << package.status();
    std::string trace = folder + ".trace";
    auto statement = generateTrace(*package, testing::linearInputs(kInputs), trace);
    EXPECT_TRUE(statement.ok()) << statement.status();
    EXPECT_TRUE(checkTraces(*package, *statement, {trace})->ok());
    return *readFile(trace, 1 << 20);
  };
  std::string expected = run("/in_place");
  int changed = 0;
  for (Table& table : *sample.circuit.mutable_tables()) {
    for (Lookup& lookup : *table.mutable_lookups()) {
      for (int i = 0; lookup.provide() && i < lookup.offsets_size(); ++i) {
        if (lookup.offsets(i) == kNotHere) continue;
        lookup.set_offsets(i, lookup.offsets(i) + 3);
        ++changed;
      }
    }
  }
  EXPECT_GT(changed, 2);
  EXPECT_EQ(run("/elsewhere"), expected);
}

TEST_F(CheckerTest, BusesCountExactly) {
  // One count too many on a row of RANGE.
  cell(3, 2, 130) += 1;
  CheckReport report = check();
  ASSERT_GE(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].table, "range");
  EXPECT_THAT(report.toString(),
              HasSubstr("range (8, 130) is looked up 1 times less than it is provided"));
  cell(3, 2, 130) -= 1;
  // A padding row provides (0, 0), which nobody looks up.
  cell(3, 2, 400) = 1;
  EXPECT_THAT(check().toString(), HasSubstr("padding: range (0, 0) is looked up 1 times less"));
  // And takes it back on another padding row: the multiset is the same, so this is accepted.
  cell(3, 2, 401) = kModulus - 1;
  report = check();
  EXPECT_TRUE(report.ok()) << report.toString();
}

// Cells of challenge phases are a prover's to choose, too. A cell that no constraint pins down is
// either read by a bus or not at all.
TEST_F(CheckerTest, RejectsForgedChallengePhases) {
  auto checker = Checker::create(*package_, statement_, trace_.words());
  ASSERT_TRUE(checker.ok()) << checker.status();
  ASSERT_TRUE((*checker)->fill().ok());
  const Circuit& circuit = package_->circuit();
  int tried = 0;
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    for (int c = firstColumnOfPhase(table, 2); c < table.columns_size(); ++c) {
      MutableExtColumn column = (*checker)->mutableColumns().allocate(t, c, tableHeight(table));
      for (uint64_t row = 0; row < tableHeight(table); row += table.name() == "range" ? 101 : 1) {
        QM31 honest = column.at(row);
        column.set(row, honest + QM31::fromLimbs({0, 0, 1, 0}));
        auto report = (*checker)->checkAll();
        ASSERT_TRUE(report.ok());
        EXPECT_FALSE(report->ok())
            << table.name() << "." << table.columns(c).name() << " row " << row;
        column.set(row, honest);
        ++tried;
      }
    }
  }
  EXPECT_GT(tried, 60);
  auto report = (*checker)->checkAll();
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->ok()) << report->toString();
}

TEST_F(CheckerTest, ConstraintsOfTouchedRowsOnly) {
  auto checker = Checker::create(*package_, statement_, trace_.words());
  ASSERT_TRUE(checker.ok()) << checker.status();
  ASSERT_TRUE((*checker)->fill().ok());
  EXPECT_TRUE((*checker)->checkConstraints({{0, 0, 8}, {2, 3, 2}}).empty());
  // The fold of "x" is not filled again, so the row of the changed cell fails, and no other.
  cell(0, 4, 5) += 1;
  for (uint64_t row = 0; row < 8; ++row) {
    std::vector<Failure> failures = (*checker)->checkConstraints({{0, row, 1}});
    EXPECT_EQ(failures.empty(), row != 5) << row;
    if (row != 5) continue;
    EXPECT_EQ(failures[0].name, "fold");
    ASSERT_EQ(failures[0].examples.size(), 1u);
    EXPECT_EQ(failures[0].examples[0].row, 5u);
    EXPECT_EQ(failures[0].examples[0].node, "/mlp/fc");
    EXPECT_EQ(failures[0].examples[0].region, "layer0/mlp/left");
    EXPECT_THAT(failures[0].toString(), HasSubstr("x = 51, a[previous] = "));
  }
  // After an honest prover's fill the constraints hold again; product and public claimed sums do
  // not.
  ASSERT_TRUE((*checker)->fill().ok());
  EXPECT_TRUE((*checker)->checkConstraints({{0, 0, 8}}).empty());
  auto claimed_sums = (*checker)->checkClaimedSums();
  ASSERT_TRUE(claimed_sums.ok());
  EXPECT_EQ(claimed_sums->size(), 2u);
}

TEST_F(CheckerTest, ReportIsTheSameForAnyNumberOfThreads) {
  cell(0, 4, 3) += 1;
  cell(2, 3, 2) += 7;
  cell(3, 2, 7) += 1;
  CheckOptions options;
  options.threads = 1;
  std::string one = check(options).toString();
  for (int threads : {2, 3, 8}) {
    options.threads = threads;
    EXPECT_EQ(check(options).toString(), one);
  }
}

TEST_F(CheckerTest, RefusesUnfitFiles) {
  cell(0, 4, 3) = kModulus;
  EXPECT_THAT(
      std::string(Checker::create(*package_, statement_, trace_.words()).status().message()),
      HasSubstr("trace: F27: table \"x\", column \"x\", row 3: 2147483647"));
  cell(0, 4, 3) = 0;
  EXPECT_FALSE(Checker::create(*package_, statement_, trace_.words().subspan(1)).ok());
  Statement empty;
  empty.set_format(1);
  EXPECT_FALSE(Checker::create(*package_, empty, trace_.words()).ok());
  CheckOptions options;
  options.challenges.resize(3);
  EXPECT_FALSE(Checker::create(*package_, statement_, trace_.words(), options).ok());
  std::filesystem::resize_file(trace_path_, 12);
  EXPECT_THAT(std::string(checkTraces(*package_, statement_, {trace_path_}).status().message()),
              HasSubstr("12 bytes"));
}

TEST_F(CheckerTest, ReportsZeroDenominatorsAndInverses) {
  CheckOptions options;
  options.challenges = drawChallenges(1, 8);
  // z = 8 with alpha = 0: every denominator z - (8 + alpha * q) of the lookups of q is zero.
  options.challenges[5] = QM31(M31::fromCanonical(8));
  options.challenges[6] = QM31();
  CheckReport report = check(options);
  EXPECT_THAT(report.toString(), HasSubstr("fraction y.range_q has a zero denominator on 8 rows"));
  // sigma = 0 has no inverse.
  options.challenges[1] = QM31();
  auto checker = Checker::create(*package_, statement_, trace_.words(), options);
  ASSERT_TRUE(checker.ok());
  EXPECT_THAT(std::string((*checker)->check().status().message()), HasSubstr("inverse of zero"));
}

TEST_F(CheckerTest, LimitsWhatItDescribes) {
  for (uint64_t row = 0; row < 8; ++row) cell(2, 3, row) += 1;
  CheckOptions options;
  options.max_failures = 1;
  options.max_examples = 2;
  CheckReport report = check(options);
  EXPECT_GT(report.failure_count, 1u);
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_LE(report.failures[0].examples.size(), 2u);
  EXPECT_THAT(report.toString(), HasSubstr("failures, the first 1"));
}

// Tables without rows to spare: a scan and a running sum over 1, 2 and 4 rows, and over several
// chunks and blocks.
TEST(CheckerSizes, ScansAndSumsOfAnyHeight) {
  for (uint32_t log_height : {0, 1, 2, 3, 8, 9, 14, 15}) {
    testing::CircuitBuilder b;
    uint32_t t = b.table("t", log_height), rho = b.drawn(b.challenge("rho", 1)),
             group = b.group("g");
    uint32_t x = b.read(t, b.column(t, "x", 1));
    uint32_t scan = b.column(t, "scan", 2);
    b.scan(t, scan, "scan", rho, x);
    uint32_t product = b.column(t, "product", 2);
    uint32_t square = b.mul(b.read(t, scan), x);
    b.columnAt(t, product).mutable_expression()->set_value(square);
    b.constrain(t, "product", b.sub(b.read(t, product), square));
    // x / (rho - 1) - x / (rho - 1) cancels within the column.
    uint32_t one = b.constant(1), denominator = b.sub(rho, one);
    uint32_t fraction = b.column(t, "fraction", 3);
    b.columnAt(t, fraction).mutable_fraction()->set_numerator(x);
    b.columnAt(t, fraction).mutable_fraction()->set_denominator(denominator);
    b.constrain(t, "fraction", b.sub(b.mul(b.read(t, fraction), denominator), x));
    b.running(t, "sum", 3, b.node(Node::NEG, x), denominator, b.read(t, fraction), group);
    Program program;
    program.set_format(program::kProgramFormat);
    std::string path = testing::freshFolder() + "/p.lindero";
    ASSERT_TRUE(testing::writeSample({b.circuit, program, {}}, path).ok());
    auto package = Package::open(path);
    ASSERT_TRUE(package.ok()) << package.status();
    std::vector<uint32_t> main(package->traceLayout().cells());
    for (size_t i = 0; i < main.size(); ++i) main[i] = static_cast<uint32_t>(i * i + 3);
    Statement statement;
    statement.set_format(1);
    auto checker = Checker::create(*package, statement, main);
    ASSERT_TRUE(checker.ok()) << checker.status();
    auto report = (*checker)->check();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok()) << log_height << ": " << report->toString();
    // The scan as it is defined.
    QM31 value, challenge = (*checker)->challenges()[0];
    for (size_t i = 0; i < main.size(); ++i) {
      value = value * challenge + QM31(M31::fromCanonical(main[i]));
      ASSERT_EQ((*checker)->columns().view(t, scan).at(i), value) << log_height << " row " << i;
    }
  }
}

// The definition in circuit.proto, term by term, over shapes that do not fill their tiles.
TEST(PublicTerms, FollowTheDefinition) {
  std::vector<QM31> z = drawChallenges(3, 3);
  for (auto [rows, columns, tile_rows, tile_columns] : {std::array<uint32_t, 4>{1, 1, 1, 1},
                                                        {5, 7, 2, 3},
                                                        {4, 4, 4, 4},
                                                        {3, 8, 8, 2},
                                                        {6, 1, 2, 1}}) {
    PublicTensor tensor;
    tensor.set_rows(rows);
    tensor.set_columns(columns);
    tensor.set_tile_rows(tile_rows);
    tensor.set_tile_columns(tile_columns);
    tensor.set_address(11);
    tensor.set_negative(rows % 2 == 1);
    PublicValues values;
    QM31 expected;
    for (uint32_t i = 0; i < rows; ++i) {
      for (uint32_t j = 0; j < columns; ++j) {
        int64_t v = static_cast<int64_t>(i * 31 + j * 7) - 40;
        values.add_values(v);
        uint32_t address =
            11 + (i / tile_rows) * ((columns + tile_columns - 1) / tile_columns) + j / tile_columns;
        auto base = [](int64_t x) { return QM31(M31::fromSigned(x)); };
        expected += base(v) * ((z[0] - base(address)) * (z[1] - base(i % tile_rows)) *
                               (z[2] - base(j % tile_columns)))
                                  .inverse();
      }
    }
    auto term = publicTerm(tensor, values, z[0], z[1], z[2]);
    ASSERT_TRUE(term.ok()) << term.status();
    EXPECT_EQ(*term, tensor.negative() ? -expected : expected);
    EXPECT_FALSE(publicTerm(tensor, values, QM31(M31::fromCanonical(11)), z[1], z[2]).ok());
  }
}

// Two members of the linked sample: what "x" leaves in one is taken in the other, both ways.
// The members' circuits differ in the names of their tensors.
class BundleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::freshFolder();
    const Circuit circuit = testing::linkedSample();
    const LinkEnd taken = testing::linkedBundle().links(0).ends(0),
                  left = testing::linkedBundle().links(0).ends(1);
    bundle_.set_format(1);
    bundle_.set_most_steps(1);
    for (uint32_t m = 0; m < 2; ++m) {
      testing::Sample sample = testing::linearSample();
      sample.circuit = circuit;
      for (PublicTensor& tensor : *sample.circuit.mutable_publics()) {
        if (m == 1) tensor.set_name(tensor.name() + "2");
      }
      ASSERT_EQ(testing::writeSample(sample, memberFolder(m)), absl::OkStatus());
      bundle_.add_members()->set_name(names_[m]);
      bundle_.mutable_members(static_cast<int>(m))->set_circuit(m);
      Link& link = *bundle_.add_links();
      link.add_ends()->set_group(taken.group());
      link.mutable_ends(0)->set_member(m);
      link.add_ends()->set_group(left.group());
      link.mutable_ends(1)->set_member(1 - m);
    }
    writeBundle();
  }

  std::string memberFolder(uint32_t m) const { return folder_ + "/package/members/" + names_[m]; }

  void writeBundle() {
    ASSERT_EQ(writeFile(folder_ + "/package/bundle.pb", bundle_.SerializeAsString()),
              absl::OkStatus());
  }

  // The verdict on a run of these inputs, one for each member; or why there is none.
  std::string verdict(const std::vector<std::vector<int64_t>>& inputs) {
    auto package = openBundle(folder_ + "/package");
    if (!package.ok()) return std::string(package.status().message());
    Statement all;
    all.set_format(1);
    std::vector<std::string> traces;
    for (size_t m = 0; m < package->members.size(); ++m) {
      Statement given = testing::linearInputs(inputs[m]);
      given.mutable_tensors(0)->set_name(package->members[m].circuit().publics(0).name());
      traces.push_back(folder_ + "/trace" + std::to_string(m));
      auto statement = generateTrace(package->members[m], given, traces.back());
      EXPECT_EQ(statement.status(), absl::OkStatus());
      all.mutable_tensors()->MergeFrom(statement->tensors());
    }
    auto report = checkTraces(*package, all, traces);
    return report.ok() ? report->toString() : std::string(report.status().message());
  }

  std::string folder_;
  const std::vector<std::string> names_ = {"first", "second"};
  Bundle bundle_;
};

TEST_F(BundleTest, HasMembersThatFitEachOther) {
  EXPECT_THAT(verdict({kInputs, kInputs}), HasSubstr("constraints hold"));
  std::vector<int64_t> other = kInputs;
  other[3] = 51;
  // Each by itself holds: it is a link that fails.
  const std::string wrong = verdict({kInputs, other});
  EXPECT_THAT(wrong, HasSubstr("the ends of a link differ: sum group taken of member first"));
  EXPECT_THAT(wrong, Not(HasSubstr("constraint ")));
  // What no link names sums to zero by itself.
  bundle_.clear_links();
  writeBundle();
  EXPECT_THAT(verdict({kInputs, kInputs}), HasSubstr("sum group taken"));
}

TEST_F(BundleTest, IsRefusedWithABundleInTheFolderOfAMember) {
  ASSERT_EQ(writeFile(memberFolder(1) + "/bundle.pb", bundleOfOne().SerializeAsString()),
            absl::OkStatus());
  EXPECT_THAT(verdict({kInputs, kInputs}), HasSubstr("F34: its folder has a bundle.pb of its own"));
}

TEST_F(BundleTest, IsRefusedWithOtherCircuits) {
  bundle_.mutable_members(1)->set_circuit(0);
  writeBundle();
  EXPECT_THAT(verdict({kInputs, kInputs}), HasSubstr("F34: circuit 0; by its files it is 1"));
  bundle_.mutable_members(1)->set_circuit(1);
  bundle_.mutable_members(1)->set_name("../members/second");
  writeBundle();
  EXPECT_THAT(verdict({kInputs, kInputs}), HasSubstr("F34: that cannot be the name"));
}

TEST(Challenges, DependOnTheSeedAlone) {
  std::vector<QM31> one = drawChallenges(1, 50);
  EXPECT_EQ(drawChallenges(1, 50), one);
  std::vector<QM31> fewer = drawChallenges(1, 10);
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), one.begin()));
  EXPECT_NE(drawChallenges(2, 50), one);
}

}  // namespace
}  // namespace lindero::runtime
