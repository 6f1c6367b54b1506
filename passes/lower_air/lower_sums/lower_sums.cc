#include "passes/lower_air/lower_sums/lower_sums.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "ir/air/analysis.h"
#include "llvm/ADT/MapVector.h"

namespace lindero::passes {
namespace {

using ir::air::kMaxDegree;

// The group that lookups enter; terms may, too, and then share columns with them.
constexpr const char* kLookups = "lookups";

// In the order in which one prevails where fractions of two kinds share a column.
enum Kind { kLocal, kContinuity, kBoundary };

Kind kindOf(const ir::Op& term) {
  if (!term.has("kind") || term.stringAttr("kind") == "local") return kLocal;
  return term.stringAttr("kind") == "boundary" ? kBoundary : kContinuity;
}

struct Fraction {
  ir::Value* numerator;
  ir::Value* denominator;
  Kind kind = kLocal;
};

struct Sum {
  int64_t phase;
  std::vector<Fraction> fractions;
};

class TableSums {
 public:
  TableSums(ir::Op* table, ir::air::Analysis& analysis)
      : body_(table->block()), analysis_(analysis) {}

  ir::Value* binary(const char* op, ir::Value* a, ir::Value* b) {
    return body_.value(op, {a, b}, ir::Type::ext());
  }

  // The group's fractions, pairwise where they share a column.
  void lower(const std::string& group, const Sum& sum) {
    std::vector<Fraction> columns;
    for (size_t i = 0; i < sum.fractions.size(); ++i) {
      columns.push_back(sum.fractions[i]);
      if (i + 1 == sum.fractions.size() || !shareColumn(degrees(i, sum), degrees(i + 1, sum)))
        continue;
      columns.back() = pair(columns.back(), sum.fractions[++i]);
    }
    ir::Value* others = nullptr;
    for (size_t i = 0; i < columns.size(); ++i) {
      bool running = i + 1 == columns.size();
      std::vector<ir::Value*> operands{columns[i].numerator, columns[i].denominator};
      if (running && others) operands.push_back(others);
      std::string name = running ? absl::StrCat(group, ".sum") : absl::StrCat(group, ".", i);
      ir::Op* op = body_.create("air.fraction", operands, {ir::Type::ext()},
                                {{"name", name}, {"phase", sum.phase}, {"running", running}});
      op->result()->setName(name);
      if (running) op->set("group", ir::Symbol{group});
      if (columns[i].kind == kContinuity) op->set("kind", std::string("continuity"));
      if (columns[i].kind == kBoundary) op->set("kind", std::string("boundary"));
      others = others ? binary("air.add", others, op->result()) : op->result();
    }
  }

 private:
  FractionDegrees degrees(size_t i, const Sum& sum) {
    const Fraction& f = sum.fractions[i];
    return {analysis_.degree(f.numerator), analysis_.degree(f.denominator)};
  }

  Fraction pair(const Fraction& a, const Fraction& b) {
    ir::Value* left = binary("air.mul", a.numerator, b.denominator);
    ir::Value* right = binary("air.mul", b.numerator, a.denominator);
    return {binary("air.add", left, right), binary("air.mul", a.denominator, b.denominator),
            std::max(a.kind, b.kind)};
  }

  ir::Builder body_;
  ir::air::Analysis& analysis_;
};

class LowerSums : public Pass {
 public:
  llvm::StringRef name() const override { return "lower-sums"; }
  llvm::StringRef summary() const override {
    return "Turn terms and lookups into columns of fractions";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* circuit = module.findFunction("circuit");
    if (!circuit) return absl::InvalidArgumentError("the module has no function @circuit");
    first_table_ = nullptr;
    powers_.clear();
    buses_.clear();
    analysis_ = ir::air::Analysis();
    std::vector<ir::Op*> tables;
    bool has_lookups = false, has_group = false;
    for (ir::Op& op : circuit->body().ops()) {
      has_group |= op.is("air.group") && op.stringAttr("name") == kLookups;
      if (op.is("air.bus")) {
        buses_[op.stringAttr("name")] = {static_cast<int64_t>(buses_.size()) + 1,
                                         op.intAttr("phase")};
      }
      if (op.is("air.table")) tables.push_back(&op);
    }
    if (tables.empty() || llvm::any_of(tables, isLowered)) return false;
    first_table_ = tables.front();
    for (ir::Op* table : tables) has_lookups |= lowerTable(table);
    if (has_lookups && !has_group) {
      outer().create("air.group", {}, {}, {{"name", std::string(kLookups)}});
    }
    return true;
  }

 private:
  struct Bus {
    int64_t id;
    int64_t phase;
  };

  static bool isLowered(ir::Op* table) {
    return llvm::any_of(table->block()->ops(),
                        [](const ir::Op& op) { return op.is("air.fraction"); });
  }

  ir::Builder outer() { return ir::Builder::before(first_table_); }

  // alpha^k (k >= 1), or z for k = 0, of the buses whose challenges are drawn after `phase`.
  ir::Value* challenge(int64_t phase, int64_t k) {
    ir::Value*& made = powers_[{phase, k}];
    if (made) return made;
    if (k <= 1) {
      std::string name = absl::StrCat(k == 0 ? "tuple_point" : "alpha", phase > 1 ? "_late" : "");
      made =
          outer().value("air.challenge", {}, ir::Type::ext(), {{"name", name}, {"after", phase}});
      made->setName(name);
    } else {
      ir::Value* lower = challenge(phase, k - 1);
      made = outer().value("air.mul", {lower, challenge(phase, 1)}, ir::Type::ext());
    }
    return made;
  }

  Fraction tuple(TableSums& sums, ir::Op& op, ir::Builder& body) {
    const Bus& bus = buses_.at(op.symbolAttr("bus"));
    int64_t after = std::max<int64_t>(bus.phase, 1);
    ir::Value* id = body.value("air.constant", {}, ir::Type::base(), {{"value", bus.id}});
    ir::Value* denominator = sums.binary("air.sub", challenge(after, 0), id);
    for (unsigned i = 1; i < op.numOperands(); ++i) {
      const ir::Op* element = op.operand(i)->definingOp();
      if (element->is("air.constant") && element->intAttr("value") == 0) continue;
      denominator = sums.binary("air.sub", denominator,
                                sums.binary("air.mul", op.operand(i), challenge(after, i)));
    }
    ir::Value* count = op.operand(0);
    if (op.is("air.provide")) count = body.value("air.neg", {count}, ir::Type::base());
    return {count, denominator};
  }

  bool lowerTable(ir::Op* table) {
    TableSums sums(table, analysis_);
    ir::Builder body(table->block());
    llvm::MapVector<std::string, Sum, std::map<std::string, unsigned>> groups;
    std::vector<ir::Op*> ops, terms;
    for (ir::Op& op : table->block()->ops()) ops.push_back(&op);
    bool has_lookups = false;
    for (ir::Op* op : ops) {
      if (op->is("air.term")) {
        Sum& sum = groups[op->symbolAttr("group")];
        sum.phase = op->intAttr("phase");
        sum.fractions.push_back({op->operand(0), op->operand(1), kindOf(*op)});
        terms.push_back(op);
      } else if (op->is("air.lookup") || op->is("air.provide")) {
        Sum& sum = groups[kLookups];
        sum.phase = 3;
        sum.fractions.push_back(tuple(sums, *op, body));
        has_lookups = true;
      }
    }
    // Phase 2 before phase 3, for a column may read earlier columns only.
    for (int64_t phase : {2, 3}) {
      for (auto& [group, sum] : groups) {
        if (sum.phase == phase) sums.lower(group, sum);
      }
    }
    for (ir::Op* term : terms) term->erase();
    return has_lookups;
  }

  ir::Op* first_table_ = nullptr;
  ir::air::Analysis analysis_;
  std::map<std::string, Bus> buses_;
  std::map<std::pair<int64_t, int64_t>, ir::Value*> powers_;
};

}  // namespace

bool shareColumn(FractionDegrees a, FractionDegrees b) {
  return 1 + a.denominator + b.denominator <= kMaxDegree &&
         a.numerator + b.denominator <= kMaxDegree && b.numerator + a.denominator <= kMaxDegree;
}

int64_t fractionColumns(llvm::ArrayRef<FractionDegrees> fractions) {
  int64_t columns = 0;
  for (size_t i = 0; i < fractions.size(); ++i, ++columns) {
    if (i + 1 < fractions.size() && shareColumn(fractions[i], fractions[i + 1])) ++i;
  }
  return columns;
}

std::unique_ptr<Pass> createLowerSums() { return std::make_unique<LowerSums>(); }

absl::Status registerLowerSums() { return registerPass(createLowerSums); }

}  // namespace lindero::passes
