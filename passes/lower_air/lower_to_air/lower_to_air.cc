#include "passes/lower_air/lower_to_air/lower_to_air.h"

#include "absl/strings/str_cat.h"
#include "llvm/Support/MathExtras.h"
#include "passes/lower_air/lower_to_air/layout.h"
#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

// Stacks items in one table, or in several of falling height.
template <typename T>
std::vector<Stack<T>> pack(const Plan& plan, std::deque<T>& items, const std::string& name,
                           const TableShape& shape) {
  std::vector<int64_t> rows;
  for (const T& item : items) rows.push_back(rowsOf(plan, item));
  std::vector<Stack<T>> stacks;
  for (const auto& table : packRows(rows, shape, plan.column_cost)) {
    Stack<T> stack;
    stack.name = stacks.empty() ? name : absl::StrCat(name, "_", stacks.size());
    for (size_t i : table) {
      stack.entries.push_back({&items[i], stack.rows, rows[i]});
      stack.rows += rows[i];
    }
    stacks.push_back(std::move(stack));
  }
  return stacks;
}

class LowerToAir : public Pass {
 public:
  explicit LowerToAir(LowerToAirOptions options) : options_(options) {}
  llvm::StringRef name() const override { return "lower-to-air"; }
  llvm::StringRef summary() const override {
    return "Turn the integer program into tables, constraints, lookups and a trace program";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* main = module.findFunction("main");
    if (!main) return absl::InvalidArgumentError("lower-to-air: the module has no function @main");
    if (module.findFunction("circuit")) {
      return absl::InvalidArgumentError("lower-to-air: the module has a function @circuit already");
    }
    if (absl::Status s = constantsKnown(*main); !s.ok()) return s;
    absl::StatusOr<Plan> plan = makePlan(*main, options_);
    if (!plan.ok()) return plan.status();
    CircuitBuilder circuit(module.addFunction("circuit"));
    LookupTables tables(module);
    Lowering l{circuit, tables, *plan, module};
    buildTables(l, *plan);
    if (tables.widestRange() > 16) {
      return absl::UnimplementedError(absl::StrCat("lower-to-air: a remainder or quotient of ",
                                                   tables.widestRange(), " bits; at most 16"));
    }
    if (absl::Status s = buildTrace(l, module.addFunction("trace")); !s.ok()) return s;
    return true;
  }

 private:
  // Text names constants by digest only; tables are built from their elements.
  static absl::Status constantsKnown(const ir::Function& main) {
    absl::Status status;
    ir::walk(main.body(), [&](const ir::Op& op) {
      if (!op.is("integer.constant")) return;
      const ir::Constant* constant = main.module()->constants().find(op.symbolAttr("value"));
      if (!constant->declaredOnly()) return;
      status.Update(absl::InvalidArgumentError(absl::StrCat(
          "the elements of @", constant->name,
          " are not known; give the folder that holds them (lindero-opt --constants)")));
    });
    return status;
  }

  template <typename T>
  static void setCopyBases(std::vector<Stack<T>>& stacks, int64_t& base) {
    for (Stack<T>& stack : stacks) {
      stack.copy_base = base;
      for (auto& e : stack.entries) e.item->copy_base = base + e.first_row;
      base += heightOf(stack.rows);
    }
  }

  template <typename T>
  static void addSources(Lowering& l, const std::vector<Stack<T>>& stacks) {
    for (const Stack<T>& stack : stacks) {
      l.source_tables.push_back(stack.name);
      l.source_columns.push_back("fold");
      l.source_bases.push_back(stack.copy_base);
      l.source_rows.push_back(stack.rows);
    }
  }

  static void buildTables(Lowering& l, Plan& plan) {
    if (!plan.embeds.empty()) l.circuit.bus("vocabulary", 2, 2);
    const LaneCounts& lanes = plan.lanes;
    for (Matrix& m : plan.matrices) m.blocks = llvm::divideCeil(m.folded_columns, lanes.weights);
    auto matrices = pack(plan, plan.matrices, "weights", weightShape(lanes.weights));
    auto operands = pack(plan, plan.operands, "operands", operandShape(lanes.rows));
    int64_t base = 0;
    setCopyBases(matrices, base);
    setCopyBases(operands, base);
    addSources(l, matrices);
    addSources(l, operands);
    for (const auto& s : matrices) buildWeights(l, s);
    for (const auto& s : pack(plan, plan.results, "results", resultShape(lanes.rows))) {
      buildResults(l, s);
    }
    for (const auto& s : pack(plan, plan.outputs, "outputs", outputShape(lanes.rows))) {
      buildOutputs(l, s);
    }
    for (const auto& s : pack(plan, plan.embeds, "embeddings", embeddingShape(lanes.features))) {
      buildEmbeds(l, s);
    }
    for (const auto& s : pack(plan, plan.norms, "norms", normShape(lanes.features))) {
      buildNorms(l, s);
    }
    if (!plan.norms.empty()) buildNormStatistics(l, plan);
    for (const auto& s : pack(plan, plan.attends, "softmax", softmaxShape(lanes.keys))) {
      buildAttends(l, s);
    }
    for (const auto& s : operands) buildOperands(l, s);
    for (const auto& s : pack(plan, plan.choices, "argmax", argmaxShape(lanes.entries))) {
      buildChoices(l, s);
    }
    if (plan.steps) buildSteps(l, *plan.steps);
    if (!plan.carried.empty()) publishBlocks(l);
    l.tables.build(l.circuit, plan.column_cost);
    for (const Given& g : plan.givens) publish(l, g.value->type(), g.name, g.out[0], false);
    for (const Export& e : plan.exports) publish(l, e.value->type(), e.name, e.edge, true);
  }

  // What the blocks of a bundle have from one another.
  static void publishBlocks(Lowering& l) {
    const Steps& steps = *l.plan.steps;
    const int64_t blocks = steps.context / steps.rows;
    int64_t low = 0, high = 0;
    for (const Carried& c : l.plan.carried) {
      low = std::min(low, c.all->type().low), high = std::max(high, c.all->type().high);
    }
    l.circuit.carry(low, high, blocks);
    l.circuit.publicTensor({kBlock, false, l.score_tables, 1, 0, blocks - 1, 0, steps.block, 1, 1});
  }

  static void publish(Lowering& l, const ir::Type& type, const std::string& name, const Edge& e,
                      bool output) {
    l.circuit.publicTensor({name, output, e.rows, e.columns, type.low, type.high, type.exponent,
                            e.address, e.tile_rows, e.tile_columns});
  }

  LowerToAirOptions options_;
};

}  // namespace

std::unique_ptr<Pass> createLowerToAir(LowerToAirOptions options) {
  return std::make_unique<LowerToAir>(options);
}

absl::Status registerLowerToAir() {
  return registerPass("lower-to-air", LowerToAir({}).summary(),
                      [](const PassOptions& given) -> absl::StatusOr<std::unique_ptr<Pass>> {
                        LowerToAirOptions options;
                        OptionReader reader("lower-to-air", given);
                        reader.read("lanes", options.lanes);
                        reader.read("widest", options.widest);
                        reader.read("weight-lanes", options.weight_lanes);
                        reader.read("decode", options.decode);
                        if (absl::Status s = reader.finish(); !s.ok()) return s;
                        return createLowerToAir(options);
                      });
}

}  // namespace lindero::passes
