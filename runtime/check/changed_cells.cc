#include "runtime/check/changed_cells.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace lindero::runtime {

ChangedCells::ChangedCells(const Package& package, const ReadIndex& index, const Scalars& scalars,
                           absl::Span<uint32_t> main, Columns& columns)
    : package_(package), index_(index), scalars_(scalars), main_(main), columns_(columns) {
  for (const CircuitPart& part : index.parts()) {
    parts_.push_back(
        {PointProgram(package.circuit(), package.circuitInfo(), scalars, part.table, part.nodes)});
    parts_.back().touched.assign(height(part.table), false);
  }
}

uint64_t ChangedCells::height(uint32_t table) const {
  return tableHeight(package_.circuit().tables(static_cast<int>(table)));
}

uint32_t& ChangedCells::cell(uint32_t table, uint32_t column, uint64_t row) {
  return main_[package_.traceLayout().offset(table, column) + row];
}

void ChangedCells::write(const CellChange& change) {
  uint32_t& cell = this->cell(change.table, change.column, change.row);
  if (cell == change.value) return;
  undo_.push_back({change.table, change.column, change.row, QM31(M31::fromCanonical(cell))});
  cell = change.value;
  touchReaders(change.table, change.column, change.row);
}

void ChangedCells::write(uint32_t table, uint32_t column, uint64_t row, const QM31& value) {
  MutableExtColumn cells = columns_.allocate(table, column, height(table));
  const QM31 old = cells.at(row);
  if (old == value) return;
  undo_.push_back({table, column, row, old});
  cells.set(row, value);
  touchReaders(table, column, row);
  for (const GatheredRow& g : index_.gatheredFrom(table, column, row)) touch(g.part, g.row);
}

void ChangedCells::touchReaders(uint32_t table, uint32_t column, uint64_t row) {
  const uint64_t mask = height(table) - 1;
  for (const Read& read : index_.readsOf(table, column)) {
    touch(read.part, (row - static_cast<uint64_t>(int64_t{read.offset})) & mask);
  }
}

void ChangedCells::touch(uint32_t part, uint64_t row) {
  std::vector<uint64_t>& rows = parts_[part].rows;
  if (parts_[part].touched[row]) return;
  parts_[part].touched[row] = true;
  if (rows.empty()) {
    if (part < index_.generatorCount()) {
      generators_.push_back(part);
      std::push_heap(generators_.begin(), generators_.end(), std::greater<>());
    } else {
      others_.push_back(part);
    }
  }
  rows.push_back(row);
}

void ChangedCells::undo() {
  for (const std::vector<uint32_t>& touched : {takeOthers(), std::exchange(generators_, {})}) {
    for (uint32_t part : touched) clearRows(part);
  }
  for (auto it = undo_.rbegin(); it != undo_.rend(); ++it) {
    const Table& table = package_.circuit().tables(static_cast<int>(it->table));
    if (table.columns(static_cast<int>(it->column)).phase() == 1) {
      cell(it->table, it->column, it->row) = it->value.limb(0);
    } else {
      columns_.allocate(it->table, it->column, tableHeight(table)).set(it->row, it->value);
    }
  }
  undo_.clear();
}

std::optional<uint32_t> ChangedCells::takeGenerator() {
  if (generators_.empty()) return std::nullopt;
  std::pop_heap(generators_.begin(), generators_.end(), std::greater<>());
  const uint32_t part = generators_.back();
  generators_.pop_back();
  return part;
}

void ChangedCells::clearRows(uint32_t part) {
  for (uint64_t row : parts_[part].rows) parts_[part].touched[row] = false;
  parts_[part].rows.clear();
}

void ChangedCells::evaluate(uint32_t p, absl::Span<const uint64_t> rows,
                            absl::FunctionRef<void(size_t, absl::Span<const QM31>)> visit) {
  constexpr size_t kMany = 8;
  Part& part = parts_[p];
  if (rows.size() < kMany) {
    for (size_t i = 0; i < rows.size(); ++i) visit(i, part.program.run(columns_, rows[i]));
    return;
  }
  const std::vector<uint32_t>& nodes = this->part(p).nodes;
  if (part.evaluator == nullptr) {
    const RootGroup roots(nodes.begin(), nodes.end());
    part.many = std::make_unique<RowProgram>(package_.circuit(), package_.circuitInfo(),
                                             this->part(p).table, absl::MakeSpan(&roots, 1));
    part.evaluator = std::make_unique<RowEvaluator>(*part.many, columns_, scalars_);
  }
  values_.resize(nodes.size());
  part.evaluator->run(
      rows, [&](size_t, uint64_t first, size_t count, absl::Span<const RootValues> roots) {
        for (size_t i = 0; i < count; ++i) {
          for (size_t k = 0; k < roots.size(); ++k) values_[k] = roots[k].at(i);
          visit(first + i, values_);
        }
      });
}

void ChangedCells::evaluateAll(uint32_t part,
                               absl::FunctionRef<void(size_t, absl::Span<const QM31>)> visit) {
  std::vector<uint64_t> rows(tableHeight(tableOf(part)));
  std::iota(rows.begin(), rows.end(), uint64_t{0});
  evaluate(part, rows, visit);
}

}  // namespace lindero::runtime
