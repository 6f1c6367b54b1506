#include "runtime/tamper/necessity.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "runtime/check/read_index.h"
#include "runtime/eval/bus_counter.h"
#include "runtime/package/circuit_access.h"
#include "runtime/tamper/random.h"

namespace lindero::runtime {
namespace {

// Searching for free cells costs a few checks per column: often at first, rarely later.
constexpr uint64_t kEagerAttempts = 64, kAttemptsApart = 64;
constexpr int kRowsPerAttempt = 3;
constexpr size_t kFewChanges = 100;

// What a verifier sees in findings: constraints, sum groups and zero denominators. A bus that
// does not balance is no reason by itself: its claimed sum is.
struct Verdict {
  const Finding* constraint = nullptr;  // if it is the only one
  int constraints = 0;
  std::vector<uint32_t> groups;
  bool denominator = false;

  explicit Verdict(absl::Span<const Finding> findings) {
    for (const Finding& finding : findings) {
      switch (finding.kind) {
        case Failure::Kind::kConstraint:
          constraint = &finding;
          ++constraints;
          break;
        case Failure::Kind::kSumGroup:
          groups.push_back(finding.index);
          break;
        case Failure::Kind::kDenominator:
          denominator = true;
          break;
        case Failure::Kind::kBus:
          break;
      }
    }
  }
  bool accepts() const { return constraints == 0 && groups.empty() && !denominator; }
};

}  // namespace

// A changed trace.
struct Necessity::Context {
  absl::Span<const CellChange> changes;
  const Statement* statement;
  absl::FunctionRef<std::string()> describe;

  absl::Span<const Finding> check(Recheck& recheck, absl::Span<const CellChange> cells,
                                  absl::Span<const FreeCell> free) const {
    if (statement == nullptr) return recheck.check(cells, free);
    auto findings = recheck.check(cells, *statement, free);
    assert(findings.ok());  // the same statement passed before
    return *findings;
  }
};

const char* nameOf(Requirement::Kind kind) {
  static constexpr const char* kNames[] = {"constraint", "lookup", "definition", "sum group",
                                           "public tensor"};
  return kNames[static_cast<int>(kind)];
}

std::string describe(const Requirement& r, const Circuit& circuit) {
  const int i = static_cast<int>(r.index);
  const std::string kind = nameOf(r.kind);
  if (r.kind == Requirement::Kind::kSumGroup) {
    return absl::StrCat(kind, " ", circuit.sum_groups(i).name());
  }
  if (r.kind == Requirement::Kind::kPublicTensor) {
    return absl::StrCat(kind, " ", circuit.publics(i).name());
  }
  const Table& table = tableOf(circuit, r.table);
  const std::string& name = r.kind == Requirement::Kind::kConstraint ? table.constraints(i).name()
                            : r.kind == Requirement::Kind::kLookup   ? table.lookups(i).name()
                                                                     : table.columns(i).name();
  return absl::StrCat(kind, " ", table.name(), ".", name);
}

std::string familyOf(const Requirement& r, const Circuit& circuit) {
  // Cuts `mark` and the digits after it off the end.
  auto cut = [](std::string& name, char mark) {
    const size_t end = name.find_last_not_of("0123456789");
    if (end != std::string::npos && end + 1 < name.size() && name[end] == mark) name.resize(end);
  };
  std::string name = describe(r, circuit);
  if (r.kind == Requirement::Kind::kSumGroup || r.kind == Requirement::Kind::kPublicTensor) {
    return name;
  }
  cut(name, '.');
  const size_t dot = name.find('.');
  std::string table = name.substr(0, dot);
  cut(table, '_');
  return table + name.substr(dot);
}

// On a tagged bus, a negative multiplicity gives: 0 - a.
bool Necessity::gives(const Lookup& lookup) const {
  if (lookup.provide() || !tagged_[lookup.bus()]) return lookup.provide();
  const Circuit& circuit = package_.circuit();
  const Node& times = circuit.nodes(static_cast<int>(lookup.multiplicity()));
  if (times.op() != Node::SUB) return false;
  const Node& from = circuit.nodes(static_cast<int>(times.a()));
  return from.op() == Node::CONSTANT && from.a() == 0;
}

Necessity::Necessity(const Package& package, const ReadIndex& index)
    : package_(package), tagged_(taggedBuses(package.circuit())) {
  const Circuit& circuit = package.circuit();
  for (const CircuitPart& part : index.parts()) {
    const Table& table = tableOf(circuit, part.table);
    const int i = static_cast<int>(part.index);
    switch (part.kind) {
      case CircuitPart::Kind::kConstraint:
        add(Requirement::Kind::kConstraint, part.table, part.index);
        break;
      case CircuitPart::Kind::kLookup:
        // Without what it provides a circuit accepts less.
        if (gives(table.lookups(i))) break;
        lookups_.push_back(static_cast<uint32_t>(requirements_.size()));
        add(Requirement::Kind::kLookup, part.table, part.index);
        break;
      case CircuitPart::Kind::kGenerator:
        if (table.columns(i).has_gather()) break;  // has no definition
        definitions_.push_back(static_cast<uint32_t>(requirements_.size()));
        add(Requirement::Kind::kDefinition, part.table, part.index);
        break;
    }
  }
  for (int g = 0; g < circuit.sum_groups_size(); ++g) {
    add(Requirement::Kind::kSumGroup, 0, static_cast<uint32_t>(g));
  }
  for (int p = 0; p < circuit.publics_size(); ++p) {
    add(Requirement::Kind::kPublicTensor, 0, static_cast<uint32_t>(p));
  }
  lookups_left_ = static_cast<uint32_t>(lookups_.size());
  definitions_left_ = static_cast<uint32_t>(definitions_.size());
  shown_ = std::make_unique<std::atomic<bool>[]>(requirements_.size());
}

void Necessity::add(Requirement::Kind kind, uint32_t table, uint32_t index) {
  numbers_[{kind, table, index}] = static_cast<uint32_t>(requirements_.size());
  requirements_.push_back({kind, table, index});
  families_[familyOf(requirements_.back(), package_.circuit())].push_back(
      static_cast<uint32_t>(requirements_.size() - 1));
}

uint32_t Necessity::find(Requirement::Kind kind, uint32_t table, uint32_t index) const {
  return numbers_.at({kind, table, index});
}

void Necessity::show(uint32_t number, const Context& context, const std::string& suffix) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (shown_[number].exchange(true)) return;
  Requirement& requirement = requirements_[number];
  requirement.witness = absl::StrCat(context.describe(), suffix);
  if (context.changes.size() <= kFewChanges) {
    requirement.changes.assign(context.changes.begin(), context.changes.end());
  }
  if (requirement.kind == Requirement::Kind::kLookup) --lookups_left_;
  if (requirement.kind == Requirement::Kind::kDefinition) --definitions_left_;
}

void Necessity::observe(Recheck& recheck, absl::Span<const CellChange> changes,
                        const Statement* statement, absl::Span<const Finding> findings,
                        bool balanced, absl::FunctionRef<std::string()> describe) {
  const Verdict verdict(findings);
  if (verdict.denominator || verdict.constraints > 1 || verdict.groups.size() > 1) return;
  const Context context{changes, statement, describe};
  if (verdict.constraints == 1) {
    if (!verdict.groups.empty()) return;
    const uint32_t number =
        find(Requirement::Kind::kConstraint, verdict.constraint->table, verdict.constraint->index);
    if (!shown(number)) show(number, context);
    return;
  }
  if (verdict.groups.empty()) return;
  const uint32_t group = verdict.groups[0];
  const uint32_t number = find(Requirement::Kind::kSumGroup, 0, group);
  if (!shown(number)) show(number, context);
  if (changes.empty()) showClaimedSums(context, group);
  if (changes.empty() || !balanced) return;
  const uint64_t attempt = attempts_++;
  const bool thoroughly = attempt < kEagerAttempts || attempt % kAttemptsApart == 0;
  if (lookups_left_ > 0) observeLookups(recheck, context, thoroughly);
  if (definitions_left_ > 0 && thoroughly) observeDefinitions(recheck, context, attempt);
}

void Necessity::observeTensor(uint32_t tensor, const std::string& witness) {
  const uint32_t number = find(Requirement::Kind::kPublicTensor, 0, tensor);
  show(number, Context{{}, nullptr, [&] { return witness; }});
}

bool Necessity::familyShown(const std::string& family) const {
  auto it = families_.find(family);
  return it != families_.end() &&
         std::any_of(it->second.begin(), it->second.end(), [&](uint32_t r) { return shown(r); });
}

bool Necessity::mayShow(const Recheck& recheck, uint32_t lookup) const {
  const CircuitPart& part = recheck.index().parts()[lookup];
  return !gives(tableOf(package_.circuit(), part.table).lookups(static_cast<int>(part.index))) &&
         !shown(find(Requirement::Kind::kLookup, part.table, part.index));
}

// One lookup alone may notice: the one that finds nothing, or, where all find a row of which they
// should know more, one of those that changed.
void Necessity::observeLookups(Recheck& recheck, const Context& context, bool thoroughly) {
  constexpr size_t kFew = 8;
  std::vector<uint32_t> candidates(recheck.missingLookups().begin(),
                                   recheck.missingLookups().end());
  if (candidates.size() > 1 || (candidates.empty() && !thoroughly)) return;
  recheck.setCheckBuses(true);
  if (candidates.empty()) {
    context.check(recheck, recheck.withMultiplicities(context.changes), {});
    for (const LookupDelta& d : recheck.lookupDeltas()) {
      const CircuitPart& part = recheck.index().parts()[d.part];
      const Table& table = tableOf(package_.circuit(), part.table);
      const uint32_t bus = table.lookups(static_cast<int>(part.index)).bus();
      if (!recheck.busDeltas()[bus].isZero()) candidates.push_back(d.part);
    }
  }
  std::erase_if(candidates, [&](uint32_t p) { return !mayShow(recheck, p); });
  if (candidates.size() > kFew) candidates.clear();
  for (uint32_t candidate : candidates) {
    const CircuitPart& part = recheck.index().parts()[candidate];
    const uint32_t bus =
        tableOf(package_.circuit(), part.table).lookups(static_cast<int>(part.index)).bus();
    // The others' multiplicities alone.
    std::vector<CellChange> balanced = recheck.withMultiplicities(context.changes, candidate);
    absl::Span<const Finding> findings = context.check(recheck, balanced, {});
    // Of the claimed sums, only that of the buses may be off, by this lookup's terms.
    bool others = false;
    for (const Finding& f : findings) {
      others |= f.kind == Failure::Kind::kBus && f.index != bus;
    }
    const Verdict verdict(findings);
    QM31 own;
    for (const LookupDelta& d : recheck.lookupDeltas()) {
      if (d.part == candidate) own = d.delta;
    }
    if (others || verdict.constraints > 0 || verdict.denominator || verdict.groups.size() != 1 ||
        own.isZero() || recheck.busDeltas()[bus] != own) {
      continue;
    }
    show(find(Requirement::Kind::kLookup, part.table, part.index), context);
  }
  recheck.setCheckBuses(false);
}

void Necessity::observeDefinitions(Recheck& recheck, const Context& context, uint64_t attempt) {
  Draws draws(attempt, 0x646566);
  const std::vector<CellChange> balanced = recheck.withMultiplicities(context.changes);
  const Context all{balanced, context.statement, context.describe};
  const Verdict verdict(all.check(recheck, balanced, {}));
  if (verdict.constraints > 0 || verdict.denominator || verdict.groups.size() != 1) return;
  showClaimedSums(all, verdict.groups[0]);
  for (uint32_t p = 0; p < recheck.index().generatorCount(); ++p) {
    const CircuitPart& part = recheck.index().parts()[p];
    const Table& table = tableOf(package_.circuit(), part.table);
    const Column& column = table.columns(static_cast<int>(part.index));
    if (column.has_fraction() && column.fraction().running()) continue;
    const uint32_t number =
        column.has_gather() ? kNone : find(Requirement::Kind::kDefinition, part.table, part.index);
    if (number != kNone) {
      if (shown(number)) continue;
      recheck.setFrozen(p);
      const bool accepts = Verdict(all.check(recheck, balanced, {})).accepts();
      recheck.setFrozen(Recheck::kNoPart);
      if (accepts) show(number, all, "; the column stays as it was");
    }
    for (int i = 0; i < kRowsPerAttempt && (number == kNone || !shown(number)); ++i) {
      makeUp(recheck, all, verdict.groups[0], part, draws.below(tableHeight(table)), number);
    }
  }
}

// Nothing but its definition reads a claimed sum (ReadIndex): without it, the claimed sum may be
// anything.
void Necessity::showClaimedSums(const Context& context, uint32_t group) {
  for (uint32_t number : definitions_) {
    const Requirement& r = requirements_[number];
    const Column& column = columnOf(package_.circuit(), r.table, r.index);
    if (shown(number) || !column.has_fraction() || !column.fraction().running()) continue;
    const int claimed_sum = static_cast<int>(column.fraction().claimed_sum());
    if (package_.circuit().claimed_sums(claimed_sum).group() != group) continue;
    show(number, context, "; the claimed sum makes up for it");
  }
}

// Looks for a value of the cell that makes the group cancel. The sum is (a + b v) / (1 + c v) if
// one denominator reads the cell, or affine (c = 0) if numerators do. What the circuit then finds
// shows the necessity of the column's definition, or, if it has none, that of another sum group.
void Necessity::makeUp(Recheck& recheck, const Context& context, uint32_t group,
                       const CircuitPart& part, uint64_t row, uint32_t definition) {
  const QM31 honest = recheck.columns().view(part.table, part.index).at(row);
  const QM31 two(M31::fromCanonical(2));
  auto check = [&](const QM31& value) {
    const FreeCell cell{part.table, part.index, row, honest + value};
    Verdict verdict(context.check(recheck, context.changes, {&cell, 1}));
    return std::pair(verdict, recheck.groupDeltas()[group]);
  };
  const QM31 at_one = check(QM31(M31::fromCanonical(1))).second;
  const QM31 at_zero = check(QM31()).second;
  if (at_one == at_zero) return;
  const QM31 at_two = check(two).second;
  if (at_two == at_one) return;
  const QM31 c = (two * at_one - at_zero - at_two) * (two * (at_two - at_one)).inverse();
  const QM31 b = at_one + at_one * c - at_zero;
  if (b.isZero()) return;
  const Verdict verdict = check(-(at_zero * b.inverse())).first;
  const std::string how = absl::StrCat("; the cell in row ", row, " makes up for it");
  if (definition == kNone && verdict.constraints == 1 && verdict.groups.empty() &&
      !verdict.denominator) {
    const uint32_t binds =
        find(Requirement::Kind::kConstraint, verdict.constraint->table, verdict.constraint->index);
    // Not by the changes alone: the cell is none of the trace's.
    if (!shown(binds)) show(binds, Context{{}, context.statement, context.describe}, how);
  }
  if (verdict.constraints > 0 || verdict.denominator) return;
  if (definition != kNone && verdict.groups.empty()) show(definition, context, how);
  if (definition == kNone && verdict.groups.size() == 1) {
    const uint32_t other = find(Requirement::Kind::kSumGroup, 0, verdict.groups[0]);
    if (!shown(other)) show(other, context, absl::StrCat("; a copied cell, row ", row));
    showClaimedSums(context, verdict.groups[0]);
  }
}

}  // namespace lindero::runtime
