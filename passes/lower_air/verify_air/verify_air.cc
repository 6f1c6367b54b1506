#include "passes/lower_air/verify_air/verify_air.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "ir/air/analysis.h"
#include "ir/air/points.h"
#include "ir/core/status_macros.h"
#include "ir/core/text.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"
#include "passes/lower_air/verify_air/rules.h"

namespace lindero::passes {
namespace {

// Names the circuit, so that nobody can write one for points that he knows.
std::string digestOf(const ir::Module& module) {
  const std::string text = ir::toText(module, {.locations = false, .digests = false});
  const auto digest = llvm::SHA256::hash(llvm::arrayRefFromStringRef(text));
  return std::string(digest.begin(), digest.end());
}

class VerifyAir : public Pass {
 public:
  llvm::StringRef name() const override { return "verify-air"; }
  llvm::StringRef summary() const override {
    return "Check the degree, phase and late-cell rules of a circuit";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* circuit = module.findFunction("circuit");
    if (!circuit) return absl::InvalidArgumentError("the module has no function @circuit");
    IR_RETURN_IF_ERROR(refuseArguments(*circuit));
    analysis_ = ir::air::Analysis();
    total_degrees_ = ir::air::TotalDegrees();
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
    }
    IR_RETURN_IF_ERROR(checkLateCells(*circuit, digestOf(module)));
    return false;
  }

 private:
  // Values of which nothing says what they are.
  static absl::Status refuseArguments(ir::Function& circuit) {
    bool any = !circuit.body().arguments().empty();
    for (ir::Op& op : circuit.body().ops()) any |= op.block() && !op.block()->arguments().empty();
    if (!any) return absl::OkStatus();
    return absl::FailedPreconditionError("@circuit or a table of it has arguments");
  }

  absl::Status broken(const char* rule, const ir::Op& op, const std::string& why) const {
    std::string name = op.has("name") ? op.stringAttr("name") : op.name().str();
    return absl::FailedPreconditionError(
        absl::StrCat(rule, " rule: ", table_, ".", name, " ", why));
  }

  absl::Status visit(ir::Op& op) {
    const int highest = ir::air::constraintDegree(op, analysis_);
    if (highest > ir::air::kMaxDegree)
      return broken("degree", op, absl::StrCat("has degree ", highest));
    if (isRead(op) && total_degrees_.ofOp(op).isTooHigh()) {
      return broken("degree", op,
                    absl::StrCat("has a degree of more than ", ir::air::kMaxTotalDegree,
                                 " in all that it reads, challenges included"));
    }
    if (absl::Status s = checkChallenges(op); !s.ok()) return s;
    if (op.is("air.term") || op.is("air.fraction")) return checkTerm(op);
    if (op.is("air.lookup") || op.is("air.provide")) return checkTuple(op);
    return absl::OkStatus();
  }

  // Not arithmetic, of which something else is made.
  static bool isRead(const ir::Op& op) {
    return ir::air::isColumn(op) || op.is("air.constrain") || op.is("air.term") ||
           op.is("air.lookup") || op.is("air.provide");
  }

  // What is committed in phase k reads no challenge that is drawn later.
  absl::Status checkChallenges(ir::Op& op) {
    for (ir::Value* v : op.operands()) {
      const ir::air::ExpressionFacts& f = analysis_.facts(v);
      if (op.has("phase") && f.latest_challenge >= op.intAttr("phase")) {
        return broken("phase", op,
                      absl::StrCat("of phase ", op.intAttr("phase"),
                                   " reads a challenge drawn after phase ", f.latest_challenge));
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

  ir::air::Analysis analysis_;
  ir::air::TotalDegrees total_degrees_;
  std::map<std::string, int64_t> bus_phase_;
  std::string table_;
};

}  // namespace

std::unique_ptr<Pass> createVerifyAir() { return std::make_unique<VerifyAir>(); }

absl::Status registerVerifyAir() { return registerPass(createVerifyAir); }

}  // namespace lindero::passes
