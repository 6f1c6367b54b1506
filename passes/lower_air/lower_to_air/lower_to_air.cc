#include "passes/lower_air/lower_to_air/lower_to_air.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "llvm/Support/MathExtras.h"
#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

// A second table of a kind costs columns, hence proof bytes; it must save this many cells.
constexpr int64_t kWorthATable = 150'000;

int64_t heightOf(int64_t rows) { return std::max<int64_t>(32, llvm::PowerOf2Ceil(rows)); }

// Stacks items in one table, or in several of falling height where padding would waste more than a
// table is worth.
template <typename T, typename Rows>
std::vector<Stack<T>> pack(std::deque<T>& items, const std::string& name, int64_t width,
                           Rows rows) {
  std::vector<std::pair<T*, int64_t>> left;
  for (T& item : items) left.push_back({&item, rows(item)});
  std::vector<Stack<T>> stacks;
  while (!left.empty()) {
    int64_t total = 0;
    for (auto& [item, n] : left) total += n;
    int64_t capacity = heightOf(total), smaller = capacity / 2;
    std::vector<std::pair<T*, int64_t>> first, rest;
    int64_t used = 0;
    for (auto& entry : left) {
      bool fits = used + entry.second <= smaller;
      if (fits) used += entry.second;
      (fits ? first : rest).push_back(entry);
    }
    int64_t saved = capacity - smaller - heightOf(total - used);
    bool split = !first.empty() && saved * width >= kWorthATable;
    Stack<T> stack;
    stack.name = stacks.empty() ? name : absl::StrCat(name, "_", stacks.size());
    for (auto& [item, n] : split ? first : left) {
      stack.entries.push_back({item, stack.rows, n});
      stack.rows += n;
    }
    stacks.push_back(std::move(stack));
    left = split ? std::move(rest) : decltype(left){};
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
    absl::StatusOr<Plan> plan = makePlan(*main, options_.lanes);
    if (!plan.ok()) return plan.status();
    CircuitBuilder circuit(module.addFunction("circuit"));
    LookupTables tables(module);
    Lowering l{circuit, tables, *plan, module};
    buildTables(l, *plan);
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

  int weightLanes(const std::deque<Matrix>& matrices, bool divide) const {
    int64_t weights = 0;
    for (const Matrix& m : matrices) weights += m.rows * m.columns;
    int64_t lanes = options_.weight_lanes;
    if (lanes == 0) lanes = weights < (4 << 20) ? 64 : weights < (32 << 20) ? 128 : 256;
    // The trace program reads single rows of a vocabulary, so these are not padded.
    for (const Matrix& m : matrices) {
      while (divide && m.columns % lanes) lanes /= 2;
    }
    return lanes;
  }

  std::vector<Stack<Matrix>> packMatrices(std::deque<Matrix>& matrices, const char* name, int lanes,
                                          int64_t& base) {
    for (Matrix& m : matrices) m.blocks = (m.folded_columns + lanes - 1) / lanes;
    auto stacks = pack(matrices, name, 16, [](const Matrix& m) { return m.rows * m.blocks; });
    setCopyBases(stacks, base);
    return stacks;
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

  void buildTables(Lowering& l, Plan& plan) {
    l.circuit.group("tensors");
    l.circuit.group("copies");
    if (!plan.embeds.empty()) l.circuit.bus("vocabulary", 2, 2);
    int64_t rows = plan.row_lanes, columns = plan.column_lanes, base = 0, vocabulary_base = 0;
    int lanes = weightLanes(plan.weights, false);
    int vocabulary_lanes = weightLanes(plan.vocabularies, true);
    auto weights = packMatrices(plan.weights, "weights", lanes, base);
    auto vocabularies =
        packMatrices(plan.vocabularies, "vocabulary", vocabulary_lanes, vocabulary_base);
    auto operands = pack(plan.operands, "operands", rows + 20, [](const Operand& o) {
      return o.batch * o.inner * (o.length / o.edges[0].tile_rows);
    });
    setCopyBases(operands, base);
    addSources(l, weights);
    addSources(l, operands);
    for (const auto& s : vocabularies) buildWeights(l, s, vocabulary_lanes, true);
    for (const auto& s : weights) buildWeights(l, s, lanes, false);
    buildResultKinds(l, plan);
    auto tokens = [&](int64_t n, int64_t width) { return n * ((width + columns - 1) / columns); };
    for (const auto& s : pack(plan.embeds, "embeddings", columns + 16,
                              [&](const Embed& e) { return tokens(e.rows, e.width); })) {
      buildEmbeds(l, s);
    }
    for (const auto& s : pack(plan.norms, "norms", 10 * columns + 26,
                              [&](const Norm& n) { return tokens(n.rows, n.width); })) {
      buildNorms(l, s);
    }
    for (const auto& s :
         pack(plan.norms, "norm_statistics", 32, [](const Norm& n) { return n.rows; })) {
      buildNormStatistics(l, s);
    }
    for (const auto& s : pack(plan.attends, "softmax", 9 * columns + 24, [&](const Attend& a) {
           return tokens(a.heads * a.queries, a.keys);
         })) {
      buildAttends(l, s);
    }
    for (const auto& s : operands) buildOperands(l, s);
    for (const auto& s : pack(plan.choices, "argmax", 7 * columns + 14,
                              [&](const Choice& c) { return tokens(c.rows, c.columns); })) {
      buildChoices(l, s);
    }
    l.tables.build(l.circuit);
    for (const Given& g : plan.givens) publish(l, g.value->type(), g.name, g.out[0], false);
    for (const Export& e : plan.exports) publish(l, e.value->type(), e.name, e.edge, true);
  }

  static void buildResultKinds(Lowering& l, Plan& plan) {
    int64_t lanes = plan.row_lanes;
    auto rows = [&](const Result& r) { return r.columns * (r.rows / lanes); };
    auto build = [&](std::deque<Result>& items, const char* name, int64_t width, ResultKind kind) {
      for (const auto& s : pack(items, name, width, rows)) buildResults(l, s, kind);
    };
    build(plan.requantized, "requantize", 6 * lanes + 12, ResultKind::kRequantize);
    build(plan.residual, "residual", 7 * lanes + 16, ResultKind::kResidual);
    build(plan.activated, "activation", 7 * lanes + 12, ResultKind::kActivation);
    build(plan.published, "outputs", lanes + 12, ResultKind::kPublished);
  }

  static void publish(Lowering& l, const ir::Type& type, const std::string& name, const Edge& e,
                      bool output) {
    l.circuit.publicTensor({name, output, e.rows, e.columns, type.low, type.high, type.exponent,
                            e.address, e.tile_rows, e.tile_columns, output});
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
                        reader.read("weight-lanes", options.weight_lanes);
                        if (absl::Status s = reader.finish(); !s.ok()) return s;
                        return createLowerToAir(options);
                      });
}

}  // namespace lindero::passes
