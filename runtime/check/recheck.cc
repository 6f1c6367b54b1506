#include "runtime/check/recheck.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/check/sums.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

const Table& tableOf(const Circuit& circuit, uint32_t t) {
  return circuit.tables(static_cast<int>(t));
}

}  // namespace

Recheck::Recheck(const Package& package, absl::Span<const uint32_t> main)
    : package_(package), main_(main.begin(), main.end()) {}

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
  cells_ = std::make_unique<ChangedCells>(package_, *index_, *scalars_, absl::MakeSpan(main_),
                                          checker_->mutableColumns());
  group_deltas_.resize(circuit.sum_groups_size());
  public_terms_.resize(circuit.sum_groups_size());
  LINDERO_RETURN_IF_ERROR(addPublicTerms(statement, public_terms_));
  bus_deltas_.resize(circuit.buses_size());
  bus_places_.resize(circuit.buses_size());
  balance_ = std::make_unique<LookupBalance>(*cells_);
  LINDERO_ASSIGN_OR_RETURN(refill_, Refill::create(*cells_));
  return absl::OkStatus();
}

void Recheck::runTouched() {
  for (uint32_t part : cells_->takeOthers()) {
    if (cells_->part(part).kind == CircuitPart::Kind::kConstraint) {
      runConstraint(part);
    } else if (check_buses_) {
      runLookup(part);
    }
    cells_->clearRows(part);
  }
}

void Recheck::runConstraint(uint32_t p) {
  const CircuitPart& part = cells_->part(p);
  const std::vector<uint64_t>& rows = cells_->rows(p);
  std::optional<uint64_t> first;
  cells_->evaluate(p, rows, [&](size_t i, absl::Span<const QM31> values) {
    if (!values[0].isZero()) first = std::min(rows[i], first.value_or(rows[i]));
  });
  if (first) findings_.push_back({Failure::Kind::kConstraint, part.table, part.index, *first});
}

void Recheck::runLookup(uint32_t p) {
  const QM31 delta = balance_->delta(p);
  if (delta.isZero()) return;
  const uint32_t bus = cells_->lookup(p).bus();
  lookup_deltas_.push_back({p, delta});
  bus_deltas_[bus] += delta;
  bus_places_[bus] = {Failure::Kind::kBus, cells_->part(p).table, bus, cells_->rows(p)[0]};
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
  for (const CellChange& change : changes) cells_->write(change);
  for (const FreeCell& cell : free) cells_->write(cell.table, cell.column, cell.row, cell.value);
  refill_->run(frozen_, group_deltas_, findings_);
  runTouched();
  for (uint32_t b = 0; b < bus_deltas_.size(); ++b) {
    if (!bus_deltas_[b].isZero()) findings_.push_back(bus_places_[b]);
  }
  for (uint32_t g = 0; g < group_deltas_.size(); ++g) {
    if (!group_deltas_[g].isZero()) findings_.push_back({Failure::Kind::kSumGroup, 0, g, 0});
  }
  cells_->undo();
  return findings_;
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
