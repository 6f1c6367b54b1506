#include "runtime/tamper/adaptive/witness.h"

#include <algorithm>

#include "runtime/eval/kernels.h"
#include "runtime/package/circuit_access.h"
#include "runtime/tamper/random.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kBlockRows = 16 * kChunkRows;

uint32_t cell(uint64_t seed, uint64_t place, uint64_t limb) {
  return static_cast<uint32_t>(randomAt({seed, place, limb}) % (kModulus - 1) + 1);
}

}  // namespace

Witness Witness::of(const Checker& checker) {
  return {&checker.columns(),
          {checker.challenges().begin(), checker.challenges().end()},
          {checker.claimedSums().begin(), checker.claimedSums().end()}};
}

std::vector<uint32_t> randomMain(const Package& package, uint64_t seed) {
  std::vector<uint32_t> cells(package.traceLayout().cells());
  for (uint64_t i = 0; i < cells.size(); ++i) cells[i] = cell(seed, i, 0);
  return cells;
}

AnyCells::AnyCells(const Package& package, uint64_t seed)
    : main_(randomMain(package, seed)), columns_(std::make_unique<Columns>(package, main_)) {
  const Circuit& circuit = package.circuit();
  uint64_t place = main_.size();
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const uint64_t height = tableHeight(circuit.tables(t));
    for (int c = firstColumnOfPhase(circuit.tables(t), 2); c < circuit.tables(t).columns_size();
         ++c, place += height) {
      MutableExtColumn out =
          columns_->allocate(static_cast<uint32_t>(t), static_cast<uint32_t>(c), height);
      for (size_t k = 0; k < 4; ++k) {
        for (uint64_t row = 0; row < height; ++row) out.limb[k][row] = cell(seed, place + row, k);
      }
    }
  }
}

void forAllRows(const Circuit& circuit, const RowProgram& program, const Columns& columns,
                const Scalars& scalars, ThreadPool& pool, RowEvaluator::Visitor visit) {
  const uint64_t height = tableHeight(tableOf(circuit, program.table()));
  pool.parallelFor((height + kBlockRows - 1) / kBlockRows, [&](uint64_t block, int) {
    const uint64_t first = block * kBlockRows;
    RowEvaluator(program, columns, scalars).run(first, std::min(kBlockRows, height - first), visit);
  });
}

}  // namespace lindero::runtime
