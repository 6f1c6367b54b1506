#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <vector>

#include "runtime/eval/kernels.h"
#include "runtime/eval/row_program.h"
#include "runtime/field/lanes.h"
#include "runtime/package/package_writer.h"
#include "runtime/parallel/thread_pool.h"
#include "tests/samples/circuit_builder.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

TEST(ThreadPool, EveryIndexOnce) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (uint64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> calls(count);
      std::atomic<bool> bad_worker{false};
      pool.parallelFor(count, [&](uint64_t i, int worker) {
        ++calls[i];
        if (worker < 0 || worker >= threads) bad_worker = true;
      });
      for (uint64_t i = 0; i < count; ++i) EXPECT_EQ(calls[i], 1) << threads << " " << count;
      EXPECT_FALSE(bad_worker);
    }
  }
}

uint32_t drawResidue(std::mt19937_64& random) {
  // Ends of the range often.
  switch (random() % 8) {
    case 0:
      return 0;
    case 1:
      return kModulus - 1;
    case 2:
      return 1;
    default:
      return static_cast<uint32_t>(random() % kModulus);
  }
}

TEST(Kernels, InvertChunk) {
  std::mt19937_64 random(4);
  for (size_t rows : {1, 2, 7, 8, 31, 32, 33, 255, 256}) {
    for (bool with_zeros : {false, true}) {
      std::vector<std::vector<uint32_t>> limbs(4, std::vector<uint32_t>(kChunkRows));
      std::vector<QM31> values;
      bool has_zero = false;
      for (size_t i = 0; i < rows; ++i) {
        for (auto& limb : limbs) limb[i] = drawResidue(random);
        limbs[1][i] += limbs[1][i] == 0;
        if (with_zeros && i % 5 == 2) {
          for (auto& limb : limbs) limb[i] = 0;
          has_zero = true;
        }
        values.push_back(QM31::fromLimbs({limbs[0][i], limbs[1][i], limbs[2][i], limbs[3][i]}));
      }
      uint32_t* pointers[4] = {limbs[0].data(), limbs[1].data(), limbs[2].data(), limbs[3].data()};
      EXPECT_EQ(invertChunk(pointers, rows), has_zero);
      for (size_t i = 0; i < rows; ++i) {
        EXPECT_EQ(QM31::fromLimbs({limbs[0][i], limbs[1][i], limbs[2][i], limbs[3][i]}),
                  values[i].inverse())
            << rows << " " << i;
      }
    }
  }
}

// A table with columns of every kind and random nodes over them.
struct RandomCircuit {
  explicit RandomCircuit(uint32_t log_height, uint64_t seed) : random(seed) {
    table = b.table("t", log_height);
    b.challenge("c0", 1);
    b.challenge("c1", 2);
    for (int c = 0; c < 2; ++c) b.column(table, "fixed" + std::to_string(c), 0);
    for (int c = 0; c < 2; ++c) b.column(table, "main" + std::to_string(c), 1);
    uint32_t zero = b.constant(0);
    for (int c = 0; c < 2; ++c) {
      uint32_t column = b.column(table, "ext" + std::to_string(c), 2 + c);
      b.columnAt(table, column).mutable_expression()->set_value(zero);
      b.constrain(table, "ext" + std::to_string(c), b.sub(b.read(table, column), zero));
    }
    b.drawn(0);
    b.drawn(1);
    b.node(Node::IS_FIRST);
    b.node(Node::IS_LAST);
    for (uint32_t c = 0; c < 6; ++c) {
      for (int offset = -1; offset <= 1; ++offset) b.read(table, c, offset);
    }
    for (uint32_t c : {2, 3}) b.constrain(table, "read", b.read(table, c));
    for (int i = 0; i < 3; ++i) b.constant(static_cast<int64_t>(drawResidue(random)));
    for (int i = 0; i < 120; ++i) {
      uint32_t a = random() % b.circuit.nodes_size(), c = random() % b.circuit.nodes_size();
      static constexpr Node::Op kOps[] = {Node::ADD, Node::SUB, Node::MUL, Node::NEG};
      const Node::Op op = kOps[random() % 4];
      b.node(op, a, op == Node::NEG ? 0 : c);
    }
  }

  testing::CircuitBuilder b;
  std::mt19937_64 random;
  uint32_t table = 0;
};

// The meaning of a node, row by row.
QM31 naive(const Circuit& circuit, const Columns& columns, const std::vector<QM31>& challenges,
           uint32_t index, uint64_t row, std::vector<std::optional<QM31>>& memo) {
  if (memo[index]) return *memo[index];
  const Node& node = circuit.nodes(static_cast<int>(index));
  auto value = [&](uint32_t i) { return naive(circuit, columns, challenges, i, row, memo); };
  uint64_t height = tableHeight(circuit.tables(0));
  QM31 result;
  switch (node.op()) {
    case Node::CONSTANT:
      result = QM31(M31::fromCanonical(node.a()));
      break;
    case Node::COLUMN:
      result = columns.view(node.a(), node.b()).at((row + height + node.offset()) % height);
      break;
    case Node::CHALLENGE:
      result = challenges[node.a()];
      break;
    case Node::IS_FIRST:
      result = QM31(M31::fromCanonical(row == 0));
      break;
    case Node::IS_LAST:
      result = QM31(M31::fromCanonical(row == height - 1));
      break;
    case Node::ADD:
      result = value(node.a()) + value(node.b());
      break;
    case Node::SUB:
      result = value(node.a()) - value(node.b());
      break;
    case Node::MUL:
      result = value(node.a()) * value(node.b());
      break;
    default:
      result = -value(node.a());
      break;
  }
  memo[index] = result;
  return result;
}

class RowPrograms : public ::testing::TestWithParam<int> {};

TEST_P(RowPrograms, AgreeWithNaiveEvaluation) {
  RandomCircuit random_circuit(GetParam(), 100 + GetParam());
  std::mt19937_64& random = random_circuit.random;
  const Circuit& circuit = random_circuit.b.circuit;
  Program program;
  program.set_format(program::kProgramFormat);
  std::string path = testing::freshFolder() + "/p.lindero";
  const uint64_t height = tableHeight(circuit.tables(0));
  {
    auto writer = PackageWriter::create(path, circuit, program);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (uint32_t c = 0; c < 2; ++c) {
      for (uint32_t& cell : writer->fixedColumn(0, c)) cell = drawResidue(random);
    }
    ASSERT_TRUE(writer->finish().ok());
  }
  auto package = Package::open(path);
  ASSERT_TRUE(package.ok()) << package.status();
  std::vector<uint32_t> main(package->traceLayout().cells());
  for (uint32_t& cell : main) cell = drawResidue(random);
  Columns columns(*package, main);
  for (uint32_t c = 4; c < 6; ++c) {
    MutableExtColumn column = columns.allocate(0, c, height);
    for (uint64_t row = 0; row < height; ++row) {
      column.set(row, QM31::fromLimbs({drawResidue(random), drawResidue(random),
                                       drawResidue(random), drawResidue(random)}));
    }
  }
  std::vector<QM31> challenges = {QM31::fromLimbs({5, 6, 7, 8}),
                                  QM31::fromLimbs({kModulus - 1, 0, 3, 1})};
  Scalars scalars(circuit, package->circuitInfo());
  ASSERT_TRUE(scalars.advance(3, challenges, {}).ok());

  std::vector<RootGroup> groups;
  for (int g = 0; g < 12; ++g) {
    RootGroup group;
    for (uint64_t k = 0; k < 1 + random() % 4; ++k)
      group.push_back(random() % circuit.nodes_size());
    groups.push_back(group);
  }
  RowProgram row_program(circuit, package->circuitInfo(), 0, groups);
  RowEvaluator evaluator(row_program, columns, scalars);
  uint64_t roots_per_row = 0, visited = 0;
  for (const RootGroup& group : groups) roots_per_row += group.size();
  auto expectNaive = [&](size_t g, uint64_t row, size_t i, absl::Span<const RootValues> roots) {
    std::vector<std::optional<QM31>> memo(circuit.nodes_size());
    ASSERT_EQ(roots.size(), groups[g].size());
    for (size_t k = 0; k < roots.size(); ++k) {
      ASSERT_EQ(roots[k].at(i), naive(circuit, columns, challenges, groups[g][k], row, memo))
          << "node " << groups[g][k] << " row " << row;
      ++visited;
    }
  };
  // All rows, then a part that starts and ends anywhere.
  std::vector<std::pair<uint64_t, uint64_t>> ranges = {{0, height}};
  if (height > 4) ranges.push_back({height / 3, height / 2 + 1});
  for (auto [first, count] : ranges) {
    visited = 0;
    evaluator.run(
        first, count,
        [&](size_t g, uint64_t first_row, size_t rows, absl::Span<const RootValues> roots) {
          for (size_t i = 0; i < rows; ++i) expectNaive(g, first_row + i, i, roots);
        });
    EXPECT_EQ(visited, roots_per_row * count);
  }
  // Any rows, in any order; then all of them again, for what those left behind.
  std::vector<uint64_t> list = {height - 1, 0, height / 2};
  for (int i = 0; i < 300; ++i) list.push_back(random() % height);
  visited = 0;
  evaluator.run(list,
                [&](size_t g, uint64_t first, size_t rows, absl::Span<const RootValues> roots) {
                  for (size_t i = 0; i < rows; ++i) expectNaive(g, list[first + i], i, roots);
                });
  EXPECT_EQ(visited, roots_per_row * list.size());
  evaluator.run(0, height,
                [&](size_t g, uint64_t first_row, size_t rows, absl::Span<const RootValues> roots) {
                  for (size_t i = 0; i < rows; ++i) expectNaive(g, first_row + i, i, roots);
                });
}

INSTANTIATE_TEST_SUITE_P(Heights, RowPrograms, ::testing::Values(0, 1, 2, 3, 5, 8, 9, 10));

}  // namespace
}  // namespace lindero::runtime
