#include "passes/lower_air/verify_intervals/verify_intervals.h"

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "passes/lower_air/verify_intervals/copies.h"
#include "passes/lower_air/verify_intervals/edge_values.h"
#include "passes/lower_air/verify_intervals/folds.h"
#include "passes/lower_air/verify_intervals/proven_ranges.h"
#include "passes/lower_air/verify_intervals/scan_runs.h"

namespace lindero::passes {
namespace {

std::string text(const Interval& r) { return absl::StrCat("[", r.low, ", ", r.high, "]"); }

bool belowModulus(const Interval& r) { return r.magnitude() < kFieldModulus; }

class IntervalRule {
 public:
  IntervalRule(ProvenRanges& ranges, const Folds& folds) : ranges_(ranges), folds_(folds) {}

  absl::Status check() {
    countUses();
    for (int t = 0; t < ranges_.tables(); ++t) {
      TableRows& rows = ranges_.rows(t);
      for (ir::Op& op : rows.op().block()->ops()) {
        const bool constrains = op.is("air.constrain");
        if (!constrains && !op.is("air.lookup")) continue;
        for (size_t c = 0; c < rows.classes().size(); ++c) {
          IR_RETURN_IF_ERROR(constrains ? checkConstraint(t, c, op) : checkLookup(t, c, op));
        }
      }
    }
    for (const auto& kind : ranges_.tileKinds()) {
      for (int i : kind.gives) IR_RETURN_IF_ERROR(checkEnds(kind, ranges_.ends()[i], true));
      for (int i : kind.takes) IR_RETURN_IF_ERROR(checkEnds(kind, ranges_.ends()[i], false));
    }
    for (const Folds::Result& r : folds_.results()) IR_RETURN_IF_ERROR(checkResult(r));
    return absl::OkStatus();
  }

 private:
  // How many equations read a cell, per table, class and column.
  void countUses() {
    for (int t = 0; t < ranges_.tables(); ++t) {
      TableRows& rows = ranges_.rows(t);
      uses_.emplace_back(rows.classes().size(), std::vector<int>(rows.columns().size(), 0));
      for (ir::Op& op : rows.op().block()->ops()) {
        const bool constrains = op.is("air.constrain");
        if (!constrains && !op.is("air.lookup")) continue;
        for (size_t c = 0; c < rows.classes().size(); ++c) {
          if (constrains) {
            count(t, c, op.operand(0));
          } else if (binds(t, c, op)) {
            for (ir::Value* v : op.operands().drop_front()) count(t, c, v);
          }
        }
      }
    }
    for (const auto& ends : ranges_.ends()) {
      for (const auto& lane : ends.lanes) ++uses_[ends.table][ends.c][lane.column];
    }
    for (const auto& r : folds_.results()) {
      if (r.on_all_rows) count(r.table, r.c, r.lane);
    }
    for (const auto& [t, c, column] : folds_.lookedUp()) ++uses_[t][c][column];
  }

  void count(int t, int c, ir::Value* value) {
    const Form* form = ranges_.rows(t).form(c, value);
    for (const auto& [weight, p] : form ? *form : Form()) count(t, c, p);
  }

  void count(int t, int c, const Polynomial& p) {
    std::set<Cell> cells;
    for (const auto& [monomial, k] : ranges_.simplify(t, c, p)) {
      cells.insert(monomial.begin(), monomial.end());
    }
    for (Cell cell : cells) {
      if (!cell.before) {
        ++uses_[t][c][cell.column];
        continue;
      }
      for (int b : ranges_.rows(t).classes()[c].before) ++uses_[t][b][cell.column];
    }
  }

  // No other equation reads any witness cell of this one: it says nothing about the rest.
  bool isAlone(int t, int c, const Polynomial& p) const {
    const TableRows& rows = ranges_.rows(t);
    for (const auto& [monomial, k] : p) {
      for (Cell cell : monomial) {
        if (rows.phase(cell.column) == 0) continue;
        if (cell.before || rows.phase(cell.column) > 1 || uses_[t][c][cell.column] > 1) {
          return false;
        }
      }
    }
    return true;
  }

  // A cell that this equation alone reads can take whatever value the others leave.
  std::string openCell(int t, int c, const Polynomial& p) const {
    const TableRows& rows = ranges_.rows(t);
    for (const auto& [monomial, k] : p) {
      for (Cell cell : monomial) {
        if (!cell.before && rows.isWitness(cell.column) && uses_[t][c][cell.column] <= 1) {
          return rows.columns()[cell.column]->stringAttr("name");
        }
      }
    }
    return "";
  }

  // Whether the lookup is on on all rows of the class.
  bool binds(int t, int c, ir::Op& lookup) {
    if (!ranges_.taggedBuses().has(ranges_.busName(lookup))) return isOn(t, c, lookup);
    int64_t rows = 0;
    for (const TaggedBuses::Use* use : ranges_.taggedBuses().usesOf(lookup, c)) rows += use->rows;
    return rows == ranges_.rows(t).classSize(c);
  }

  bool isOn(int t, int c, ir::Op& lookup) {
    const Form* on = ranges_.rows(t).form(c, lookup.operand(0));
    return !on || !plain(*on) || !plain(*on)->empty();
  }

  // The first cell of the polynomial that nothing bounds.
  std::string unbounded(int t, int c, const Polynomial& p) const {
    const TableRows& rows = ranges_.rows(t);
    for (const auto& [monomial, k] : p) {
      for (Cell cell : monomial) {
        if (!ranges_.polynomial(t, c, {{{cell}, 1}})) {
          return absl::StrCat("nothing bounds the cell ",
                              rows.columns()[cell.column]->stringAttr("name"));
        }
      }
    }
    return "it has no proven range";
  }

  // A product is zero only if a factor is.
  bool factorsBelowModulus(int t, int c, ir::Value* value) {
    if (MaybeInterval r = ranges_.value(t, c, value); r && belowModulus(*r)) return true;
    ir::Op& op = *value->definingOp();
    return op.is("air.mul") && factorsBelowModulus(t, c, op.operand(0)) &&
           factorsBelowModulus(t, c, op.operand(1));
  }

  absl::Status checkConstraint(int t, int c, ir::Op& op) {
    const std::string& name = op.stringAttr("name");
    const Form* form = ranges_.rows(t).form(c, op.operand(0));
    if (!form || !plain(*form)) {
      return ranges_.refused(t, c, name,
                             "no interval argument: it reads challenges, or rows other than this "
                             "one and the one before");
    }
    Polynomial p = ranges_.simplify(t, c, *plain(*form));
    if (p.empty() || isAlone(t, c, p)) return absl::OkStatus();
    // A gathered cell is zero: an equation of the field, not of integers.
    if (Copies::multipleOfGathered(ranges_.rows(t), p)) return absl::OkStatus();
    if (std::string cell = openCell(t, c, p); !cell.empty()) {
      return ranges_.refused(
          t, c, name,
          absl::StrCat("no other equation reads the cell ", cell, ": it leaves this one open"));
    }
    if (factorsBelowModulus(t, c, op.operand(0))) return absl::OkStatus();
    MaybeInterval r = ranges_.value(t, c, op.operand(0));
    if (!r) return ranges_.refused(t, c, name, unbounded(t, c, p));
    return ranges_.refused(
        t, c, name, absl::StrCat("its sides can differ by p or more: it lies in ", text(*r)));
  }

  // What is looked up under a tag, and what is given.
  absl::Status checkTagged(int t, int c, ir::Op& op) {
    const std::string& name = op.stringAttr("name");
    TableRows& rows = ranges_.rows(t);
    for (const TaggedBuses::Use* use : ranges_.taggedBuses().usesOf(op, c)) {
      for (size_t i = 1; i + 1 < op.numOperands(); ++i) {
        const MaybeInterval r = ranges_.value(t, c, op.operand(i + 1));
        const Form* form = rows.form(c, op.operand(i + 1));
        if (!r) {
          return ranges_.refused(
              t, c, name,
              form && plain(*form) ? unbounded(t, c, *plain(*form)) : "reads challenges");
        }
        if (use->gives) continue;
        const MaybeInterval given = ranges_.given(*use, i);
        if (!given) return ranges_.refused(t, c, name, "nothing bounds what is given to it");
        if (!sameOverIntegers(*r, *given)) {
          return ranges_.refused(
              t, c, name,
              absl::StrCat("element ", i, " lies in ", text(*r), ", what is given to it in ",
                           text(*given), ": they can differ by p or more"));
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status checkLookup(int t, int c, ir::Op& op) {
    if (ranges_.taggedBuses().has(ranges_.busName(op))) return checkTagged(t, c, op);
    if (!isOn(t, c, op)) return absl::OkStatus();
    TableRows& rows = ranges_.rows(t);
    const std::string &name = op.stringAttr("name"), &bus = ranges_.busName(op);
    const Form* on = rows.form(c, op.operand(0));
    const Polynomial* times = on ? plain(*on) : nullptr;
    if (!times || times->size() != 1 || !times->begin()->first.empty() ||
        times->begin()->second < 0) {
      return ranges_.refused(t, c, name, "its multiplicity is no fixed number, or is negative");
    }
    __int128 total = lookups_[bus] + __int128(times->begin()->second) * rows.classSize(c);
    if (total >= kFieldModulus) {
      return ranges_.refused(t, c, name, "p or more tuples are looked up: they can cancel");
    }
    lookups_[bus] = total;
    bool table = ranges_.isTable(bus);
    size_t elements = table ? op.numOperands() : 2;  // a fold has its own argument
    for (size_t i = 1; i < elements; ++i) {
      MaybeInterval r = ranges_.value(t, c, op.operand(i));
      const Form* form = rows.form(c, op.operand(i));
      if (!r) {
        return ranges_.refused(
            t, c, name, form && plain(*form) ? unbounded(t, c, *plain(*form)) : "reads challenges");
      }
      MaybeInterval all = table ? ranges_.providedHull(bus, i - 1) : folds_.providedRows(bus);
      if (!all) return ranges_.refused(t, c, name, absl::StrCat("bus ", bus, " provides nothing"));
      if (!sameOverIntegers(*r, *all)) {
        return ranges_.refused(
            t, c, name,
            absl::StrCat("element ", i - 1, " lies in ", text(*r), ", the table's in ", text(*all),
                         ": they can differ by p or more"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status checkEnds(const ProvenRanges::TileKind& kind, const ProvenRanges::Ends& ends,
                         bool gives) {
    for (const auto& lane : ends.lanes) {
      const MaybeInterval& r = ranges_.cell(ends.table, ends.c, lane.column);
      const std::string& name = ends.term->stringAttr("name");
      if (!r) return ranges_.refused(ends.table, ends.c, name, unboundedLane(ends, lane.column));
      if (gives && kind.linked) {
        const Interval& linked = ranges_.linkRange();
        if (hull(*r, linked) == linked) continue;
        return ranges_.refused(ends.table, ends.c, name,
                               absl::StrCat("it leaves what lies in ", text(*r),
                                            ", the next block takes what lies in ", text(linked)));
      }
      if (const ProvenRanges::Ends* link = gives ? linkOf(kind) : nullptr) {
        if (hull(*r, link->given) == link->given) continue;
        return ranges_.refused(
            ends.table, ends.c, name,
            absl::StrCat("it gives the link ", link->term->stringAttr("name"), " what lies in ",
                         text(*r), ", which takes ", text(link->given)));
      }
      MaybeInterval other = ranges_.otherEnd(kind, gives, lane.lane);
      if (!other) return ranges_.refused(ends.table, ends.c, name, "nothing bounds its other end");
      if (!sameOverIntegers(*r, *other)) {
        return ranges_.refused(ends.table, ends.c, name,
                               absl::StrCat("this end lies in ", text(*r), ", the other in ",
                                            text(*other), ": they can differ by p or more"));
      }
    }
    return absl::OkStatus();
  }

  // What takes a tile into another circuit, if it goes there.
  const ProvenRanges::Ends* linkOf(const ProvenRanges::TileKind& kind) const {
    for (int index : kind.takes) {
      if (ranges_.ends()[index].linked) return &ranges_.ends()[index];
    }
    return nullptr;
  }

  std::string unboundedLane(const ProvenRanges::Ends& ends, int column) const {
    return unbounded(ends.table, ends.c, {{{{column, false}}, 1}});
  }

  absl::Status checkResult(const Folds::Result& r) {
    const std::string name = absl::StrCat(r.scan->stringAttr("name"), ", power ", r.exponent);
    Polynomial lane = ranges_.simplify(r.table, r.c, r.lane);
    MaybeInterval range = ranges_.polynomial(r.table, r.c, lane);
    if (!range) {
      if (isAlone(r.table, r.c, lane)) return absl::OkStatus();
      return ranges_.refused(r.table, r.c, name, unbounded(r.table, r.c, lane));
    }
    const Interval product = r.product->interval();
    if (sameOverIntegers(*range, product)) return absl::OkStatus();
    return ranges_.refused(r.table, r.c, name,
                           absl::StrCat("the result lies in ", text(*range), ", the product in ",
                                        text(product), ": they can differ by p or more"));
  }

  ProvenRanges& ranges_;
  const Folds& folds_;
  std::vector<std::vector<std::vector<int>>> uses_;
  std::map<std::string, __int128> lookups_;  // per bus: how many tuples are looked up
};

// Columns that hide what they sum.
absl::Status refuseFractions(ir::Function& circuit) {
  for (ir::Op& table : circuit.body().ops()) {
    if (!table.is("air.table")) continue;
    for (ir::Op& op : table.block()->ops()) {
      if (!op.is("air.fraction") && !op.is("air.expression")) continue;
      return absl::FailedPreconditionError(absl::StrCat(
          table.stringAttr("name"), ".", op.stringAttr("name"), ": no interval argument for an ",
          op.name().str(), "; this pass runs before lower-sums"));
    }
  }
  return absl::OkStatus();
}

class VerifyIntervals : public Pass {
 public:
  llvm::StringRef name() const override { return "verify-intervals"; }
  llvm::StringRef summary() const override {
    return "Check that no equation of a circuit can wrap around the field's modulus";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    if (!module.findFunction("circuit")) {
      return absl::InvalidArgumentError("the module has no function @circuit");
    }
    IR_RETURN_IF_ERROR(refuseFractions(*module.findFunction("circuit")));
    std::unique_ptr<Copies> copies;
    std::unique_ptr<Folds> folds;
    auto ranges = ProvenRanges::compute(module, [&](ProvenRanges& ranges) -> absl::Status {
      copies = std::make_unique<Copies>(ranges);
      folds = std::make_unique<Folds>(ranges, *copies);
      IR_RETURN_IF_ERROR(copies->check());
      IR_RETURN_IF_ERROR(checkEdgeValues(ranges));
      IR_RETURN_IF_ERROR(checkScanRuns(ranges));
      return folds->boundLookups();
    });
    if (!ranges.ok()) return ranges.status();
    IR_RETURN_IF_ERROR(folds->boundProducts());
    IR_RETURN_IF_ERROR(folds->boundSelected());
    // As often as a stored product is a factor of the next one.
    while (folds->boundResults()) {
      IR_RETURN_IF_ERROR((*ranges)->settle());
      folds = std::make_unique<Folds>(**ranges, *copies);
      IR_RETURN_IF_ERROR(folds->boundLookups());
      IR_RETURN_IF_ERROR(folds->boundProducts());
      IR_RETURN_IF_ERROR(folds->boundSelected());
    }
    IR_RETURN_IF_ERROR(IntervalRule(**ranges, *folds).check());
    return false;
  }
};

}  // namespace

std::unique_ptr<Pass> createVerifyIntervals() { return std::make_unique<VerifyIntervals>(); }

absl::Status registerVerifyIntervals() { return registerPass(createVerifyIntervals); }

}  // namespace lindero::passes
