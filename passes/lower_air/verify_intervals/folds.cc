#include "passes/lower_air/verify_intervals/folds.h"

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"

namespace lindero::passes {

int Folds::challengeIndex(Scan& scan, const ir::Value* challenge) {
  for (int i = 0; i < 2; ++i) {
    if (!scan.challenges[i]) scan.challenges[i] = challenge;
    if (scan.challenges[i] == challenge) return i;
  }
  return -1;
}

absl::Status Folds::readStep(Scan& scan, int c) {
  TableRows& rows = ranges_.rows(scan.table);
  Step& step = scan.steps[c];
  auto power = [](const Factor& f) {
    return f.lane == 0 && f.challenge->definingOp()->is("air.challenge");
  };
  const Form* multiplier = rows.form(c, scan.op->operand(0));
  const Form* add = rows.form(c, scan.op->operand(1));
  if (!multiplier || !add || multiplier->size() > 1) return absl::OkStatus();
  step.restarts = multiplier->empty();
  for (const auto& [weight, p] : *multiplier) {
    if (p != Polynomial{{{}, 1}}) return absl::OkStatus();
    for (const Factor& f : weight) {
      int i = power(f) ? challengeIndex(scan, f.challenge) : -1;
      if (i < 0) return absl::OkStatus();
      step.multiplier[i] = f.exponent;
    }
  }
  int base = -1;
  for (const auto& [weight, p] : *add) {
    if (weight.empty()) {
      step.lanes[0] = p;
      continue;
    }
    int i = weight.size() == 1 && power(weight[0]) ? challengeIndex(scan, weight[0].challenge) : -1;
    if (i < 0 || (base >= 0 && base != i)) return absl::OkStatus();
    base = i;
    step.lanes[weight[0].exponent] = p;
  }
  step.base = std::max(base, 0);
  // A row of one lane: its base is what the multiplier is a power of.
  if (base < 0 && step.multiplier[0] == 0 && step.multiplier[1] != 0) step.base = 1;
  step.known = true;
  return absl::OkStatus();
}

absl::StatusOr<Folds::Scan*> Folds::scan(int table, ir::Op& op) {
  std::unique_ptr<Scan>& made = scans_[{table, &op}];
  if (made) return made.get();
  made = std::make_unique<Scan>();
  made->table = table;
  made->op = &op;
  made->steps.resize(ranges_.rows(table).classes().size());
  for (size_t c = 0; c < made->steps.size(); ++c) IR_RETURN_IF_ERROR(readStep(*made, c));
  return made.get();
}

absl::Status Folds::walk(const End& end, Visit visit) {
  const Scan& scan = *end.scan;
  TableRows& rows = ranges_.rows(scan.table);
  Exponents shift{};
  // Monomials ascend from row to row in one of the two lexicographic orders, so that none is met
  // twice. By the greater challenge of the order: its exponent and the other one's.
  std::array<std::pair<int64_t, int64_t>, 2> last{};
  std::array<bool, 2> ascends{true, true};
  bool any = false;
  for (int64_t row = end.row;; --row) {
    int c = rows.classOf(row);
    const Step& step = scan.steps[c];
    auto no = [&](const char* why) {
      return ranges_.refused(scan.table, c, scan.op->stringAttr("name"), why);
    };
    if (!step.known) return no("is no fold: lanes weighted by powers of one challenge");
    if (!step.lanes.empty()) {
      Exponents low = shift, high = shift;
      low[step.base] += step.lanes.begin()->first;
      high[step.base] += step.lanes.rbegin()->first;
      for (int i = 0; i < 2; ++i) {
        ascends[i] &= !any || std::pair(low[i], low[1 - i]) > last[i];
        last[i] = {high[i], high[1 - i]};
      }
      any = true;
      if (!ascends[0] && !ascends[1]) return no("gives two cells of a fold the same weight");
    }
    IR_RETURN_IF_ERROR(visit(row, step, shift));
    if (step.restarts || row == 0) return absl::OkStatus();
    for (int i = 0; i < 2; ++i) shift[i] += step.multiplier[i];
  }
}

// The monomials of a product's numerator: fold' (a result), fold * factor, or fold (added).
absl::Status Folds::readTerm(int table, ir::Op& term) {
  if (copies_.binds(term)) return absl::OkStatus();
  TableRows& rows = ranges_.rows(table);
  const std::string& name = term.stringAttr("name");
  std::vector<std::optional<ProvenRanges::Pole>> poles(rows.classes().size());
  const std::string& group = term.symbolAttr("group");
  bool folded = false;
  for (size_t c = 0; c < poles.size(); ++c) {
    const Form* form = rows.form(c, term.operand(0));
    for (const auto& [weight, p] : form ? *form : Form()) {
      for (const auto& [monomial, k] : p) {
        for (Cell cell : monomial) folded |= rows.phase(cell.column) >= 2;
      }
    }
  }
  for (size_t c = 0; c < poles.size() && folded; ++c) {
    const Form* form = rows.form(c, term.operand(0));
    if (!form || !plain(*form)) {
      return ranges_.refused(table, c, name, "weighs folds, or reads the row after");
    }
    if (form->empty()) continue;
    absl::StatusOr<ProvenRanges::Poles> at = ranges_.poles(table, c, term);
    if (!at.ok()) return at.status();
    if (at->factors.size() != 1) return ranges_.refused(table, c, name, "has more than one pole");
    poles[c] = at->factors[0];
  }
  if (!folded) return absl::OkStatus();
  for (int64_t row = 0; row < rows.height(); ++row) {
    int c = rows.classOf(row);
    if (!poles[c]) continue;
    const ir::Value* challenge = poles[c]->challenge;
    int64_t id = poles[c]->at(rows, row);
    if (groups_.try_emplace(challenge, group).first->second != group) {
      return ranges_.refused(table, c, name, "what is summed under one challenge has two groups");
    }
    if (ranges_.isLinked(group)) {
      return ranges_.refused(table, c, name, "its sum goes on in another block");
    }
    // Id 0 names no product: what is summed there bounds nothing, and no factor must stand there.
    if (id == 0) {
      for (const auto& [monomial, k] : *plain(*rows.form(c, term.operand(0)))) {
        for (Cell cell : monomial) {
          if (rows.columns()[cell.column]->is("air.gather") &&
              (cell.before || copies_.source({table, cell.column, row}))) {
            return ranges_.refused(table, c, name, "sums a factor of no product");
          }
        }
      }
      continue;
    }
    auto no = [&](const std::string& why) {
      return ranges_.refused(table, c, name, absl::StrCat("id ", id, ": ", why));
    };
    if (product_challenge_ && challenge != product_challenge_) {
      return no("products are summed under two challenges");
    }
    product_challenge_ = challenge;
    for (const auto& [monomial, k] : *plain(*rows.form(c, term.operand(0)))) {
      End fold;
      int gather = -1;
      for (Cell cell : monomial) {
        ir::Op* op = rows.columns()[cell.column];
        if (op->is("air.scan") && !fold.scan && !cell.before) {
          absl::StatusOr<Scan*> scan = this->scan(table, *op);
          if (!scan.ok()) return scan.status();
          fold = {*scan, row};
        } else if (op->is("air.gather") && gather < 0 && !cell.before) {
          gather = cell.column;
        } else {
          return no("is no sum of folds, factors and their products");
        }
      }
      if (fold.scan && gather >= 0 && k == 1) {
        products_[id].factors.push_back({fold, gather, {}});
      } else if (fold.scan && gather < 0 && k > 0) {
        products_[id].added.push_back({fold, k});
      } else if (fold.scan && gather < 0 && k == -1) {
        if (products_[id].result.scan) return no("has two results");
        products_[id].result = fold;
      } else {
        return no("is neither a product of folds, nor added, nor a result");
      }
    }
  }
  return absl::OkStatus();
}

// The pole of a product or copy is a challenge of its own: errors of two of them, or of one and an
// edge, that are functions of it could cancel.
absl::Status Folds::checkChallenges() {
  for (ir::Op& op : ranges_.circuit().body().ops()) {
    if (!op.is("air.challenge")) continue;
    const ir::Value* challenge = op.result();
    if (!groups_.count(challenge) && !copies_.groups().count(challenge)) continue;
    bool shared = ranges_.namesElements(challenge);
    for (const auto& [at, scan] : scans_) shared |= llvm::is_contained(scan->challenges, challenge);
    if (!shared) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("products or copies are summed under the challenge ", op.stringAttr("name"),
                     ", which weighs or names elements, too"));
  }
  return absl::OkStatus();
}

// A factor is the fold of which it is a copy.
absl::Status Folds::tieFactors() {
  for (auto& [id, p] : products_) {
    for (Factored& f : p.factors) {
      int table = f.left.scan->table;
      TableRows& rows = ranges_.rows(table);
      int c = rows.classOf(f.left.row);
      auto no = [&](const char* why) {
        return ranges_.refused(table, c, rows.columns()[f.gather]->stringAttr("name"), why);
      };
      const std::optional<Copies::At> from = copies_.source({table, f.gather, f.left.row});
      if (!from) return no("is a factor that copies nothing");
      ir::Op* fold = ranges_.rows(from->table).columns()[from->column];
      if (!fold->is("air.scan")) return no("copies what is no fold");
      absl::StatusOr<Scan*> scan = this->scan(from->table, *fold);
      if (!scan.ok()) return scan.status();
      f.right = {*scan, from->row};
    }
  }
  return absl::OkStatus();
}

absl::Status Folds::boundLookups() {
  struct Provider {
    int table = 0;
    ir::Op* op = nullptr;
  };
  std::multimap<std::string, Provider> providers;
  for (int t = 0; t < ranges_.tables(); ++t) {
    for (ir::Op& op : ranges_.rows(t).op().block()->ops()) {
      if (op.is("air.provide") && !ranges_.isTable(ranges_.busName(op))) {
        providers.emplace(ranges_.busName(op), Provider{t, &op});
      }
    }
  }
  std::map<std::string, Interval> provided;
  std::map<std::string, std::set<int64_t>> row_numbers;
  for (auto& [bus, provider] : providers) {
    TableRows& rows = ranges_.rows(provider.table);
    const std::string& name = provider.op->stringAttr("name");
    auto no = [&](int c, const char* why) { return ranges_.refused(provider.table, c, name, why); };
    if (provider.op->numOperands() != 3) return no(0, "has no tuple (row, fold)");
    ir::Op* fold = provider.op->operand(2)->definingOp();
    if (!fold->is("air.scan")) return no(0, "has no tuple (row, fold)");
    absl::StatusOr<Scan*> scan = this->scan(provider.table, *fold);
    if (!scan.ok()) return scan.status();
    int count = rows.indexOf(provider.op->operand(0));
    std::set<int64_t>& keys = row_numbers[bus];
    std::set<const Step*> seen;
    Interval& cells = provided.try_emplace(bus, Interval::of(0)).first->second;
    for (int64_t row = 0; row < rows.height(); ++row) {
      int c = rows.classOf(row);
      if (ranges_.cell(provider.table, c, count) == Interval::of(0)) continue;
      const Polynomial* key = plain(*rows.form(c, provider.op->operand(1)));
      if (!key || key->size() > 1) return no(c, "its row number is no fixed cell");
      int64_t at = 0;
      for (const auto& [monomial, k] : *key) {
        if (monomial.size() > 1) return no(c, "its row number is no fixed cell");
        at = symmetric(monomial.empty() ? k : k * rows.fixedAt(monomial[0].column, row));
      }
      if (!keys.insert(at).second) return no(c, "provides a row number twice");
      IR_RETURN_IF_ERROR(walk({*scan, row}, [&](int64_t r, const Step& step, Exponents) {
        if (!seen.insert(&step).second) return absl::OkStatus();
        for (const auto& [e, lane] : step.lanes) {
          for (const auto& [monomial, k] : lane) {
            for (Cell cell : monomial) {
              if (rows.phase(cell.column) != 0) return no(c, "folds what is not fixed");
            }
          }
          MaybeInterval range = ranges_.polynomial(provider.table, rows.classOf(r), lane);
          if (range) cells = hull(cells, *range);
        }
        return absl::OkStatus();
      }));
    }
    if (keys.empty()) return no(0, "provides nothing");
    provided_rows_[bus] = Interval::between(*keys.begin(), *keys.rbegin());
  }
  absl::StatusOr<bool> all = boundRows(provided, /*all=*/false);
  if (!all.ok() || *all) return all.status();
  // What is added to a row that is looked up may be another one.
  ranges_.useAllEdges();
  return boundRows(provided, /*all=*/true).status();
}

// The cells of rows that are looked up. Whether what is added to each is bounded; with `all`, it is
// an error if not.
absl::StatusOr<bool> Folds::boundRows(const std::map<std::string, Interval>& provided, bool all) {
  bool bounds_all = true;
  looked_up_.clear();
  for (int t = 0; t < ranges_.tables(); ++t) {
    TableRows& rows = ranges_.rows(t);
    for (ir::Op& op : rows.op().block()->ops()) {
      if (!op.is("air.lookup") || ranges_.isTable(ranges_.busName(op))) continue;
      ir::Op* fold = op.numOperands() == 3 ? op.operand(2)->definingOp() : nullptr;
      if (!fold || !fold->is("air.scan") || !provided.count(ranges_.busName(op))) {
        return ranges_.refused(t, 0, op.stringAttr("name"), "looks up no fold of its table");
      }
      absl::StatusOr<Scan*> scan = this->scan(t, *fold);
      if (!scan.ok()) return scan.status();
      const Interval& cells = provided.at(ranges_.busName(op));
      std::map<std::array<int, 3>, Interval> bounded;
      std::vector<bool> met(rows.height());
      std::set<const Step*> seen;
      for (int64_t row = 0; row < rows.height(); ++row) {
        const Form* on = rows.form(rows.classOf(row), op.operand(0));
        if (!on || (plain(*on) && plain(*on)->empty())) continue;
        IR_RETURN_IF_ERROR(walk({*scan, row}, [&](int64_t r, const Step& step, Exponents) {
          met[r] = true;
          if (!seen.insert(&step).second) return absl::OkStatus();
          int c = rows.classOf(r);
          for (const auto& [e, lane] : step.lanes) {
            Polynomial rest;
            int column = -1;
            for (const auto& [monomial, k] : lane) {
              bool witness = monomial.size() == 1 && rows.isWitness(monomial[0].column);
              if (witness && column < 0 && k == 1 && !monomial[0].before) {
                column = monomial[0].column;
              } else {
                rest[monomial] = -k;
              }
            }
            MaybeInterval shift = ranges_.polynomial(t, c, rest);
            if (column >= 0 && !shift && !all) {
              bounds_all = false;
              continue;
            }
            if (column < 0 || !shift) {
              return ranges_.refused(t, c, fold->stringAttr("name"),
                                     "its lanes are not a witness cell each, and fixed ones");
            }
            bounded.try_emplace({t, c, column}, cells + *shift);
          }
          return absl::OkStatus();
        }));
      }
      const std::vector<bool> whole = wholeClasses(t, met);
      for (const auto& [cell, range] : bounded) {
        if (!whole[cell[1]]) continue;
        ranges_.narrow(t, cell[1], cell[2], range);
        looked_up_.push_back(cell);
      }
    }
  }
  return bounds_all;
}

}  // namespace lindero::passes
