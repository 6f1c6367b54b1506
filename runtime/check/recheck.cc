#include "runtime/check/recheck.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "runtime/check/challenges.h"
#include "runtime/check/influence.h"
#include "runtime/check/point_program.h"
#include "runtime/check/sums.h"
#include "runtime/eval/row_program.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kTupleSeed = 0x7475706c65;  // any that differs from callers' seeds

const Table& tableOf(const Circuit& circuit, uint32_t t) {
  return circuit.tables(static_cast<int>(t));
}

std::vector<uint64_t> allRows(const Table& table) {
  std::vector<uint64_t> rows(tableHeight(table));
  std::iota(rows.begin(), rows.end(), uint64_t{0});
  return rows;
}

}  // namespace

// delta at row r becomes delta * prefix[e] / prefix[r] at row e of the same run.
struct Recheck::Scan {
  std::vector<QM31> prefix, inverse;  // products of multipliers since the run's first row
  std::vector<uint64_t> run_end;      // exclusive
  std::vector<uint64_t> read_rows;    // rows that something else reads; ascending
};

struct Recheck::Part {
  PointProgram program;
  std::unique_ptr<RowProgram> many;  // for many rows at a time, as soon as there are
  std::unique_ptr<RowEvaluator> evaluator;
  std::vector<uint64_t> rows;  // touched
  std::vector<bool> touched;   // by row
  std::unique_ptr<Scan> scan;
  std::vector<QM31> honest;   // lookups: the terms of all rows
  std::vector<Place> places;  // lookups: where the tuples of all rows stand
};

struct Recheck::Undo {
  uint32_t table, column;
  uint64_t row;
  QM31 value;
};

struct Recheck::Provider {
  const Lookup* definition;
  uint32_t table;
  uint64_t height;
  uint32_t part;
  std::vector<bool> compared = {};  // per component: both sides read phases 0 and 1 only
  // Rows that do not stand where the offsets say, by selector and key (see Lookup).
  std::map<std::pair<uint32_t, uint32_t>, uint64_t> displaced = {};
  std::vector<uint32_t> changed = {};  // by row: place of its multiplicity among changes, plus 1

  std::pair<uint32_t, uint32_t> keyOf(absl::Span<const QM31> tuple) const {
    return {definition->has_selector() ? tuple[definition->selector()].limb(0) : 0,
            tuple[definition->key()].limb(0)};
  }
  std::optional<uint64_t> expected(const std::pair<uint32_t, uint32_t>& key) const {
    if (key.first >= static_cast<uint32_t>(definition->offsets_size())) return std::nullopt;
    int64_t offset = definition->offsets(static_cast<int>(key.first));
    int64_t row = offset + M31::fromCanonical(key.second).centered();
    if (offset == kNotHere || row < 0 || row >= static_cast<int64_t>(height)) return std::nullopt;
    return static_cast<uint64_t>(row);
  }
};

Recheck::Recheck(const Package& package, absl::Span<const uint32_t> main)
    : package_(package), main_(main.begin(), main.end()) {}

Recheck::~Recheck() = default;

absl::StatusOr<std::unique_ptr<Recheck>> Recheck::create(const Package& package,
                                                         const Statement& statement,
                                                         absl::Span<const uint32_t> main,
                                                         const CheckOptions& options) {
  auto recheck = std::unique_ptr<Recheck>(new Recheck(package, main));
  LINDERO_RETURN_IF_ERROR(recheck->prepare(statement, options));
  return recheck;
}

absl::Status Recheck::prepare(const Statement& statement, const CheckOptions& options) {
  const Circuit& circuit = package_.circuit();
  const CircuitInfo& info = package_.circuitInfo();
  LINDERO_ASSIGN_OR_RETURN(checker_, Checker::create(package_, statement, main_, options));
  LINDERO_ASSIGN_OR_RETURN(CheckReport report, checker_->check());
  if (!report.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("changes are checked against an accepted trace, but: ", report.toString()));
  }
  LINDERO_ASSIGN_OR_RETURN(ReadIndex index, ReadIndex::create(package_, main_));
  index_ = std::make_unique<ReadIndex>(std::move(index));
  scalars_ = std::make_unique<Scalars>(circuit, info);
  for (uint32_t phase = 1; phase <= 3; ++phase) {
    LINDERO_RETURN_IF_ERROR(
        scalars_->advance(phase, checker_->challenges(), checker_->claimedSums()));
  }
  for (const CircuitPart& part : index_->parts()) {
    parts_.push_back({PointProgram(circuit, info, *scalars_, part.table, part.nodes),
                      nullptr,
                      nullptr,
                      {},
                      std::vector<bool>(tableHeight(tableOf(circuit, part.table)), false),
                      nullptr,
                      {},
                      {}});
  }
  group_deltas_.resize(circuit.sum_groups_size());
  public_terms_.resize(circuit.sum_groups_size());
  LINDERO_RETURN_IF_ERROR(addPublicTerms(statement, public_terms_));
  bus_deltas_.resize(circuit.buses_size());
  bus_places_.resize(circuit.buses_size());
  prepareLookups();
  return prepareScans();
}

QM31 Recheck::tupleDenominator(absl::Span<const QM31> values) const {
  QM31 denominator = tuple_challenges_[0];
  for (size_t k = 1; k < values.size(); ++k) {
    denominator += tuple_challenges_[k] * values[k];
  }
  return denominator;
}

void Recheck::prepareLookups() {
  const Circuit& circuit = package_.circuit();
  const CircuitInfo& info = package_.circuitInfo();
  uint32_t width = 0;
  for (const Bus& bus : circuit.buses()) width = std::max(width, bus.width());
  tuple_challenges_ = drawChallenges(kTupleSeed, width + 1);
  std::vector<std::vector<bool>> compared(circuit.buses_size());
  for (int b = 0; b < circuit.buses_size(); ++b) compared[b].assign(circuit.buses(b).width(), true);
  for (uint32_t p = 0; p < parts_.size(); ++p) {
    const CircuitPart& part = index_->parts()[p];
    if (part.kind != CircuitPart::Kind::kLookup) continue;
    const Table& table = tableOf(circuit, part.table);
    const Lookup& lookup = table.lookups(static_cast<int>(part.index));
    for (int k = 0; k < lookup.tuple_size(); ++k) {
      if (info.nodes[lookup.tuple(k)].extension) compared[lookup.bus()][k] = false;
    }
    if (lookup.provide()) providers_.push_back({&lookup, part.table, tableHeight(table), p, {}});
    std::vector<QM31>& terms = parts_[p].honest;
    std::vector<QM31> multiplicities;
    evaluate(p, allRows(table), [&](size_t, absl::Span<const QM31> values) {
      terms.push_back(tupleDenominator(values));
      multiplicities.push_back(lookup.provide() ? -values[0] : values[0]);
    });
    batchInverse(absl::MakeSpan(terms));
    for (size_t row = 0; row < terms.size(); ++row) terms[row] *= multiplicities[row];
  }
  for (Provider& provider : providers_) {
    provider.compared = compared[provider.definition->bus()];
    std::vector<std::pair<uint32_t, uint32_t>> keys;
    evaluate(provider.part, allRows(tableOf(circuit, provider.table)),
             [&](size_t, absl::Span<const QM31> values) {
               keys.push_back(provider.keyOf(values.subspan(1)));
             });
    for (uint64_t row = 0; row < provider.height; ++row) {
      std::optional<uint64_t> place = provider.expected(keys[row]);
      if (!place || keys[*place] != keys[row]) provider.displaced.try_emplace(keys[row], row);
    }
    provider.changed.assign(provider.height, 0);
  }
  for (uint32_t p = 0; p < parts_.size(); ++p) {
    const CircuitPart& part = index_->parts()[p];
    if (part.kind != CircuitPart::Kind::kLookup) continue;
    const Table& table = tableOf(circuit, part.table);
    const Lookup& lookup = table.lookups(static_cast<int>(part.index));
    if (lookup.provide()) continue;
    std::vector<Place>& places = parts_[p].places;
    places.assign(tableHeight(table), kNowhere);
    evaluate(p, allRows(table), [&](size_t row, absl::Span<const QM31> values) {
      if (!values[0].isZero()) places[row] = findTuple(lookup.bus(), values.subspan(1));
    });
  }
}

absl::Status Recheck::prepareScans() {
  const Circuit& circuit = package_.circuit();
  Influence influence(package_, *index_);
  for (uint32_t p = 0; p < index_->generatorCount(); ++p) {
    const CircuitPart& part = index_->parts()[p];
    const Table& table = tableOf(circuit, part.table);
    if (!table.columns(static_cast<int>(part.index)).has_scan()) continue;
    if (package_.circuitInfo().nodes[part.nodes[0]].phase > 0) {
      return absl::UnimplementedError(
          absl::StrCat("the multiplier of scan ", table.name(), ".",
                       table.columns(static_cast<int>(part.index)).name(),
                       " reads more than fixed columns; check all rows instead"));
    }
    const uint64_t height = tableHeight(table);
    auto scan = std::make_unique<Scan>();
    scan->prefix.assign(height, QM31(M31::fromCanonical(1)));
    scan->run_end.assign(height, height);
    for (uint64_t row = 0; row < height; ++row) {
      QM31 mul = row == 0 ? QM31() : parts_[p].program.run(columns(), row)[0];
      if (!mul.isZero()) scan->prefix[row] = scan->prefix[row - 1] * mul;
      if (mul.isZero() && row > 0) {
        for (uint64_t r = row; r-- > 0 && scan->run_end[r] == height;) scan->run_end[r] = row;
      }
      bool read = !index_->gatheredFrom(part.table, part.index, row).empty();
      for (const Read& r : index_->readsOf(part.table, part.index)) {
        if (read) break;
        uint64_t reader = (row - static_cast<uint64_t>(int64_t{r.offset})) & (height - 1);
        read = influence.reads(index_->parts()[r.part], reader, {part.table, part.index, row});
      }
      if (read) scan->read_rows.push_back(row);
    }
    scan->inverse = scan->prefix;
    batchInverse(absl::MakeSpan(scan->inverse));
    parts_[p].scan = std::move(scan);
  }
  return absl::OkStatus();
}

void Recheck::write(const CellChange& change) {
  uint32_t& cell = main_[package_.traceLayout().offset(change.table, change.column) + change.row];
  if (cell == change.value) return;
  undo_.push_back({change.table, change.column, change.row, QM31(M31::fromCanonical(cell))});
  cell = change.value;
  touchReaders(change.table, change.column, change.row);
}

void Recheck::writeExtension(uint32_t table, uint32_t column, uint64_t row, const QM31& value) {
  const uint64_t height = tableHeight(tableOf(package_.circuit(), table));
  MutableExtColumn cells = checker_->mutableColumns().allocate(table, column, height);
  const QM31 old = cells.at(row);
  if (old == value) return;
  undo_.push_back({table, column, row, old});
  cells.set(row, value);
  touchReaders(table, column, row);
  for (const GatheredRow& g : index_->gatheredFrom(table, column, row)) touch(g.part, g.row);
}

void Recheck::touchReaders(uint32_t table, uint32_t column, uint64_t row) {
  const uint64_t mask = tableHeight(tableOf(package_.circuit(), table)) - 1;
  for (const Read& read : index_->readsOf(table, column)) {
    touch(read.part, (row - static_cast<uint64_t>(int64_t{read.offset})) & mask);
  }
}

void Recheck::touch(uint32_t part, uint64_t row) {
  std::vector<uint64_t>& rows = parts_[part].rows;
  if (parts_[part].touched[row]) return;
  parts_[part].touched[row] = true;
  if (rows.empty()) {
    if (part < index_->generatorCount()) {
      generators_.push_back(part);
      std::push_heap(generators_.begin(), generators_.end(), std::greater<>());
    } else {
      others_.push_back(part);
    }
  }
  rows.push_back(row);
}

void Recheck::clearRows(uint32_t part) {
  for (uint64_t row : parts_[part].rows) parts_[part].touched[row] = false;
  parts_[part].rows.clear();
}

void Recheck::evaluate(uint32_t p, absl::Span<const uint64_t> rows,
                       absl::FunctionRef<void(size_t, absl::Span<const QM31>)> visit) {
  constexpr size_t kMany = 8;
  Part& part = parts_[p];
  if (rows.size() < kMany) {
    for (size_t i = 0; i < rows.size(); ++i) visit(i, part.program.run(columns(), rows[i]));
    return;
  }
  const std::vector<uint32_t>& nodes = index_->parts()[p].nodes;
  if (part.evaluator == nullptr) {
    const RootGroup roots(nodes.begin(), nodes.end());
    part.many = std::make_unique<RowProgram>(package_.circuit(), package_.circuitInfo(),
                                             index_->parts()[p].table, absl::MakeSpan(&roots, 1));
    part.evaluator = std::make_unique<RowEvaluator>(*part.many, columns(), *scalars_);
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

// In the order of their numbers, in which each reads only earlier ones.
void Recheck::runGenerators() {
  while (!generators_.empty()) {
    std::pop_heap(generators_.begin(), generators_.end(), std::greater<>());
    const uint32_t part = generators_.back();
    generators_.pop_back();
    // Nothing touches it any more.
    if (part != frozen_) runGenerator(part, parts_[part].rows);
    clearRows(part);
  }
}

void Recheck::runGenerator(uint32_t p, std::vector<uint64_t>& rows) {
  const CircuitPart& part = index_->parts()[p];
  const Column& column =
      tableOf(package_.circuit(), part.table).columns(static_cast<int>(part.index));
  if (column.has_scan()) {
    std::sort(rows.begin(), rows.end());
    return runScan(p, rows);
  }
  if (column.has_fraction()) return runFractions(p, rows);
  evaluate(p, rows, [&](size_t i, absl::Span<const QM31> values) {
    if (column.has_expression()) {
      writeExtension(part.table, part.index, rows[i], values[0]);
      return;
    }
    const uint32_t at = values[0].limb(0) - 1;
    for (const GatherSource& source : column.gather().sources()) {
      if (at < source.base() || at >= source.base() + source.rows()) continue;
      writeExtension(part.table, part.index, rows[i],
                     columns().view(source.table(), source.column()).at(at - source.base()));
    }
  });
}

void Recheck::runScan(uint32_t p, const std::vector<uint64_t>& rows) {
  const CircuitPart& part = index_->parts()[p];
  const Scan& scan = *parts_[p].scan;
  const ColumnView& view = columns().view(part.table, part.index);
  std::vector<std::pair<uint64_t, QM31>> deltas;
  evaluate(p, rows, [&](size_t i, absl::Span<const QM31> roots) {
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
      writeExtension(part.table, part.index, *read, view.at(*read) + sum * scan.prefix[*read]);
    }
    i = last;
  }
}

void Recheck::runFractions(uint32_t p, const std::vector<uint64_t>& rows) {
  const CircuitPart& part = index_->parts()[p];
  const Fraction& fraction =
      tableOf(package_.circuit(), part.table).columns(static_cast<int>(part.index)).fraction();
  // Values of all rows before any is written: no row reads another row of the column.
  numerators_.clear();
  denominators_.clear();
  QM31 added;
  const ColumnView& sums = columns().view(part.table, part.index);
  evaluate(p, rows, [&](size_t i, absl::Span<const QM31> roots) {
    const uint64_t row = rows[i];
    if (roots[1].isZero()) {
      findings_.push_back({Failure::Kind::kDenominator, part.table, part.index, row});
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
      writeExtension(part.table, part.index, rows[i], value);
    }
  }
  if (!fraction.running()) return;
  group_deltas_
      [package_.circuit().claimed_sums(static_cast<int>(fraction.claimed_sum())).group()] += added;
}

void Recheck::runOthers() {
  for (uint32_t p : others_) {
    const CircuitPart& part = index_->parts()[p];
    if (part.kind == CircuitPart::Kind::kConstraint) {
      runConstraint(p);
    } else if (check_buses_) {
      runLookup(p);
    }
    clearRows(p);
  }
  others_.clear();
}

void Recheck::runConstraint(uint32_t p) {
  const CircuitPart& part = index_->parts()[p];
  std::optional<uint64_t> first;
  evaluate(p, parts_[p].rows, [&](size_t i, absl::Span<const QM31> values) {
    const uint64_t row = parts_[p].rows[i];
    if (!values[0].isZero()) first = std::min(row, first.value_or(row));
  });
  if (first) findings_.push_back({Failure::Kind::kConstraint, part.table, part.index, *first});
}

// A lookup's term is multiplicity / (z - sum_k alpha^k tuple_k), a provider's the negative.
void Recheck::runLookup(uint32_t p) {
  const CircuitPart& part = index_->parts()[p];
  const Lookup& lookup =
      tableOf(package_.circuit(), part.table).lookups(static_cast<int>(part.index));
  numerators_.clear();
  denominators_.clear();
  evaluate(p, parts_[p].rows, [&](size_t, absl::Span<const QM31> values) {
    numerators_.push_back(lookup.provide() ? -values[0] : values[0]);
    denominators_.push_back(tupleDenominator(values));
  });
  batchInverse(absl::MakeSpan(denominators_));
  QM31 sum;
  for (size_t i = 0; i < numerators_.size(); ++i) {
    sum += numerators_[i] * denominators_[i] - parts_[p].honest[parts_[p].rows[i]];
  }
  if (sum.isZero()) return;
  lookup_deltas_.push_back({p, sum});
  bus_deltas_[lookup.bus()] += sum;
  bus_places_[lookup.bus()] = {Failure::Kind::kBus, part.table, lookup.bus(), parts_[p].rows[0]};
}

bool Recheck::breaksDefinition(const FreeCell& cell) {
  const Table& table = tableOf(package_.circuit(), cell.table);
  const int constraint = index_->definitionOf(cell.table, cell.column);
  if (constraint < 0) return false;
  auto it = definitions_.find({cell.table, cell.column});
  if (it == definitions_.end()) {
    const uint32_t root = table.constraints(constraint).node();
    it = definitions_
             .try_emplace({cell.table, cell.column}, package_.circuit(), package_.circuitInfo(),
                          *scalars_, cell.table, absl::MakeConstSpan(&root, 1))
             .first;
  }
  const MutableExtColumn cells =
      checker_->mutableColumns().allocate(cell.table, cell.column, tableHeight(table));
  const QM31 old = cells.at(cell.row);
  cells.set(cell.row, cell.value);
  const bool broken = !it->second.run(columns(), cell.row)[0].isZero();
  cells.set(cell.row, old);
  return broken;
}

absl::Status Recheck::addPublicTerms(const Statement& statement, std::vector<QM31>& sums) const {
  const Circuit& circuit = package_.circuit();
  absl::Span<const QM31> challenges = checker_->challenges();
  for (int i = 0; i < circuit.publics_size(); ++i) {
    const PublicTensor& tensor = circuit.publics(i);
    LINDERO_ASSIGN_OR_RETURN(
        QM31 term,
        publicTerm(tensor, statement.tensors(i), challenges[tensor.address_challenge()],
                   challenges[tensor.row_challenge()], challenges[tensor.column_challenge()]));
    sums[tensor.group()] += term;
  }
  return absl::OkStatus();
}

absl::Span<const Finding> Recheck::check(absl::Span<const CellChange> changes,
                                         absl::Span<const FreeCell> free) {
  return checkFrom(std::vector<QM31>(group_deltas_.size()), changes, free);
}

absl::StatusOr<absl::Span<const Finding>> Recheck::check(absl::Span<const CellChange> changes,
                                                         const Statement& statement,
                                                         absl::Span<const FreeCell> free) {
  LINDERO_RETURN_IF_ERROR(checkStatement(package_.circuit(), statement));
  std::vector<QM31> deltas(group_deltas_.size());
  LINDERO_RETURN_IF_ERROR(addPublicTerms(statement, deltas));
  for (size_t g = 0; g < deltas.size(); ++g) deltas[g] = deltas[g] - public_terms_[g];
  return checkFrom(deltas, changes, free);
}

absl::Span<const Finding> Recheck::checkFrom(const std::vector<QM31>& group_deltas,
                                             absl::Span<const CellChange> changes,
                                             absl::Span<const FreeCell> free) {
  findings_.clear();
  lookup_deltas_.clear();
  group_deltas_ = group_deltas;
  std::fill(bus_deltas_.begin(), bus_deltas_.end(), QM31());
  for (const CellChange& change : changes) write(change);
  for (const FreeCell& cell : free) {
    writeExtension(cell.table, cell.column, cell.row, cell.value);
  }
  runGenerators();
  runOthers();
  for (uint32_t b = 0; b < bus_deltas_.size(); ++b) {
    if (!bus_deltas_[b].isZero()) findings_.push_back(bus_places_[b]);
  }
  for (uint32_t g = 0; g < group_deltas_.size(); ++g) {
    if (!group_deltas_[g].isZero()) findings_.push_back({Failure::Kind::kSumGroup, 0, g, 0});
  }
  undo();
  return findings_;
}

void Recheck::undo() {
  for (auto it = undo_.rbegin(); it != undo_.rend(); ++it) {
    const Table& table = tableOf(package_.circuit(), it->table);
    if (table.columns(static_cast<int>(it->column)).phase() == 1) {
      main_[package_.traceLayout().offset(it->table, it->column) + it->row] = it->value.limb(0);
    } else {
      checker_->mutableColumns()
          .allocate(it->table, it->column, tableHeight(table))
          .set(it->row, it->value);
    }
  }
  undo_.clear();
}

Recheck::Place Recheck::findTuple(uint32_t bus, absl::Span<const QM31> tuple) {
  for (uint32_t i = 0; i < providers_.size(); ++i) {
    const Provider& provider = providers_[i];
    if (provider.definition->bus() != bus) continue;
    const auto key = provider.keyOf(tuple);
    absl::Span<const QM31> found;
    auto provides = [&](uint64_t row) {
      found = parts_[provider.part].program.run(columns(), row).subspan(1);
      return provider.keyOf(found) == key;
    };
    std::optional<uint64_t> place = provider.expected(key);
    if (!place || !provides(*place)) {
      auto it = provider.displaced.find(key);
      if (it == provider.displaced.end()) continue;
      place = it->second;
      provides(*place);
    }
    bool same = true;
    for (size_t k = 0; k < tuple.size(); ++k) {
      same &= !provider.compared[k] || found[k] == tuple[k];
    }
    if (same) return {i, static_cast<uint32_t>(*place)};
  }
  return kNowhere;
}

std::vector<CellChange> Recheck::withMultiplicities(absl::Span<const CellChange> changes,
                                                    uint32_t except) {
  std::vector<CellChange> result(changes.begin(), changes.end());
  auto count = [&](const Place& place, M31 delta) {
    Provider& provider = providers_[place.provider];
    const uint32_t column = provider.definition->multiplicity_column();
    uint32_t& at = provider.changed[place.row];
    if (at == 0) {
      uint32_t now = main_[package_.traceLayout().offset(provider.table, column) + place.row];
      result.push_back({provider.table, column, place.row, now});
      at = static_cast<uint32_t>(result.size());
    }
    uint32_t& multiplicity = result[at - 1].value;
    multiplicity = (M31::fromCanonical(multiplicity) + delta).value();
  };
  missing_.clear();
  for (const CellChange& change : changes) write(change);
  std::vector<std::pair<uint32_t, std::vector<uint64_t>>> touched;
  std::sort(others_.begin(), others_.end());
  for (uint32_t p : others_) {
    const CircuitPart& part = index_->parts()[p];
    if (p != except && part.kind == CircuitPart::Kind::kLookup && !parts_[p].places.empty()) {
      const uint32_t bus =
          tableOf(package_.circuit(), part.table).lookups(static_cast<int>(part.index)).bus();
      bool missing = false;
      evaluate(p, parts_[p].rows, [&](size_t, absl::Span<const QM31> values) {
        const M31 multiplicity = M31::fromCanonical(values[0].limb(0));
        if (multiplicity.value() == 0) return;
        const Place place = findTuple(bus, values.subspan(1));
        if (place.provider == kNowhere.provider) {
          missing = true;
        } else {
          count(place, multiplicity);
        }
      });
      if (missing) missing_.push_back(p);
      touched.emplace_back(p, parts_[p].rows);
    }
    clearRows(p);
  }
  others_.clear();
  for (uint32_t p : generators_) clearRows(p);
  generators_.clear();
  undo();
  for (const auto& [p, rows] : touched) {
    const std::vector<Place>& places = parts_[p].places;
    evaluate(p, rows, [&, &rows = rows](size_t i, absl::Span<const QM31> values) {
      const Place& place = places[rows[i]];
      if (place.provider == kNowhere.provider) return;
      count(place, -M31::fromCanonical(values[0].limb(0)));
    });
  }
  for (size_t i = changes.size(); i < result.size(); ++i) {
    for (Provider& provider : providers_) {
      if (provider.table == result[i].table &&
          provider.definition->multiplicity_column() == result[i].column) {
        provider.changed[result[i].row] = 0;
      }
    }
  }
  return result;
}

bool Recheck::provideTheSame(uint32_t table, uint32_t column, uint64_t row, uint64_t other) {
  for (const Provider& provider : providers_) {
    if (provider.table != table || provider.definition->multiplicity_column() != column) continue;
    PointProgram& program = parts_[provider.part].program;
    absl::Span<const QM31> values = program.run(columns(), row).subspan(1);
    const std::vector<QM31> tuple(values.begin(), values.end());
    return program.run(columns(), other).subspan(1) == absl::MakeConstSpan(tuple);
  }
  return false;
}

Failure Recheck::describe(const Finding& finding) const {
  const Circuit& circuit = package_.circuit();
  const int i = static_cast<int>(finding.index);
  Failure failure;
  failure.kind = finding.kind;
  failure.rows = 1;
  if (finding.kind == Failure::Kind::kSumGroup) {
    failure.name = circuit.sum_groups(i).name();
    return failure;
  }
  const Table& table = tableOf(circuit, finding.table);
  failure.table = table.name();
  failure.name = finding.kind == Failure::Kind::kConstraint ? table.constraints(i).name()
                 : finding.kind == Failure::Kind::kBus      ? circuit.buses(i).name()
                                                            : table.columns(i).name();
  FailureExample example;
  example.row = finding.row;
  if (const Instance* instance = findInstance(table, finding.row)) {
    example.node = instance->node();
    example.region = instance->region();
  }
  failure.examples.push_back(std::move(example));
  return failure;
}

}  // namespace lindero::runtime
