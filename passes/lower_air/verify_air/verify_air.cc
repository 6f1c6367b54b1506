#include "passes/lower_air/verify_air/verify_air.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "ir/air/analysis.h"

namespace lindero::passes {
namespace {

class VerifyAir : public Pass {
 public:
  llvm::StringRef name() const override { return "verify-air"; }
  llvm::StringRef summary() const override {
    return "Check the degree and phase rules of a circuit";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* circuit = module.findFunction("circuit");
    if (!circuit)
      return absl::InvalidArgumentError("verify-air: the module has no function @circuit");
    analysis_ = ir::air::Analysis();
    bus_phase_.clear();
    for (ir::Op& op : circuit->body().ops()) {
      if (op.is("air.bus")) bus_phase_[op.stringAttr("name")] = op.intAttr("phase");
    }
    for (ir::Op& op : circuit->body().ops()) {
      if (!op.is("air.table")) continue;
      table_ = op.stringAttr("name");
      for (ir::Op& inner : op.block()->ops()) {
        if (absl::Status s = visit(inner); !s.ok()) return s;
      }
      if (absl::Status s = checkGathers(op); !s.ok()) return s;
    }
    return false;
  }

 private:
  absl::Status broken(const char* rule, const ir::Op& op, const std::string& why) const {
    std::string name = op.has("name") ? op.stringAttr("name") : op.name().str();
    return absl::FailedPreconditionError(
        absl::StrCat("verify-air: ", rule, " rule: ", table_, ".", name, " ", why));
  }

  absl::Status visit(ir::Op& op) {
    const int highest = ir::air::constraintDegree(op, analysis_);
    if (highest > ir::air::kMaxDegree)
      return broken("degree", op, absl::StrCat("has degree ", highest));
    if (absl::Status s = checkChallenges(op); !s.ok()) return s;
    if (op.is("air.term") || op.is("air.fraction")) return checkTerm(op);
    if (op.is("air.lookup") || op.is("air.provide")) return checkTuple(op);
    return absl::OkStatus();
  }

  // What is committed in phase k reads no challenge that is drawn later, and no constraint equates
  // a gathered value under a challenge that was known when it was committed.
  absl::Status checkChallenges(ir::Op& op) {
    for (ir::Value* v : op.operands()) {
      const ir::air::ExpressionFacts& f = analysis_.facts(v);
      if (op.has("phase") && f.latest_challenge >= op.intAttr("phase")) {
        return broken("phase", op,
                      absl::StrCat("of phase ", op.intAttr("phase"),
                                   " reads a challenge drawn after phase ", f.latest_challenge));
      }
      if (op.is("air.constrain") && f.gathered > f.earliest_challenge) {
        return broken("phase", op,
                      absl::StrCat("reads a column gathered in phase ", f.gathered,
                                   " and a challenge drawn after phase ", f.earliest_challenge));
      }
    }
    return absl::OkStatus();
  }

  absl::Status checkTerm(ir::Op& op) {
    int64_t phase = op.intAttr("phase");
    for (ir::Value* v : op.operands()) {
      if (analysis_.facts(v).phase > phase) {
        return broken("phase", op,
                      absl::StrCat("of phase ", phase, " reads a column of phase ",
                                   analysis_.facts(v).phase));
      }
    }
    return absl::OkStatus();
  }

  absl::Status checkTuple(ir::Op& op) {
    int64_t phase = bus_phase_[op.symbolAttr("bus")];
    for (ir::Value* v : op.operands()) {
      if (analysis_.facts(v).phase > phase) {
        return broken("phase", op,
                      absl::StrCat("reads a column of phase ", analysis_.facts(v).phase,
                                   " on a bus of phase ", phase));
      }
    }
    return absl::OkStatus();
  }

  // A gathered column must be bound by the table's terms of the next phase.
  absl::Status checkGathers(ir::Op& table) {
    for (ir::Op& op : table.block()->ops()) {
      if (!op.is("air.gather")) continue;
      int64_t phase = op.intAttr("phase");
      bool bound = false;
      for (ir::Op& term : table.block()->ops()) {
        if (!term.is("air.term") && !term.is("air.fraction")) continue;
        if (term.intAttr("phase") != phase + 1 || !reads(term.operand(0), op.result())) continue;
        int earliest = analysis_.facts(term.operand(1)).earliest_challenge;
        bound |= earliest >= phase && earliest != ir::air::ExpressionFacts::kNone;
      }
      if (!bound) {
        return broken("phase", op,
                      absl::StrCat("is gathered in phase ", phase,
                                   " and bound by no term of the next phase"));
      }
    }
    return absl::OkStatus();
  }

  static bool reads(ir::Value* expression, ir::Value* column) {
    llvm::SmallVector<ir::Value*, 16> stack{expression};
    llvm::DenseMap<ir::Value*, bool> seen;
    while (!stack.empty()) {
      ir::Value* v = stack.pop_back_val();
      if (v == column) return true;
      if (!seen.try_emplace(v, true).second || ir::air::isColumn(*v->definingOp())) continue;
      for (ir::Value* operand : v->definingOp()->operands()) stack.push_back(operand);
    }
    return false;
  }

  ir::air::Analysis analysis_;
  std::map<std::string, int64_t> bus_phase_;
  std::string table_;
};

}  // namespace

std::unique_ptr<Pass> createVerifyAir() { return std::make_unique<VerifyAir>(); }

absl::Status registerVerifyAir() { return registerPass(createVerifyAir); }

}  // namespace lindero::passes
