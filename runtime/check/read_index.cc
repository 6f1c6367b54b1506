#include "runtime/check/read_index.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "runtime/eval/columns.h"
#include "runtime/eval/row_program.h"
#include "runtime/eval/scalars.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {

absl::StatusOr<ReadIndex> ReadIndex::create(const Package& package,
                                            absl::Span<const uint32_t> main) {
  ReadIndex index;
  LINDERO_RETURN_IF_ERROR(index.addParts(package));
  LINDERO_RETURN_IF_ERROR(index.addReads(package));
  LINDERO_RETURN_IF_ERROR(index.addGathers(package, main));
  return index;
}

absl::Status ReadIndex::addParts(const Package& package) {
  const Circuit& circuit = package.circuit();
  const CircuitInfo& info = package.circuitInfo();
  for (uint32_t phase = 2; phase <= 3; ++phase) {
    for (const std::vector<ColumnRef>& level : info.levels[phase]) {
      for (bool running : {false, true}) {  // running sums read the others of their table
        for (const ColumnRef& ref : level) {
          const Column& column =
              circuit.tables(static_cast<int>(ref.table)).columns(static_cast<int>(ref.column));
          if ((column.has_fraction() && column.fraction().running()) != running) continue;
          parts_.push_back(
              {CircuitPart::Kind::kGenerator, ref.table, ref.column, generatorNodes(column)});
        }
      }
    }
  }
  generators_ = static_cast<uint32_t>(parts_.size());
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    std::vector<int>& defined = definitions_.emplace_back(table.columns_size(), -1);
    for (int i = 0; i < table.constraints_size(); ++i) {
      if (const int column = info.definitions[t][i]; column >= 0) {
        defined[column] = i;
        continue;
      }
      const uint32_t root = table.constraints(i).node();
      if (info.nodes[root].claimed_sum_phase > 0) {
        return absl::UnimplementedError(absl::StrCat(
            "constraint ", table.name(), ".", table.constraints(i).name(),
            " reads a claimed sum, but is no generator's definition; check all rows instead"));
      }
      parts_.push_back({CircuitPart::Kind::kConstraint,
                        static_cast<uint32_t>(t),
                        static_cast<uint32_t>(i),
                        {root}});
    }
    for (int c = 0; c < table.columns_size(); ++c) {
      const Column& column = table.columns(c);
      if (column.phase() < 2 || column.has_gather() || defined[c] >= 0) continue;
      return absl::FailedPreconditionError(
          absl::StrCat("column ", table.name(), ".", column.name(),
                       " is filled from its generator, but no constraint says so: a prover may "
                       "put anything there"));
    }
  }
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    for (int i = 0; i < table.lookups_size(); ++i) {
      std::vector<uint32_t> nodes{table.lookups(i).multiplicity()};
      nodes.insert(nodes.end(), table.lookups(i).tuple().begin(), table.lookups(i).tuple().end());
      parts_.push_back({CircuitPart::Kind::kLookup, static_cast<uint32_t>(t),
                        static_cast<uint32_t>(i), std::move(nodes)});
    }
  }
  return absl::OkStatus();
}

absl::Status ReadIndex::addReads(const Package& package) {
  const Circuit& circuit = package.circuit();
  for (const Table& table : circuit.tables()) {
    reads_.emplace_back(table.columns_size());
    gathered_.emplace_back(table.columns_size());
  }
  for (uint32_t p = 0; p < parts_.size(); ++p) {
    const CircuitPart& part = parts_[p];
    RowProgram program(circuit, package.circuitInfo(), part.table,
                       absl::MakeConstSpan(&part.nodes, 1));
    for (const RowProgram::ColumnUse& use : program.columnUses()) {
      reads_[part.table][use.column].push_back({p, use.offset});
    }
  }
  return absl::OkStatus();
}

absl::Status ReadIndex::addGathers(const Package& package, absl::Span<const uint32_t> main) {
  const Circuit& circuit = package.circuit();
  Columns columns(package, main);
  Scalars scalars(circuit, package.circuitInfo());
  for (uint32_t p = 0; p < generators_; ++p) {
    const CircuitPart& part = parts_[p];
    const Table& table = circuit.tables(static_cast<int>(part.table));
    if (!table.columns(static_cast<int>(part.index)).has_gather()) continue;
    const Gather& gather = table.columns(static_cast<int>(part.index)).gather();
    RowProgram program(circuit, package.circuitInfo(), part.table,
                       absl::MakeConstSpan(&part.nodes, 1));
    bool outside = false;
    auto add = [&](uint64_t row, uint32_t at) {
      if (at == 0) return;
      for (const GatherSource& source : gather.sources()) {
        if (at - 1 < source.base() || at - 1 >= source.base() + source.rows()) continue;
        gathered_[source.table()][source.column()].push_back({at - 1 - source.base(), p, row});
        return;
      }
      outside = true;
    };
    RowEvaluator(program, columns, scalars)
        .run(0, tableHeight(table),
             [&](size_t, uint64_t first_row, size_t rows, absl::Span<const RootValues> roots) {
               for (size_t i = 0; i < rows; ++i) add(first_row + i, roots[0].baseAt(i));
             });
    if (outside) {
      return absl::InvalidArgumentError(
          absl::StrCat("table \"", table.name(), "\": a gather's index is in no source"));
    }
  }
  for (auto& table : gathered_) {
    for (std::vector<GatheredRow>& rows : table) {
      std::sort(rows.begin(), rows.end(), [](const GatheredRow& a, const GatheredRow& b) {
        return std::tie(a.source_row, a.part, a.row) < std::tie(b.source_row, b.part, b.row);
      });
    }
  }
  return absl::OkStatus();
}

absl::Span<const GatheredRow> ReadIndex::gatheredFrom(uint32_t table, uint32_t column,
                                                      uint64_t row) const {
  const std::vector<GatheredRow>& all = gathered_[table][column];
  auto first = std::partition_point(all.begin(), all.end(),
                                    [&](const GatheredRow& g) { return g.source_row < row; });
  auto last = std::partition_point(first, all.end(),
                                   [&](const GatheredRow& g) { return g.source_row == row; });
  return absl::MakeConstSpan(all.data() + (first - all.begin()), last - first);
}

}  // namespace lindero::runtime
