#include "runtime/check/refill.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/check/influence.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {

absl::StatusOr<std::unique_ptr<Refill>> Refill::create(ChangedCells& cells) {
  auto refill = std::unique_ptr<Refill>(new Refill(cells));
  LINDERO_RETURN_IF_ERROR(refill->prepareScans());
  return refill;
}

absl::Status Refill::prepareScans() {
  const ReadIndex& index = cells_.index();
  Influence influence(cells_.package(), index);
  scans_.resize(index.generatorCount());
  for (uint32_t p = 0; p < index.generatorCount(); ++p) {
    const CircuitPart& part = index.parts()[p];
    const Table& table = cells_.tableOf(p);
    if (!cells_.column(p).has_scan()) continue;
    if (cells_.package().circuitInfo().nodes[part.nodes[0]].phase > 0) {
      return absl::UnimplementedError(
          absl::StrCat("the multiplier of scan ", table.name(), ".", cells_.column(p).name(),
                       " reads more than fixed columns; check all rows instead"));
    }
    const uint64_t height = tableHeight(table);
    auto scan = std::make_unique<Scan>();
    scan->prefix.assign(height, QM31(M31::fromCanonical(1)));
    scan->run_end.assign(height, height);
    for (uint64_t row = 0; row < height; ++row) {
      QM31 mul = row == 0 ? QM31() : cells_.at(p, row)[0];
      if (!mul.isZero()) scan->prefix[row] = scan->prefix[row - 1] * mul;
      if (mul.isZero() && row > 0) {
        for (uint64_t r = row; r-- > 0 && scan->run_end[r] == height;) scan->run_end[r] = row;
      }
      bool read = !index.gatheredFrom(part.table, part.index, row).empty();
      for (const Read& r : index.readsOf(part.table, part.index)) {
        if (read) break;
        uint64_t reader = (row - static_cast<uint64_t>(int64_t{r.offset})) & (height - 1);
        read = influence.reads(index.parts()[r.part], reader, {part.table, part.index, row});
      }
      if (read) scan->read_rows.push_back(row);
    }
    scan->inverse = scan->prefix;
    batchInverse(absl::MakeSpan(scan->inverse));
    scans_[p] = std::move(scan);
  }
  return absl::OkStatus();
}

// In the order of their numbers, in which each reads only earlier ones.
void Refill::run(uint32_t frozen, std::vector<QM31>& group_deltas, std::vector<Finding>& findings) {
  while (const std::optional<uint32_t> part = cells_.takeGenerator()) {
    // Nothing touches it any more.
    if (*part != frozen) {
      const Column& column = cells_.column(*part);
      if (column.has_scan()) {
        runScan(*part);
      } else if (column.has_fraction()) {
        runFractions(*part, group_deltas, findings);
      } else {
        runOther(*part);
      }
    }
    cells_.clearRows(*part);
  }
}

// Expressions and gathers.
void Refill::runOther(uint32_t p) {
  const CircuitPart& part = cells_.part(p);
  const Column& column = cells_.column(p);
  const std::vector<uint64_t>& rows = cells_.rows(p);
  cells_.evaluate(p, rows, [&](size_t i, absl::Span<const QM31> values) {
    if (column.has_expression()) {
      cells_.write(part.table, part.index, rows[i], values[0]);
      return;
    }
    const uint32_t at = values[0].limb(0) - 1;
    for (const GatherSource& source : column.gather().sources()) {
      if (at < source.base() || at >= source.base() + source.rows()) continue;
      cells_.write(part.table, part.index, rows[i],
                   cells_.columns().view(source.table(), source.column()).at(at - source.base()));
    }
  });
}

void Refill::runScan(uint32_t p) {
  const CircuitPart& part = cells_.part(p);
  const Scan& scan = *scans_[p];
  const ColumnView& view = cells_.columns().view(part.table, part.index);
  std::vector<uint64_t>& rows = cells_.rows(p);
  std::sort(rows.begin(), rows.end());
  std::vector<std::pair<uint64_t, QM31>> deltas;
  cells_.evaluate(p, rows, [&](size_t i, absl::Span<const QM31> roots) {
    const uint64_t row = rows[i];  // ascending
    QM31 value = row == 0 ? roots[1] : roots[0] * view.at(row - 1) + roots[1];
    deltas.emplace_back(row, (value - view.at(row)) * scan.inverse[row]);
  });
  // Rows of one run add up; written last to first, so that no row is written twice.
  for (size_t i = 0; i < deltas.size();) {
    const uint64_t end = scan.run_end[deltas[i].first];
    size_t last = i;
    while (last < deltas.size() && deltas[last].first < end) ++last;
    auto read = std::lower_bound(scan.read_rows.begin(), scan.read_rows.end(), deltas[i].first);
    QM31 sum;
    for (; read != scan.read_rows.end() && *read < end; ++read) {
      while (i < last && deltas[i].first <= *read) sum += deltas[i++].second;
      cells_.write(part.table, part.index, *read, view.at(*read) + sum * scan.prefix[*read]);
    }
    i = last;
  }
}

void Refill::runFractions(uint32_t p, std::vector<QM31>& group_deltas,
                          std::vector<Finding>& findings) {
  const CircuitPart& part = cells_.part(p);
  const Fraction& fraction = cells_.column(p).fraction();
  const std::vector<uint64_t>& rows = cells_.rows(p);
  // Values of all rows before any is written: no row reads another row of the column.
  numerators_.clear();
  denominators_.clear();
  QM31 added;
  const ColumnView& sums = cells_.columns().view(part.table, part.index);
  cells_.evaluate(p, rows, [&](size_t i, absl::Span<const QM31> roots) {
    const uint64_t row = rows[i];
    if (roots[1].isZero()) {
      findings.push_back({Failure::Kind::kDenominator, part.table, part.index, row});
    }
    numerators_.push_back(roots[1].isZero() ? QM31() : roots[0]);
    denominators_.push_back(roots[1].isZero() ? QM31(M31::fromCanonical(1)) : roots[1]);
    if (!fraction.running()) return;
    added += roots[2] - (row == 0 ? sums.at(0) : sums.at(row) - sums.at(row - 1));
  });
  batchInverse(absl::MakeSpan(denominators_));
  for (size_t i = 0; i < rows.size(); ++i) {
    const QM31 value = numerators_[i] * denominators_[i];
    if (fraction.running()) {
      added += value;
    } else {
      cells_.write(part.table, part.index, rows[i], value);
    }
  }
  if (!fraction.running()) return;
  const Circuit& circuit = cells_.package().circuit();
  group_deltas[circuit.claimed_sums(static_cast<int>(fraction.claimed_sum())).group()] += added;
}

}  // namespace lindero::runtime
