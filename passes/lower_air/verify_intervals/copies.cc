#include "passes/lower_air/verify_intervals/copies.h"

#include "absl/strings/str_cat.h"
#include "ir/air/analysis.h"
#include "ir/core/status_macros.h"
#include "passes/lower_air/verify_intervals/fixed_expression.h"

namespace lindero::passes {
namespace {

int64_t drawnAfter(const ir::Value* challenge) { return challenge->definingOp()->intAttr("after"); }

std::vector<const ir::Value*> challengesOf(const ir::Value* value) {
  std::vector<const ir::Value*> out;
  for (const ir::Value* v : ir::air::leavesOf(value)) {
    if (v->definingOp()->is("air.challenge")) out.push_back(v);
  }
  return out;
}

// The monomial's cell that is not fixed, if it is one; -1: none; nothing: several, or the row
// before.
std::optional<int> onlyCell(const TableRows& rows, const Monomial& monomial) {
  int cell = -1;
  for (Cell c : monomial) {
    if (rows.phase(c.column) == 0 && rows.isStored(c.column)) continue;
    if (cell >= 0 || c.before) return std::nullopt;
    cell = c.column;
  }
  return cell;
}

// The product of k and the monomial's fixed cells on the row.
int64_t coefficientAt(const TableRows& rows, int64_t row, const Monomial& monomial, int64_t k) {
  for (Cell c : monomial) {
    if (rows.phase(c.column) != 0) continue;
    const int64_t at = c.before ? (row + rows.height() - 1) % rows.height() : row;
    k = symmetric(__int128(k) * rows.fixedAt(c.column, at));
  }
  return k;
}

}  // namespace

absl::Status Copies::refused(const At& at, const std::string& what, const std::string& why) const {
  const TableRows& rows = ranges_.rows(at.table);
  return absl::FailedPreconditionError(
      absl::StrCat(rows.describe(what, rows.classOf(at.row), at.row), ": ", why));
}

absl::Status Copies::check() {
  for (int t = 0; t < ranges_.tables(); ++t) {
    tables_[ranges_.rows(t).name()] = t;
    for (ir::Op& op : ranges_.rows(t).op().block()->ops()) {
      if (op.is("air.term")) IR_RETURN_IF_ERROR(checkDenominators(t, op));
    }
  }
  IR_RETURN_IF_ERROR(findGathers());
  for (Gather& gather : gathers_) gather_of_[{gather.table, gather.column}] = &gather;
  for (int t = 0; t < ranges_.tables(); ++t) {
    for (ir::Op& op : ranges_.rows(t).op().block()->ops()) {
      if (!op.is("air.term")) continue;
      for (const ir::Value* c : challengesOf(op.operand(1))) {
        if (groups_.count(c)) IR_RETURN_IF_ERROR(readTerm(t, op, c));
      }
    }
  }
  for (Gather& gather : gathers_) IR_RETURN_IF_ERROR(checkRows(gather));
  return absl::OkStatus();
}

// R1 on the rows: of factors that read a challenge, verify-air sees that they are not zero.
absl::Status Copies::checkDenominators(int table, ir::Op& term) {
  const TableRows& rows = ranges_.rows(table);
  for (const ir::Value* factor : ir::air::factorsOf(term.operand(1))) {
    if (!challengesOf(factor).empty()) continue;
    const std::string& name = term.stringAttr("name");
    auto fixed = FixedExpression::of(rows, factor);
    if (!fixed) {
      return ranges_.refused(table, 0, name,
                             "a factor of its denominator reads neither a challenge nor fixed "
                             "columns alone");
    }
    for (int64_t row = 0; row < rows.height(); ++row) {
      if (fixed->at(row) == 0) {
        return refused({table, 0, row}, name, "a factor of its denominator is zero");
      }
    }
  }
  return absl::OkStatus();
}

// The gathered columns, and the challenges that bind them: each stands in the numerator of one term
// under a challenge drawn after it.
absl::Status Copies::findGathers() {
  for (int t = 0; t < ranges_.tables(); ++t) {
    TableRows& rows = ranges_.rows(t);
    for (size_t i = 0; i < rows.columns().size(); ++i) {
      ir::Op* gather = rows.columns()[i];
      if (!gather->is("air.gather")) continue;
      gathers_.push_back({t, static_cast<int>(i), gather, sourcesOf(*gather), {}, {}});
      gathers_.back().taken.resize(rows.height());
      gathers_.back().zeroed.resize(rows.classes().size());
      int count = 0;
      for (ir::Op& term : rows.op().block()->ops()) {
        if (!term.is("air.term") ||
            !llvm::is_contained(ir::air::leavesOf(term.operand(0)), gather->result())) {
          continue;
        }
        bool binds = false;
        for (const ir::Value* c : challengesOf(term.operand(1))) {
          if (drawnAfter(c) < gather->intAttr("phase")) continue;
          groups_[c] = term.symbolAttr("group");
          binds = true;
        }
        count += binds;
      }
      if (count == 1) continue;
      return ranges_.refused(
          t, 0, gather->stringAttr("name"),
          absl::StrCat("it is bound by ", count,
                       " terms under challenges drawn after it, and not by one"));
    }
  }
  return absl::OkStatus();
}

absl::Status Copies::checkGroup(int table, ir::Op& term, const ir::Value* challenge) {
  const std::string &group = term.symbolAttr("group"), &name = term.stringAttr("name");
  if (group != groups_.at(challenge)) {
    return ranges_.refused(table, 0, name, "what is summed under one challenge has two groups");
  }
  if (ranges_.isLinked(group)) {
    return ranges_.refused(table, 0, name, "its sum goes on in another block");
  }
  for (const ProvenRanges::Ends& ends : ranges_.ends()) {
    if (ends.table < 0 && ends.term->symbolAttr("group") == group) {
      return ranges_.refused(table, 0, name, "its sum has a public tensor");
    }
  }
  return absl::OkStatus();
}

absl::Status Copies::readTerm(int table, ir::Op& term, const ir::Value* challenge) {
  IR_RETURN_IF_ERROR(checkGroup(table, term, challenge));
  terms_.insert(&term);
  TableRows& rows = ranges_.rows(table);
  const std::string& name = term.stringAttr("name");
  std::vector<std::optional<ProvenRanges::Pole>> at(rows.classes().size());
  std::vector<const Polynomial*> numerators(at.size(), nullptr);
  for (size_t c = 0; c < at.size(); ++c) {
    const Form* form = rows.form(c, term.operand(0));
    if (!form || !plain(*form)) {
      return ranges_.refused(table, c, name, "weighs what it copies, or reads the row after");
    }
    if (form->empty()) continue;
    absl::StatusOr<ProvenRanges::Poles> poles = ranges_.poles(table, c, term);
    if (!poles.ok()) return poles.status();
    if (poles->factors.size() != 1 || poles->factors[0].challenge != challenge) {
      return ranges_.refused(table, c, name, "has another pole");
    }
    at[c] = poles->factors[0];
    numerators[c] = plain(*rows.form(c, term.operand(0)));
  }
  auto& by_pole = poles_[challenge];
  for (int64_t row = 0; row < rows.height(); ++row) {
    const int c = rows.classOf(row);
    if (!at[c]) continue;
    IR_RETURN_IF_ERROR(readRow(table, term, row, *numerators[c], by_pole[at[c]->at(rows, row)]));
  }
  return absl::OkStatus();
}

absl::Status Copies::readRow(int table, ir::Op& term, int64_t row, const Polynomial& numerator,
                             Pole& pole) {
  const TableRows& rows = ranges_.rows(table);
  auto no = [&](const char* why) { return refused({table, 0, row}, term.stringAttr("name"), why); };
  llvm::SmallVector<std::pair<int, int64_t>, 2> cells;
  for (const auto& [monomial, k] : numerator) {
    const std::optional<int> cell = onlyCell(rows, monomial);
    if (!cell || *cell < 0 || rows.isWitness(*cell)) {
      return no("is no sum of generated cells, each times fixed ones");
    }
    const int64_t times = coefficientAt(rows, row, monomial, k);
    auto found = llvm::find_if(cells, [&](const auto& c) { return c.first == *cell; });
    if (found == cells.end()) {
      cells.push_back({*cell, times});
    } else {
      found->second = symmetric(__int128(found->second) + times);
    }
  }
  for (const auto& [column, k] : cells) {
    if (k == 0) continue;
    const bool takes = rows.columns()[column]->is("air.gather");
    std::optional<End>& end = takes ? pole.takes : pole.gives;
    if (end) return no(takes ? "its pole is taken twice" : "its pole is given twice");
    end = End{{table, column, row}, k};
    if (takes) gather_of_.at({table, column})->taken[row] = &pole;
  }
  return absl::OkStatus();
}

absl::Status Copies::checkRows(Gather& gather) {
  const TableRows& rows = ranges_.rows(gather.table);
  const std::string& name = gather.op->stringAttr("name");
  auto index = FixedExpression::of(rows, gather.op->operand(0));
  if (!index) return ranges_.refused(gather.table, 0, name, "its index is not fixed");
  for (int64_t row = 0; row < rows.height(); ++row) {
    const At at{gather.table, gather.column, row};
    auto no = [&](const std::string& why) { return refused(at, name, why); };
    const uint32_t from = index->at(row);
    if (!gather.taken[row]) {
      if (from != 0) return no("it is gathered, and nothing binds it");
      if (!isZeroed(gather, row)) return no("it is free: nothing binds it, and it is not zero");
      continue;
    }
    const Pole& pole = *gather.taken[row];
    if (from == 0) {
      if (pole.gives) return no("its index is 0, and its pole is given");
      continue;
    }
    if (!pole.gives) return no("copies what nothing gives");
    const std::optional<At> declared = declaredSource(gather, from);
    if (!declared || pole.gives->at != *declared) {
      return no(absl::StrCat(
          "its pole is given by ", ranges_.rows(pole.gives->at.table).name(), ".",
          ranges_.rows(pole.gives->at.table).columns()[pole.gives->at.column]->stringAttr("name"),
          ", row ", pole.gives->at.row, ", which is not what its index names"));
    }
    if (symmetric(__int128(pole.gives->coefficient) + pole.takes->coefficient) != 0) {
      return no("it is taken another number of times than it is given");
    }
  }
  return absl::OkStatus();
}

std::vector<Copies::Source> Copies::sourcesOf(ir::Op& gather) const {
  const auto& tables = std::get<std::vector<std::string>>(*gather.find("source_tables"));
  const auto& columns = std::get<std::vector<std::string>>(*gather.find("source_columns"));
  const llvm::ArrayRef<int64_t> bases = gather.intsAttr("source_bases"),
                                counts = gather.intsAttr("source_rows");
  std::vector<Source> sources;
  for (size_t i = 0; i < tables.size(); ++i) {
    const int table = tables_.at(tables[i]);
    const auto& of = ranges_.rows(table).columns();
    const auto column =
        llvm::find_if(of, [&](ir::Op* op) { return op->stringAttr("name") == columns[i]; });
    sources.push_back({table, column == of.end() ? -1 : static_cast<int>(column - of.begin()),
                       bases[i], counts[i]});
  }
  return sources;
}

std::optional<Copies::At> Copies::declaredSource(const Gather& gather, uint32_t index) const {
  for (const Source& source : gather.sources) {
    const int64_t row = int64_t{index} - 1 - source.base;
    if (row < 0 || row >= source.rows || source.column < 0) continue;
    return At{source.table, source.column, row};
  }
  return std::nullopt;
}

std::optional<int> Copies::multipleOfGathered(const TableRows& rows, const Polynomial& p) {
  std::optional<int> gathered;
  for (const auto& [monomial, k] : p) {
    const std::optional<int> cell = onlyCell(rows, monomial);
    if (!cell || *cell < 0 || (gathered && *gathered != *cell) ||
        !rows.columns()[*cell]->is("air.gather")) {
      return std::nullopt;
    }
    gathered = *cell;
  }
  return gathered;
}

// Whether a constraint says, on the row, that the cell times a number other than 0 is zero.
bool Copies::isZeroed(Gather& gather, int64_t row) {
  TableRows& rows = ranges_.rows(gather.table);
  const int c = rows.classOf(row);
  if (gather.zeroed[c]) return *gather.zeroed[c];
  bool zeroed = false, by_class = true;
  for (ir::Op& op : rows.op().block()->ops()) {
    if (!op.is("air.constrain") || zeroed) continue;
    const Form* form = rows.form(c, op.operand(0));
    const Polynomial* p = form ? plain(*form) : nullptr;
    if (!p || multipleOfGathered(rows, *p) != gather.column) continue;
    int64_t times = 0;
    for (const auto& [monomial, k] : *p) {
      by_class &= monomial.size() == 1;
      times = symmetric(__int128(times) + coefficientAt(rows, row, monomial, k));
    }
    zeroed = times != 0;
  }
  if (by_class) gather.zeroed[c] = zeroed;
  return zeroed;
}

std::optional<Copies::At> Copies::source(const At& gathered) const {
  const Pole* pole = gather_of_.at({gathered.table, gathered.column})->taken[gathered.row];
  if (!pole || !pole->gives) return std::nullopt;
  return pole->gives->at;
}

}  // namespace lindero::passes
