#include "passes/lower_air/verify_air/rules.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "ir/air/analysis.h"
#include "ir/core/status_macros.h"
#include "passes/lower_air/verify_air/circuit_facts.h"
#include "passes/lower_air/verify_air/identities.h"

namespace lindero::passes {
namespace {

using ir::air::Variable;

int64_t phaseOf(const ir::Value* column) { return column->definingOp()->intAttr("phase"); }
int64_t drawnAfter(const ir::Value* challenge) { return challenge->definingOp()->intAttr("after"); }

std::string nameOf(const ir::Op& op) {
  return op.has("name") ? op.stringAttr("name") : op.name().str();
}
std::string nameOf(const ir::Value* v) { return nameOf(*v->definingOp()); }

bool isFraction(const ir::Op& op) { return op.is("air.term") || op.is("air.fraction"); }

// How a gathered column is bound.
struct Binding {
  const CircuitTable* table = nullptr;
  const ir::Value* column = nullptr;
  const SingleFraction* fraction = nullptr;
  const ir::Value* challenge = nullptr;
  const ir::Value* selector = nullptr;  // null: 1
};

class Rules {
 public:
  Rules(ir::Function& circuit, const std::string& seed) : facts_(circuit), identities_(seed) {}

  absl::Status check() {
    if (const ir::Op* op = facts_.crowded()) {
      return absl::FailedPreconditionError(absl::StrCat(nameOf(*op->parent()->parentOp()), ".",
                                                        nameOf(*op), ": it sums more than ",
                                                        CircuitFacts::kMaxFractions, " fractions"));
    }
    IR_RETURN_IF_ERROR(forFractions(&Rules::checkDenominator));
    IR_RETURN_IF_ERROR(forGathers(&Rules::checkReaders));
    IR_RETURN_IF_ERROR(forGathers(&Rules::bind));
    for (const Binding& b : bindings_) IR_RETURN_IF_ERROR(checkUnbound(b));
    IR_RETURN_IF_ERROR(forFractions(&Rules::checkChallenges));
    for (const CircuitTable& table : facts_.tables()) {
      for (const ir::Op* op : table.columns) {
        if (op->is("air.fraction") && op->boolAttr("running")) {
          IR_RETURN_IF_ERROR(checkRunning(table, *op));
        }
      }
    }
    for (const CircuitTable& table : facts_.tables()) {
      for (const ir::Op& op : table.op->block()->ops()) {
        const bool sums = op.is("air.term") || (op.is("air.fraction") && op.boolAttr("running"));
        if (sums && facts_.isLinkedGroup(op.symbolAttr("group")))
          IR_RETURN_IF_ERROR(checkCrossing(table, op));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status forFractions(absl::Status (Rules::*rule)(const CircuitTable&,
                                                        const SingleFraction&)) {
    for (const CircuitTable& table : facts_.tables()) {
      for (const SingleFraction& f : table.fractions) {
        IR_RETURN_IF_ERROR((this->*rule)(table, f));
      }
    }
    return absl::OkStatus();
  }

  absl::Status forGathers(absl::Status (Rules::*rule)(const CircuitTable&, const ir::Op&)) {
    for (const CircuitTable& table : facts_.tables()) {
      for (const ir::Op* op : table.columns) {
        if (op->is("air.gather")) IR_RETURN_IF_ERROR((this->*rule)(table, *op));
      }
    }
    return absl::OkStatus();
  }

  static absl::Status broken(const CircuitTable& table, const ir::Op& op, const char* rule,
                             const std::string& why) {
    return absl::FailedPreconditionError(
        absl::StrCat(table.name(), ".", nameOf(op), ": ", rule, ": ", why));
  }

  // R1.
  absl::Status checkDenominator(const CircuitTable& table, const SingleFraction& f) {
    for (const ir::Value* factor : ir::air::factorsOf(f.den)) {
      const Reads& reads = facts_.reads(factor);
      if (reads.challenges.empty() && readsFixedAlone(reads)) {
        if (!reads.columns.empty() || !isZeroOnARow(table, factor)) continue;
        return broken(table, *f.op, "R1", "its denominator is zero");
      }
      std::vector<const ir::Value*> late;
      for (const ir::Value* c : reads.challenges) {
        if (isLate(c, reads)) late.push_back(c);
      }
      if (!hasConstantTop(factor, late)) {
        return broken(table, *f.op, "R1",
                      "a factor of its denominator can be zero: it has no power of a challenge "
                      "drawn after all that it reads whose coefficient is a number other than 0");
      }
    }
    return absl::OkStatus();
  }

  // Of a factor over selectors and constants.
  bool isZeroOnARow(const CircuitTable& table, const ir::Value* factor) {
    const int64_t last = (int64_t{1} << table.op->intAttr("log_height")) - 1;
    const ir::Block* block = table.op->block();
    // The first row, the second, which is another one's like, and the last.
    return llvm::any_of(std::array{int64_t{0}, std::min<int64_t>(1, last), last}, [&](int64_t row) {
      return identities_.isZero(
          factor, {{Variable::first(block), row == 0}, {Variable::last(block), row == last}});
    });
  }

  // In one of these challenges, or two.
  bool hasConstantTop(const ir::Value* factor, const std::vector<const ir::Value*>& late) {
    for (const ir::Value* c : late) {
      if (identities_.hasConstantTop(factor, {c})) return true;
    }
    for (size_t i = 0; i < late.size(); ++i) {
      for (size_t j = i + 1; j < late.size(); ++j) {
        if (identities_.hasConstantTop(factor, {late[i], late[j]})) return true;
      }
    }
    return false;
  }

  static bool readsFixedAlone(const Reads& reads) {
    return llvm::all_of(reads.columns, [](const ir::Value* v) { return phaseOf(v) == 0; });
  }

  // Drawn after every column that is read is committed.
  static bool isLate(const ir::Value* challenge, const Reads& reads) {
    return llvm::all_of(reads.columns,
                        [&](const ir::Value* v) { return phaseOf(v) <= drawnAfter(challenge); });
  }

  static bool readsOtherRow(const Reads& reads, const ir::Value* column) {
    return reads.variables.count(Variable::column(column, -1)) ||
           reads.variables.count(Variable::column(column, 1));
  }

  // R2.
  absl::Status checkReaders(const CircuitTable& table, const ir::Op& gather) {
    const ir::Value* y = gather.result();
    auto no = [&](const std::string& why) { return broken(table, gather, "R2", why); };
    if (facts_.isSource(gather)) return no("it is gathered, and a source of a gather");
    for (const auto& [op, operand] : table.uses) {
      const Reads& reads = facts_.reads(op->operand(operand));
      if (!reads.column(y)) continue;
      if (readsOtherRow(reads, y)) return no(absl::StrCat(nameOf(*op), " reads it at another row"));
      if (op->is("air.constrain")) {
        if (!zeroedBy(*op, y).empty()) continue;
        return no(absl::StrCat("the constraint \"", nameOf(*op), "\" reads it"));
      }
      if (!isFraction(*op)) {
        return no(absl::StrCat(nameOf(*op), " reads it, and is no fraction"));
      }
      if (operand == 2) return no(absl::StrCat(nameOf(*op), " adds it"));
    }
    for (const SingleFraction& f : table.fractions) {
      if (!facts_.reads(f.den).column(y)) continue;
      return no(absl::StrCat("it stands in a denominator of ", nameOf(*f.op)));
    }
    return absl::OkStatus();
  }

  // The fixed columns s for which the constraint is y - s y, up to sign.
  std::vector<const ir::Value*> zeroedBy(const ir::Op& constraint, const ir::Value* y) {
    std::vector<const ir::Value*> out;
    const ir::Value* zero = constraint.operand(0);
    for (const ir::Value* s : facts_.reads(zero).columns) {
      if (phaseOf(s) == 0 && identities_.isOffBy(zero, y, s)) out.push_back(s);
    }
    return out;
  }

  // R3: finds the one fraction that binds the column.
  absl::Status bind(const CircuitTable& table, const ir::Op& gather) {
    Binding b{.table = &table, .column = gather.result()};
    const int64_t phase = gather.intAttr("phase");
    int count = 0;
    for (const SingleFraction& f : table.fractions) {
      if (!facts_.reads(f.num).column(b.column)) continue;
      const bool binds = llvm::any_of(facts_.reads(f.den).challenges,
                                      [&](const ir::Value* c) { return drawnAfter(c) >= phase; });
      if (binds && ++count == 1) b.fraction = &f;
    }
    if (count != 1) {
      return broken(table, gather, "R3",
                    absl::StrCat("it is bound by ", count,
                                 " fractions under challenges drawn after it, and not by one"));
    }
    b.challenge = poleChallenge(b.fraction->den);
    const std::string name = nameOf(*b.fraction->op);
    auto no = [&](const std::string& why) { return broken(table, gather, "R3", name + why); };
    if (!b.challenge || drawnAfter(b.challenge) < phase) {
      return no(" binds it, and its denominator is no challenge less what is fixed");
    }
    IR_RETURN_IF_ERROR(readNumerator(b, gather));
    IR_RETURN_IF_ERROR(checkGroup(b, gather));
    IR_RETURN_IF_ERROR(checkChallenge(b.challenge));
    bindings_.push_back(b);
    bound_.insert(b.column);
    return absl::OkStatus();
  }

  // c, if the denominator is c - a or a - c with a over fixed columns; else null.
  const ir::Value* poleChallenge(const ir::Value* den) {
    const Reads& reads = facts_.reads(den);
    if (reads.challenges.size() != 1 || reads.selectors || !readsFixedAlone(reads)) return nullptr;
    const ir::Value* c = reads.challenges[0];
    return identities_.hasCoefficientOne(den, Variable::challenge(c), /*either_sign=*/true)
               ? c
               : nullptr;
  }

  absl::Status readNumerator(Binding& b, const ir::Op& gather) {
    const ir::Value* num = b.fraction->num;
    const Reads& reads = facts_.reads(num);
    const std::string name = nameOf(*b.fraction->op);
    auto no = [&](const std::string& why) { return broken(*b.table, gather, "R3", name + why); };
    bool found = identities_.hasCoefficient(num, b.column, nullptr);
    for (const ir::Value* s : reads.columns) {
      if (found || phaseOf(s) != 0) continue;
      found = identities_.hasCoefficient(num, b.column, s);
      if (found) b.selector = s;
    }
    if (!found) return no(" binds it, but not times one fixed column");
    for (const ir::Value* column : reads.columns) {
      if (column != b.column && facts_.dependsOnGathered(column)) {
        return no(absl::StrCat(" binds it together with ", nameOf(column),
                               ", which is gathered or depends on what is"));
      }
      if (facts_.dependsOn(column, b.challenge)) {
        return no(absl::StrCat(" binds it together with ", nameOf(column),
                               ", which depends on the challenge ", nameOf(b.challenge)));
      }
    }
    return absl::OkStatus();
  }

  // The running column or term in whose sum the fraction stands.
  absl::Status checkGroup(const Binding& b, const ir::Op& gather) {
    const ir::Op* sum = sumOf(*b.table, *b.fraction->op);
    const std::string name = nameOf(*b.fraction->op);
    if (!sum) {
      return broken(*b.table, gather, "R3",
                    name + " binds it, and is not read by one sum alone, added once");
    }
    const std::string& group = sum->symbolAttr("group");
    if (!facts_.isOpenGroup(group)) return absl::OkStatus();
    return broken(*b.table, gather, "R3",
                  absl::StrCat(name, " binds it in the sum ", group,
                               ", which is linked or has a public tensor"));
  }

  // Null: what reads the column is not just the `add` of one running column, with coefficient 1.
  const ir::Op* sumOf(const CircuitTable& table, const ir::Op& op) {
    if (op.is("air.term") || op.boolAttr("running")) return &op;
    const ir::Value* column = op.result();
    const ir::Op* sum = nullptr;
    if (facts_.isSource(op)) return nullptr;
    for (const auto& [user, operand] : table.uses) {
      const ir::Value* value = user->operand(operand);
      const Reads& reads = facts_.reads(value);
      if (!reads.column(column)) continue;
      if (sum || !user->is("air.fraction") || operand != 2 || readsOtherRow(reads, column) ||
          !identities_.hasCoefficientOne(value, Variable::column(column), /*either_sign=*/false)) {
        return nullptr;
      }
      sum = user;
    }
    return sum;
  }

  // A challenge that binds stands in poles alone, in all tables.
  absl::Status checkChallenge(const ir::Value* c) {
    if (!checked_.insert(c).second) return absl::OkStatus();
    const std::string why = absl::StrCat("it reads the challenge ", nameOf(c),
                                         ", which binds gathered columns, and is no denominator "
                                         "that is this challenge less what is fixed");
    for (const CircuitTable& table : facts_.tables()) {
      for (const auto& [op, operand] : table.uses) {
        if (isFraction(*op) && operand < 2) continue;
        if (facts_.reads(op->operand(operand)).challenge(c)) return broken(table, *op, "R3", why);
      }
      for (const SingleFraction& f : table.fractions) {
        const bool divides = facts_.reads(f.den).challenge(c);
        if (facts_.reads(f.num).challenge(c) || (divides && poleChallenge(f.den) != c)) {
          return broken(table, *f.op, "R3", why);
        }
        if (divides && !sumOf(table, *f.op)) {
          return broken(table, *f.op, "R3", "it binds, and is not read by one sum alone");
        }
      }
      if (facts_.isPublicChallenge(c)) {
        return broken(table, *c->definingOp(), "R3", "it binds, and names public elements");
      }
    }
    return absl::OkStatus();
  }

  // R4.
  absl::Status checkUnbound(const Binding& b) {
    if (!b.selector) return absl::OkStatus();
    for (const ir::Op* constraint : b.table->constraints) {
      if (!facts_.reads(constraint->operand(0)).column(b.column)) continue;
      if (llvm::is_contained(zeroedBy(*constraint, b.column), b.selector)) return absl::OkStatus();
    }
    for (const SingleFraction& f : b.table->fractions) {
      if (&f == b.fraction || !facts_.reads(f.num).column(b.column)) continue;
      if (identities_.isFreeOf(f.num, b.column, b.selector)) continue;
      return broken(*b.table, *b.column->definingOp(), "R4",
                    absl::StrCat(nameOf(*f.op), " depends on it where ", nameOf(b.selector),
                                 ", with which it is bound, is zero, and no constraint says that "
                                 "it is zero there"));
    }
    return absl::OkStatus();
  }

  // R5.
  absl::Status checkChallenges(const CircuitTable& table, const SingleFraction& f) {
    auto no = [&](const ir::Value* c, const ir::Value* column, const char* how) {
      return broken(table, *f.op, "R5",
                    absl::StrCat("the challenge ", nameOf(c),
                                 " of its denominator is drawn before ", nameOf(column), how));
    };
    for (const ir::Value* factor : ir::air::factorsOf(f.den)) {
      const Reads& reads = facts_.reads(factor);
      for (const ir::Value* c : reads.challenges) {
        for (const ir::Value* column : reads.columns) {
          if (phaseOf(column) > drawnAfter(c)) return no(c, column, " there is committed");
        }
        for (const ir::Value* column : facts_.reads(f.num).columns) {
          if (facts_.determined(column, bound_) > drawnAfter(c)) {
            return no(c, column, " of its numerator is determined");
          }
        }
      }
    }
    return absl::OkStatus();
  }

  // R6.
  absl::Status checkRunning(const CircuitTable& table, const ir::Op& running) {
    if (facts_.isSource(running)) {
      return broken(table, running, "R6", "it is a running sum, and a source of a gather");
    }
    for (const auto& [op, operand] : table.uses) {
      if (!facts_.reads(op->operand(operand)).column(running.result())) continue;
      return broken(table, running, "R6",
                    absl::StrCat("it is a running sum, and ", nameOf(*op), " reads it"));
    }
    return absl::OkStatus();
  }

  // R7.
  absl::Status checkCrossing(const CircuitTable& table, const ir::Op& sum) {
    std::vector<const ir::Op*> parts = {&sum};
    if (sum.is("air.fraction") && sum.numOperands() > 2) {
      for (const ir::Value* column : facts_.reads(sum.operand(2)).columns)
        if (phaseOf(column) > 1) parts.push_back(column->definingOp());
    }
    for (const ir::Op* part : parts) {
      bool committed = part->is("air.term") || part->is("air.fraction");
      for (unsigned i = 0; committed && i < 2; ++i) {
        committed = llvm::all_of(facts_.reads(part->operand(i)).columns,
                                 [](const ir::Value* column) { return phaseOf(column) < 2; });
      }
      if (committed) continue;
      return broken(table, sum, "R7",
                    absl::StrCat("its sum is linked, and ", nameOf(*part),
                                 " is no fraction of columns that are committed before all "
                                 "challenges"));
    }
    return absl::OkStatus();
  }

  CircuitFacts facts_;
  Identities identities_;
  std::vector<Binding> bindings_;
  std::set<const ir::Value*> bound_;    // gathered columns
  std::set<const ir::Value*> checked_;  // challenges that bind
};

}  // namespace

absl::Status checkLateCells(ir::Function& circuit, const std::string& seed) {
  return Rules(circuit, seed).check();
}

}  // namespace lindero::passes
