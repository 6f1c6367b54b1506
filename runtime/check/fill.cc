#include "runtime/check/fill.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/eval/describe.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kBlockRows = 32 * kChunkRows;

// out = value, whatever its kind.
void copyRoot(const RootValues& value, uint32_t* const out[4], size_t rows) {
  for (size_t k = 0; k < 4; ++k) {
    if (k > 0 && !value.kind.extension) {
      std::fill_n(out[k], rows, 0u);
    } else if (value.kind.scalar) {
      std::fill_n(out[k], rows, *value.operand.limb[k]);
    } else {
      std::copy_n(value.operand.limb[k], rows, out[k]);
    }
  }
}

Operand operandOf(uint32_t* const limbs[4]) { return {{limbs[0], limbs[1], limbs[2], limbs[3]}}; }

// out = numerator / denominator; returns whether a denominator is zero.
bool divideChunk(const RootValues& numerator, const RootValues& denominator, uint32_t* const out[4],
                 size_t rows) {
  alignas(32) uint32_t buffer[4][kChunkRows];
  uint32_t* inverse[4] = {buffer[0], buffer[1], buffer[2], buffer[3]};
  copyRoot(denominator, inverse, rows);
  bool zeros = invertChunk(inverse, rows);
  Kernel multiply = selectKernel(Node::MUL, numerator.kind, {true, false});
  multiply(out, numerator.operand, operandOf(inverse), rows);
  return zeros;
}

}  // namespace

struct Filler::Level {
  // Expressions, fractions and gathers of one table, evaluated together.
  struct Table {
    uint32_t table;
    std::vector<uint32_t> columns;  // one group each
    std::unique_ptr<RowProgram> program;
  };
  struct ScanColumn {
    ColumnRef column;
    std::unique_ptr<RowProgram> program;
  };
  std::vector<ColumnRef> all;
  std::vector<Table> tables;
  std::vector<ScanColumn> scans;
  std::vector<ColumnRef> running;
};

// One level on its way to being filled.
class Filler::LevelRun {
 public:
  LevelRun(const Filler& filler, const Level& level, Columns& columns, const Scalars& scalars)
      : circuit_(filler.circuit_), level_(level), columns_(columns), scalars_(scalars) {
    for (const ColumnRef& ref : level.all) {
      uint64_t height = tableHeight(circuit_.tables(static_cast<int>(ref.table)));
      outputs_[{ref.table, ref.column}] = columns.allocate(ref.table, ref.column, height);
    }
  }

  absl::Status run(ThreadPool& pool, std::vector<ZeroDenominator>& zeros) {
    struct Block {
      size_t table;
      uint64_t first_row, rows;
    };
    std::vector<Block> blocks;
    for (size_t t = 0; t < level_.tables.size(); ++t) {
      uint64_t height = tableHeight(circuit_.tables(static_cast<int>(level_.tables[t].table)));
      for (uint64_t row = 0; row < height; row += kBlockRows) {
        blocks.push_back({t, row, std::min(kBlockRows, height - row)});
      }
    }
    // Scans are the long tasks: they start first.
    const size_t scans = level_.scans.size();
    pool.parallelFor(scans + blocks.size(), [&](uint64_t task, int) {
      if (task < scans) {
        runScan(level_.scans[task]);
      } else {
        const Block& block = blocks[task - scans];
        runBlock(level_.tables[block.table], block.first_row, block.rows);
      }
    });
    pool.parallelFor(level_.running.size(),
                     [&](uint64_t i, int) { accumulate(level_.running[i]); });
    // In the order of the map: by table and column.
    for (const auto& [column, zero] : zeros_) zeros.push_back(zero);
    return gather_error_;
  }

 private:
  const MutableExtColumn& output(uint32_t table, uint32_t column) const {
    return outputs_.find({table, column})->second;
  }

  void runScan(const Level::ScanColumn& scan) {
    const MutableExtColumn& out = output(scan.column.table, scan.column.column);
    const uint64_t height = tableHeight(circuit_.tables(static_cast<int>(scan.column.table)));
    QM31 value;
    RowEvaluator(*scan.program, columns_, scalars_)
        .run(0, height,
             [&](size_t, uint64_t first_row, size_t rows, absl::Span<const RootValues> roots) {
               for (size_t i = 0; i < rows; ++i) {
                 value =
                     first_row + i == 0 ? roots[1].at(0) : roots[0].at(i) * value + roots[1].at(i);
                 out.set(first_row + i, value);
               }
             });
  }

  void runBlock(const Level::Table& table, uint64_t first_row, uint64_t rows) {
    RowEvaluator(*table.program, columns_, scalars_)
        .run(first_row, rows,
             [&](size_t group, uint64_t row, size_t count, absl::Span<const RootValues> roots) {
               fillChunk({table.table, table.columns[group]}, row, count, roots);
             });
  }

  void fillChunk(ColumnRef ref, uint64_t first_row, size_t rows,
                 absl::Span<const RootValues> roots) {
    const Column& column =
        circuit_.tables(static_cast<int>(ref.table)).columns(static_cast<int>(ref.column));
    const MutableExtColumn& target = output(ref.table, ref.column);
    uint32_t* out[4] = {target.limb[0] + first_row, target.limb[1] + first_row,
                        target.limb[2] + first_row, target.limb[3] + first_row};
    if (column.has_expression()) return copyRoot(roots[0], out, rows);
    if (column.has_gather()) return gatherChunk(ref, column.gather(), first_row, rows, roots[0]);
    if (divideChunk(roots[0], roots[1], out, rows)) noteZeros(ref, first_row, rows, roots[1]);
    if (column.fraction().running()) {
      selectKernel(Node::ADD, {true, false}, roots[2].kind)(out, operandOf(out), roots[2].operand,
                                                            rows);
    }
  }

  void gatherChunk(ColumnRef ref, const Gather& gather, uint64_t first_row, size_t rows,
                   const RootValues& index) {
    const MutableExtColumn& out = output(ref.table, ref.column);
    for (size_t i = 0; i < rows; ++i) {
      uint32_t at = index.baseAt(i);
      if (at == 0) {
        out.set(first_row + i, QM31());
        continue;
      }
      // The last source that begins at or before at - 1.
      auto source = std::partition_point(gather.sources().begin(), gather.sources().end(),
                                         [&](const GatherSource& s) { return s.base() < at; });
      if (source == gather.sources().begin()) return noteGatherError(ref, first_row + i, at);
      --source;
      if (at - 1 - source->base() >= source->rows()) {
        return noteGatherError(ref, first_row + i, at);
      }
      out.set(first_row + i,
              columns_.view(source->table(), source->column()).at(at - 1 - source->base()));
    }
  }

  // Turns row values into running sums, in place.
  void accumulate(ColumnRef ref) {
    const MutableExtColumn& out = output(ref.table, ref.column);
    const uint64_t height = tableHeight(circuit_.tables(static_cast<int>(ref.table)));
    for (size_t k = 0; k < 4; ++k) {
      M31 sum;
      for (uint64_t row = 0; row < height; ++row) {
        sum += M31::fromCanonical(out.limb[k][row]);
        out.limb[k][row] = sum.value();
      }
    }
  }

  void noteZeros(ColumnRef ref, uint64_t first_row, size_t rows, const RootValues& denominator) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto [it, fresh] =
        zeros_.try_emplace({ref.table, ref.column}, ZeroDenominator{ref, UINT64_MAX, 0});
    for (size_t i = 0; i < rows; ++i) {
      if (!denominator.at(i).isZero()) continue;
      it->second.first_row = std::min(it->second.first_row, first_row + i);
      ++it->second.rows;
    }
  }

  void noteGatherError(ColumnRef ref, uint64_t row, uint32_t index) {
    const Table& table = circuit_.tables(static_cast<int>(ref.table));
    std::lock_guard<std::mutex> lock(mutex_);
    auto place = std::make_tuple(ref.table, ref.column, row);
    if (!gather_error_.ok() && gather_error_place_ < place) return;
    gather_error_place_ = place;
    gather_error_ = absl::InvalidArgumentError(
        absl::StrCat("table \"", table.name(), "\", column \"",
                     table.columns(static_cast<int>(ref.column)).name(), "\", ",
                     describeRow(table, row), ": the gather index ", index, " is in no source"));
  }

  const Circuit& circuit_;
  const Level& level_;
  Columns& columns_;
  const Scalars& scalars_;
  std::map<std::pair<uint32_t, uint32_t>, MutableExtColumn> outputs_;
  std::mutex mutex_;  // guards what follows
  std::map<std::pair<uint32_t, uint32_t>, ZeroDenominator> zeros_;
  absl::Status gather_error_;
  std::tuple<uint32_t, uint32_t, uint64_t> gather_error_place_;
};

Filler::Filler(const Circuit& circuit, const CircuitInfo& info) : circuit_(circuit) {
  for (uint32_t phase = 2; phase <= 3; ++phase) {
    for (const std::vector<ColumnRef>& refs : info.levels[phase]) {
      Level level;
      level.all = refs;
      // Levels list columns by table.
      for (size_t i = 0; i < refs.size();) {
        const uint32_t t = refs[i].table;
        const lindero::Table& table = circuit.tables(static_cast<int>(t));
        Level::Table together{t, {}, nullptr};
        std::vector<RootGroup> groups;
        for (; i < refs.size() && refs[i].table == t; ++i) {
          const Column& column = table.columns(static_cast<int>(refs[i].column));
          RootGroup roots = generatorNodes(column);
          if (column.has_scan()) {
            level.scans.push_back({refs[i], std::make_unique<RowProgram>(
                                                circuit, info, t, absl::MakeConstSpan(&roots, 1))});
            continue;
          }
          if (column.fraction().running()) level.running.push_back(refs[i]);
          together.columns.push_back(refs[i].column);
          groups.push_back(std::move(roots));
        }
        if (groups.empty()) continue;
        together.program = std::make_unique<RowProgram>(circuit, info, t, groups);
        level.tables.push_back(std::move(together));
      }
      levels_[phase].push_back(std::move(level));
    }
  }
}

Filler::~Filler() = default;

absl::Status Filler::fill(uint32_t phase, Columns& columns, const Scalars& scalars,
                          ThreadPool& pool, std::vector<ZeroDenominator>& zeros,
                          absl::Span<const FreeCell> forged) const {
  for (const Level& level : levels_[phase]) {
    LINDERO_RETURN_IF_ERROR(LevelRun(*this, level, columns, scalars).run(pool, zeros));
    for (const FreeCell& cell : forged) {
      if (std::find(level.all.begin(), level.all.end(), ColumnRef{cell.table, cell.column}) ==
          level.all.end()) {
        continue;
      }
      const Table& table = circuit_.tables(static_cast<int>(cell.table));
      columns.allocate(cell.table, cell.column, tableHeight(table)).set(cell.row, cell.value);
    }
  }
  return absl::OkStatus();
}

}  // namespace lindero::runtime
