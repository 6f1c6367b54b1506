// Writes @trace: one step per integer op (a matrix product: one per part that reads its columns),
// then the placements.
#include "absl/strings/str_cat.h"
#include "ir/trace/builder.h"
#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

using ir::trace::strides;
using Attributes = std::vector<ir::NamedAttribute>;
using Step = ir::trace::MadeStep;

void addCells(Attributes& attributes, const std::string& table, const std::string& column,
              int64_t lanes, const Cells& cells) {
  std::vector<int64_t> counts, row_strides, value_strides;
  for (const Loop& loop : cells.loops) {
    counts.push_back(loop.count);
    row_strides.push_back(loop.row_stride);
    value_strides.push_back(loop.value_stride);
  }
  attributes.insert(attributes.end(), {{"table", ir::Symbol{table}},
                                       {"column", column},
                                       {"lanes", lanes},
                                       {"lane_stride", cells.lane_stride},
                                       {"first_row", cells.first_row},
                                       {"offset", cells.offset},
                                       {"counts", counts},
                                       {"row_strides", row_strides},
                                       {"value_strides", value_strides}});
}

class TraceWriter {
 public:
  TraceWriter(Lowering& l, ir::Function* trace) : l_(l), trace_(trace) { indexPlan(); }

  absl::Status run() {
    for (const Given& g : l_.plan.givens) {
      if (find(g.value, "")) continue;
      keep(g.value, "", input(g.name));
    }
    if (l_.plan.steps) readSteps(*l_.plan.steps);
    for (const auto& [slot, c] : llvm::enumerate(l_.plan.carried)) {
      Step step = trace_.step("carry_in", {}, {{"slot", int64_t(slot)}},
                              {{"out", c.before->type().elements()}});
      keep(c.before, "", step["out"]);
    }
    for (const Origin& origin : l_.plan.program) {
      trace_.setRegion(origin.region);
      trace_.setLocation(origin.op->location());
      visit(*origin.op);
    }
    trace_.setRegion("");
    trace_.setLocation({});
    for (const WitnessPlacement& p : l_.circuit.placements()) {
      ir::Value* source = find(l_.plan.resolve(p.witness.value), p.witness.name);
      if (!source) {
        return absl::InternalError(
            absl::StrCat("no witness '", p.witness.name, "' for column ", p.table, ".", p.column));
      }
      Attributes attributes;
      addCells(attributes, p.table, p.column, p.lanes, p.cells);
      trace_.step("place", {{"buffer", source}}, attributes);
    }
    trace_.finish();
    return absl::OkStatus();
  }

 private:
  void indexPlan() {
    const Plan& plan = l_.plan;
    for (const Matrix& m : plan.matrices) matrices_[m.origin.op] = &m;
    for (const Embed& e : plan.embeds) embeds_[e.origin.op] = &e;
    for (const Choice& c : plan.choices) choices_[c.origin.op] = &c;
    for (auto* results : {&plan.results, &plan.outputs}) {
      for (const Result& r : *results) {
        for (const Part& p : r.parts) parts_.push_back({&r, &p});
      }
    }
  }

  ir::Value* find(const ir::Value* value, const std::string& name) const {
    auto it = buffers_.find({value, name});
    return it == buffers_.end() ? nullptr : it->second;
  }
  ir::Value* get(const ir::Value* value) const { return find(l_.plan.resolve(value), ""); }
  void keep(const ir::Value* value, const std::string& name, ir::Value* made) {
    buffers_[{value, name}] = made;
  }

  // Keeps results under their own names.
  void keepAll(const ir::Value* value, const Step& step, llvm::ArrayRef<const char*> names) {
    for (const char* name : names) keep(value, name, step[name]);
  }

  ir::Value* input(const std::string& tensor) {
    return trace_.step("input", {}, {{"tensor", tensor}})["out"];
  }

  ir::Value* load(const ConstantPlace& place) {
    Attributes attributes;
    addCells(attributes, place.table, place.column, place.lanes, place.cells);
    return trace_.step("load", {}, attributes, {{"out", place.size}})["out"];
  }

  void visit(const ir::Op& op) {
    if (op.is("integer.embedding"))
      visitEmbedding(op);
    else if (op.is("integer.layernorm"))
      visitNorm(op);
    else if (op.is("integer.scores"))
      visitScores(op);
    else if (op.is("integer.softmax"))
      visitSoftmax(op);
    else if (op.is("integer.requantize") || op.is("integer.lookup"))
      visitPart(op);
    else if (op.is("integer.select_rows"))
      visitSelectRows(op);
    else if (op.is("integer.append_rows"))
      visitAppendRows(op);
    else if (op.is("integer.argmax"))
      visitArgmax(op);
    else if (op.is("integer.return"))
      visitReturn(op);
  }

  void readSteps(const Steps& steps) {
    trace_.setRegion("decode");
    trace_.setLocation(steps.embed->origin.op->location());
    ir::Value* tape = input(kTape);
    ir::Value* lengths = input(kLengths);
    Step step = trace_.step("decode", {{"tape", tape}, {"lengths", lengths}});
    const ir::Value* tokens = steps.embed->origin.op->result();
    keepAll(
        tokens, step,
        {"active", "chosen", "frontier_in", "frontier_out", "given_in", "given_out", "token_out"});
    keep(tokens, "ids", step["token_in"]);
    if (!steps.positions) return;
    keep(steps.positions->origin.op->result(), "ids", step["frontier_in"]);
    ir::Value* block = input(kBlock);
    for (const Attend& a : l_.plan.attends) keep(l_.plan.resolve(a.block), "", block);
  }

  void visitEmbedding(const ir::Op& op) {
    const Embed& e = *embeds_.at(&op);
    ir::Value* ids = find(op.result(), "ids");
    if (!ids) ids = input(e.name);
    keep(op.result(), "ids", ids);
    ir::Value* addend = e.addend  ? load(l_.constants.at(e.addend))
                        : e.added ? get(e.added)
                                  : nullptr;
    const ConstantPlace& place = l_.constants.at(e.matrix->constant);
    Attributes attributes{{"vocabulary", e.matrix->rows},
                          {"width", e.width},
                          {"padding", e.matrix->padding(place.lanes)}};
    addCells(attributes, place.table, place.column, place.lanes, place.cells);
    keep(op.result(), "",
         trace_.step("gather_rows", {{"ids", ids}, {"addend", addend}}, attributes)["out"]);
  }

  void visitNorm(const ir::Op& op) {
    int64_t rows = op.result()->type().shape[0], width = op.result()->type().shape[1];
    auto root = l_.tables.place("root", l_.tables.root(op.operand(1)));
    std::string column = root.column.substr(0, root.column.rfind('.')) + ".R";
    Step step = trace_.step("layer_norm", {{"x", get(op.operand(0))}},
                            {{"rows", rows},
                             {"width", width},
                             {"lanes", l_.plan.lanes.features},
                             {"has_mean", op.boolAttr("has_mean")},
                             {"square_shift", op.intAttr("square_shift")},
                             {"epsilon", op.intAttr("epsilon")},
                             {"output_bits", op.intAttr("output_bits")},
                             {"max_exponent", op.intAttr("max_exponent")},
                             {"rsqrt_table", ir::Symbol{root.table}},
                             {"rsqrt_column", column},
                             {"rsqrt_first_row", root.first_row}});
    keep(op.result(), "", step["out"]);
    keepAll(op.result(), step,
            {"mean", "reciprocal", "shift", "shift_power", "mantissa", "exponent", "exponent_power",
             "variance_remainder", "square", "remainder", "deviation_sums", "square_sums"});
    const auto& four = l_.tables.place("four", op.intAttr("max_exponent"));
    keep(op.result(), "mantissa_low",
         lookup(step["exponent"], four.table, four.column, four.first_row, 0, four.rows));
  }

  ir::Value* lookup(ir::Value* key, const std::string& table, const std::string& column,
                    int64_t first_row, int64_t low, int64_t rows) {
    return trace_.step("table_lookup", {{"key", key}},
                       {{"table", ir::Symbol{table}},
                        {"column", column},
                        {"first_row", first_row},
                        {"low", low},
                        {"rows", rows}})["out"];
  }

  // out[b, i, j] = sum_k lhs[b, i, k] rhs[b, k, j] of these extents.
  struct Product {
    int64_t batch, m, k, n;
    std::vector<int64_t> lhs_strides, rhs_strides, out_strides;
  };
  ir::Value* matmul(ir::Value* lhs, ir::Value* rhs, ir::Value* bias, const Product& p) {
    return trace_.step("matmul", {{"lhs", lhs}, {"rhs", rhs}, {"bias", bias}},
                       {{"batch", p.batch},
                        {"m", p.m},
                        {"k", p.k},
                        {"n", p.n},
                        {"lhs_strides", p.lhs_strides},
                        {"rhs_strides", p.rhs_strides},
                        {"out_strides", p.out_strides}})["out"];
  }

  // Columns [start, start + size) of a linear op's result.
  ir::Value* linearColumns(const ir::Op& linear, int64_t rows, int64_t start, int64_t size,
                           const ir::Value* bias) {
    const Matrix& m = *matrices_.at(&linear);
    const ConstantPlace& place = l_.constants.at(m.constant);
    ir::Value*& weights = weights_[&m];
    if (!weights) weights = load(place);
    int64_t padded = m.blocks * place.lanes, pad = m.padding(place.lanes);
    ir::Value* added = bias ? load(biasPlace(bias, start, size)) : nullptr;
    return matmul(
        get(linear.operand(0)), weights, added,
        {.batch = 1,
         .m = rows,
         .k = m.rows,
         .n = size,
         .lhs_strides = strides({{"batch", 0}, {"row", m.rows}, {"column", 1}, {"offset", 0}}),
         .rhs_strides =
             strides({{"batch", 0}, {"row", padded}, {"column", 1}, {"offset", pad + start}}),
         .out_strides = strides({{"batch", 0}, {"row", size}, {"column", 1}, {"offset", 0}})});
  }

  // A part of a bias; only a feature-major one is ever read in parts.
  ConstantPlace biasPlace(const ir::Value* bias, int64_t start, int64_t size) const {
    ConstantPlace place = l_.constants.at(bias);
    if (size == place.size) return place;
    place.cells.first_row += start * place.cells.loops[0].row_stride;
    place.cells.loops[0].count = size;
    place.size = size;
    return place;
  }

  ir::Value* accumulator(const Result& r, const Part& part) {
    const ir::Op& op = *r.origin.op;
    if (op.is("integer.linear")) return linearColumns(op, r.rows, part.start, part.size, r.bias);
    int64_t heads = op.intAttr("heads"), keys = r.product->inner, width = r.product->columns;
    const std::vector<int64_t> by_head =
        strides({{"batch", width}, {"row", heads * width}, {"column", 1}, {"offset", 0}});
    return matmul(get(op.operand(0)), get(op.operand(1)), nullptr,
                  {.batch = heads,
                   .m = r.rows,
                   .k = keys,
                   .n = width,
                   .lhs_strides = strides(
                       {{"batch", r.rows * keys}, {"row", keys}, {"column", 1}, {"offset", 0}}),
                   .rhs_strides = by_head,
                   .out_strides = by_head});
  }

  void visitPart(const ir::Op& op) {
    for (auto& [r, part] : parts_) {
      if (part->origin.op == &op) return requantize(op, *r, *part);
    }
  }

  void requantize(const ir::Op& op, const Result& r, const Part& part) {
    bool looked_up = op.is("integer.lookup");
    ir::Value* acc = accumulator(r, part);
    ir::Value* addend = !looked_up && op.numOperands() > 1 ? get(op.operand(1)) : nullptr;
    Attributes attributes{{"shift", op.intAttr("shift")}, {"bits", op.intAttr("bits")}};
    if (addend) attributes.emplace_back("addend_shift", op.intAttrOr("addend_shift", 0));
    Step step = trace_.step("requantize", {{"acc", acc}, {"addend", addend}}, attributes);
    keep(op.result(), looked_up ? "key" : "", step["quotient"]);
    keep(op.result(), "remainder", step["remainder"]);
    if (!looked_up) return;
    auto place = l_.tables.place("function", l_.tables.activation(op.operand(1)));
    std::string column = place.column.substr(0, place.column.rfind('.')) + ".value";
    keep(op.result(), "",
         lookup(step["quotient"], place.table, column, place.first_row, -place.rows / 2,
                place.rows));
  }

  void visitScores(const ir::Op& op) {
    const ir::Type& type = op.result()->type();
    int64_t heads = type.shape[0], queries = type.shape[1], keys = type.shape[2];
    int64_t all = op.operand(0)->type().shape[1], width = all / heads;
    keep(
        op.result(), "",
        matmul(
            get(op.operand(0)), get(op.operand(1)), nullptr,
            {.batch = heads,
             .m = queries,
             .k = width,
             .n = keys,
             .lhs_strides = strides({{"batch", width}, {"row", all}, {"column", 1}, {"offset", 0}}),
             .rhs_strides = strides({{"batch", width}, {"row", 1}, {"column", all}, {"offset", 0}}),
             .out_strides = strides(
                 {{"batch", queries * keys}, {"row", keys}, {"column", 1}, {"offset", 0}})}));
  }

  void visitSoftmax(const ir::Op& op) {
    const ir::Type& type = op.result()->type();
    auto exp = l_.tables.place("exponential", l_.tables.exponential(op));
    ir::Value* block = op.numOperands() > 2 ? get(op.operand(2)) : nullptr;
    Step step = trace_.step("softmax", {{"scores", get(op.operand(0))}, {"block", block}},
                            {{"heads", type.shape[0]},
                             {"queries", type.shape[1]},
                             {"keys", type.shape[2]},
                             {"lanes", l_.plan.lanes.keys},
                             {"causal", op.boolAttr("causal")},
                             {"score_shift", op.intAttr("score_shift")},
                             {"probability_bits", op.intAttr("probability_bits")},
                             {"normalizer_low", op.intAttr("normalizer_low")},
                             {"normalizer_bits", op.intAttr("normalizer_bits")},
                             {"exp_table", ir::Symbol{exp.table}},
                             {"exp_column", exp.column},
                             {"exp_first_row", exp.first_row},
                             {"live_rows", op.intAttr("live_rows")},
                             {"dead_rows", op.intAttr("dead_rows")},
                             {"dead_width", op.intAttr("dead_width")},
                             {"exp_at_minus_one", op.intAttr("exp_at_minus_one")}});
    keep(op.result(), "", step["probability"]);
    keepAll(op.result(), step,
            {"normalizer_low_limb", "normalizer_high_limb", "key", "width", "remainder",
             "previous_probability", "probability_sums", "previous_probability_sums"});
    if (block) keep(op.result(), "open", step["open"]);
  }

  void visitSelectRows(const ir::Op& op) {
    int64_t width = op.result()->type().shape[1];
    std::vector<int64_t> rows = op.intsAttr("rows").vec();
    keep(op.result(), "",
         trace_.step("copy_rows", {{"in", get(op.operand(0))}},
                     {{"width", width}, {"rows", rows}})["out"]);
  }

  void visitAppendRows(const ir::Op& op) {
    ir::Value* all = trace_.step(
        "append_rows", {{"first", get(op.operand(0))}, {"second", get(op.operand(1))}})["out"];
    keep(op.result(), "", all);
    for (const auto& [slot, c] : llvm::enumerate(l_.plan.carried)) {
      if (c.all != op.result()) continue;
      trace_.step("carry_out", {{"buffer", all}},
                  {{"slot", int64_t(slot)}, {"elements", c.before->type().elements()}});
    }
  }

  void visitArgmax(const ir::Op& op) {
    const Choice& c = *choices_.at(&op);
    ir::Value* values = linearColumns(*c.linear, c.rows, 0, c.columns, c.bias);
    Step step =
        trace_.step("argmax", {{"values", values}},
                    {{"rows", c.rows}, {"width", c.columns}, {"lanes", l_.plan.lanes.entries}});
    keep(op.result(), "", step["index"]);
    keepAll(op.result(), step, {"maximum", "before", "high", "low", "index_sums"});
    if (!l_.plan.steps) return;
    ir::Value* active = find(l_.plan.steps->embed->origin.op->result(), "active");
    keep(op.result(), "shown",
         trace_.step("mask", {{"keep", active}, {"value", step["index"]}})["out"]);
  }

  void visitReturn(const ir::Op& op) {
    for (auto& [r, part] : parts_) {
      if (part->origin.op == &op) keep(part->result, "", accumulator(*r, *part));
    }
    const auto& names = std::get<std::vector<std::string>>(*op.find("names"));
    for (unsigned i = 0; i < op.numOperands(); ++i) {
      const ir::Value* output = l_.plan.resolve(op.operand(i));
      if (llvm::any_of(l_.plan.carried, [&](const Carried& c) { return c.all == output; }))
        continue;
      ir::Value* shown = find(l_.plan.resolve(op.operand(i)), "shown");
      trace_.step("output", {{"buffer", shown ? shown : get(op.operand(i))}},
                  {{"tensor", names[i]}});
    }
  }

  Lowering& l_;
  ir::trace::TraceBuilder trace_;
  std::map<std::pair<const ir::Value*, std::string>, ir::Value*> buffers_;
  std::map<const ir::Op*, const Matrix*> matrices_;
  std::map<const ir::Op*, const Embed*> embeds_;
  std::map<const ir::Op*, const Choice*> choices_;
  std::vector<std::pair<const Result*, const Part*>> parts_;
  std::map<const Matrix*, ir::Value*> weights_;
};

}  // namespace

absl::Status buildTrace(Lowering& l, ir::Function* trace) { return TraceWriter(l, trace).run(); }

}  // namespace lindero::passes
