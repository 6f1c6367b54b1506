// Writes @trace: one step per integer op (a matrix product: one per part that reads its columns),
// then the placements.
#include "absl/strings/str_cat.h"
#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

using Attributes = std::vector<std::pair<llvm::StringRef, ir::Attribute>>;

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
  TraceWriter(Lowering& l, ir::Function* trace) : l_(l), b_(&trace->body()) { indexPlan(); }

  absl::Status run() {
    for (const Given& g : l_.plan.givens) {
      if (find(g.value, "")) continue;
      int64_t size = g.value->type().elements();
      keep(g.value, "", b_.value("trace.input", {}, buffer(size), {{"tensor", g.name}}));
    }
    if (l_.plan.steps) readSteps(*l_.plan.steps);
    for (const auto& [slot, c] : llvm::enumerate(l_.plan.carried)) {
      keep(c.before, "",
           create("trace.carry_in", {}, {c.before->type().elements()}, {{"slot", int64_t(slot)}})
               ->result());
    }
    for (const Origin& origin : l_.plan.program) {
      region_ = origin.region;
      b_.setLocation(origin.op->location());
      visit(*origin.op);
    }
    b_.setLocation({});
    for (const WitnessPlacement& p : l_.circuit.placements()) {
      ir::Value* source = find(l_.plan.resolve(p.witness.value), p.witness.name);
      if (!source) {
        return absl::InternalError(
            absl::StrCat("no witness '", p.witness.name, "' for column ", p.table, ".", p.column));
      }
      Attributes attributes;
      addCells(attributes, p.table, p.column, p.lanes, p.cells);
      b_.create("trace.place", {source}, {}, attributes);
    }
    b_.create("trace.return", {}, {});
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

  static ir::Type buffer(int64_t size) { return ir::Type::tensor(ir::Element::kInt, {size}); }

  ir::Value* find(const ir::Value* value, const std::string& name) const {
    auto it = buffers_.find({value, name});
    return it == buffers_.end() ? nullptr : it->second;
  }
  ir::Value* get(const ir::Value* value) const { return find(l_.plan.resolve(value), ""); }
  void keep(const ir::Value* value, const std::string& name, ir::Value* made) {
    buffers_[{value, name}] = made;
  }

  ir::Op* create(const char* name, llvm::ArrayRef<ir::Value*> operands,
                 const std::vector<int64_t>& sizes, Attributes attributes) {
    std::vector<ir::Type> types;
    for (int64_t size : sizes) types.push_back(buffer(size));
    if (!region_.empty()) attributes.push_back({"region", region_});
    return b_.create(name, operands, types, attributes);
  }

  ir::Value* load(const ConstantPlace& place) {
    Attributes attributes;
    addCells(attributes, place.table, place.column, place.lanes, place.cells);
    return create("trace.load", {}, {place.size}, attributes)->result();
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
    region_ = "decode";
    b_.setLocation(steps.embed->origin.op->location());
    ir::Value* tape =
        create("trace.input", {}, {steps.rows + 1}, {{"tensor", std::string(kTape)}})->result();
    ir::Value* lengths =
        create("trace.input", {}, {4}, {{"tensor", std::string(kLengths)}})->result();
    ir::Op* step = create("trace.decode", {tape, lengths}, std::vector<int64_t>(8, steps.rows), {});
    static constexpr const char* kNames[] = {"active",   "chosen",    "frontier_in", "frontier_out",
                                             "given_in", "given_out", "ids",         "token_out"};
    for (int i = 0; i < 8; ++i) keep(steps.embed->origin.op->result(), kNames[i], step->result(i));
    if (!steps.positions) return;
    keep(steps.positions->origin.op->result(), "ids", step->result(2));
    ir::Value* block =
        create("trace.input", {}, {l_.score_tables}, {{"tensor", std::string(kBlock)}})->result();
    for (const Attend& a : l_.plan.attends) keep(l_.plan.resolve(a.block), "", block);
  }

  void visitEmbedding(const ir::Op& op) {
    const Embed& e = *embeds_.at(&op);
    ir::Value* ids = find(op.result(), "ids");
    if (!ids) ids = create("trace.input", {}, {e.rows}, {{"tensor", e.name}})->result();
    keep(op.result(), "ids", ids);
    std::vector<ir::Value*> operands{ids};
    if (e.addend) operands.push_back(load(l_.constants.at(e.addend)));
    if (e.added) operands.push_back(get(e.added));
    const ConstantPlace& place = l_.constants.at(e.matrix->constant);
    Attributes attributes{{"vocabulary", e.matrix->rows},
                          {"width", e.width},
                          {"padding", e.matrix->padding(place.lanes)}};
    addCells(attributes, place.table, place.column, place.lanes, place.cells);
    keep(op.result(), "",
         create("trace.gather_rows", operands, {e.rows * e.width}, attributes)->result());
  }

  void visitNorm(const ir::Op& op) {
    int64_t rows = op.result()->type().shape[0], width = op.result()->type().shape[1];
    int64_t lanes = l_.plan.lanes.features, blocks = rows * (width / lanes);
    auto root = l_.tables.place("root", l_.tables.root(op.operand(1)));
    std::string column = root.column.substr(0, root.column.rfind('.')) + ".R";
    ir::Op* step = create("trace.layernorm", {get(op.operand(0))},
                          {rows, rows, rows, rows, rows, rows, rows, rows, rows * width,
                           rows * width, rows * width, blocks, blocks},
                          {{"rows", rows},
                           {"width", width},
                           {"lanes", lanes},
                           {"has_mean", op.boolAttr("has_mean")},
                           {"square_shift", op.intAttr("square_shift")},
                           {"epsilon", op.intAttr("epsilon")},
                           {"output_bits", op.intAttr("output_bits")},
                           {"max_exponent", op.intAttr("max_exponent")},
                           {"rsqrt_table", ir::Symbol{root.table}},
                           {"rsqrt_column", column},
                           {"rsqrt_first_row", root.first_row}});
    static constexpr const char* kNames[] = {
        "mean",       "reciprocal", "shift",          "shift_power",
        "mantissa",   "exponent",   "exponent_power", "variance_remainder",
        "square",     "",           "remainder",      "deviation_sums",
        "square_sums"};
    for (int i = 0; i < 13; ++i) keep(op.result(), kNames[i], step->result(i));
    const auto& four = l_.tables.place("four", op.intAttr("max_exponent"));
    keep(op.result(), "mantissa_low",
         create("trace.table_lookup", {find(op.result(), "exponent")}, {rows},
                {{"table", ir::Symbol{four.table}},
                 {"column", four.column},
                 {"first_row", four.first_row},
                 {"low", int64_t{0}},
                 {"rows", four.rows}})
             ->result());
  }

  ir::Value* matmul(llvm::ArrayRef<ir::Value*> operands, int64_t batch, int64_t m, int64_t k,
                    int64_t n, std::vector<int64_t> lhs, std::vector<int64_t> rhs,
                    std::vector<int64_t> out) {
    return create("trace.matmul", operands, {batch * m * n},
                  {{"batch", batch},
                   {"m", m},
                   {"k", k},
                   {"n", n},
                   {"lhs_strides", std::move(lhs)},
                   {"rhs_strides", std::move(rhs)},
                   {"out_strides", std::move(out)}})
        ->result();
  }

  // Columns [start, start + size) of a linear op's result.
  ir::Value* linearColumns(const ir::Op& linear, int64_t rows, int64_t start, int64_t size,
                           const ir::Value* bias) {
    const Matrix& m = *matrices_.at(&linear);
    const ConstantPlace& place = l_.constants.at(m.constant);
    ir::Value*& weights = weights_[&m];
    if (!weights) weights = load(place);
    int64_t padded = m.blocks * place.lanes, pad = m.padding(place.lanes);
    std::vector<ir::Value*> operands{get(linear.operand(0)), weights};
    if (bias) operands.push_back(load(biasPlace(bias, start, size)));
    return matmul(operands, 1, rows, m.rows, size, {0, m.rows, 1, 0}, {0, padded, 1, pad + start},
                  {0, size, 1, 0});
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
    return matmul({get(op.operand(0)), get(op.operand(1))}, heads, r.rows, keys, width,
                  {r.rows * keys, keys, 1, 0}, {width, heads * width, 1, 0},
                  {width, heads * width, 1, 0});
  }

  void visitPart(const ir::Op& op) {
    for (auto& [r, part] : parts_) {
      if (part->origin.op == &op) return requantize(op, *r, *part);
    }
  }

  void requantize(const ir::Op& op, const Result& r, const Part& part) {
    bool lookup = op.is("integer.lookup");
    std::vector<ir::Value*> operands{accumulator(r, part)};
    Attributes attributes{{"shift", op.intAttr("shift")}, {"bits", op.intAttr("bits")}};
    if (!lookup && op.numOperands() > 1) {
      operands.push_back(get(op.operand(1)));
      attributes.push_back({"addend_shift", op.intAttrOr("addend_shift", 0)});
    }
    int64_t size = r.rows * part.size;
    ir::Op* step = create("trace.requantize", operands, {size, size}, attributes);
    keep(op.result(), lookup ? "key" : "", step->result(0));
    keep(op.result(), "remainder", step->result(1));
    if (!lookup) return;
    auto place = l_.tables.place("function", l_.tables.activation(op.operand(1)));
    std::string column = place.column.substr(0, place.column.rfind('.')) + ".value";
    keep(op.result(), "",
         create("trace.table_lookup", {step->result(0)}, {size},
                {{"table", ir::Symbol{place.table}},
                 {"column", column},
                 {"first_row", place.first_row},
                 {"low", -place.rows / 2},
                 {"rows", place.rows}})
             ->result());
  }

  void visitScores(const ir::Op& op) {
    const ir::Type& type = op.result()->type();
    int64_t heads = type.shape[0], queries = type.shape[1], keys = type.shape[2];
    int64_t all = op.operand(0)->type().shape[1], width = all / heads;
    keep(op.result(), "",
         matmul({get(op.operand(0)), get(op.operand(1))}, heads, queries, width, keys,
                {width, all, 1, 0}, {width, 1, all, 0}, {queries * keys, keys, 1, 0}));
  }

  void visitSoftmax(const ir::Op& op) {
    const ir::Type& type = op.result()->type();
    int64_t heads = type.shape[0], queries = type.shape[1], keys = type.shape[2];
    int64_t rows = heads * queries, elements = rows * keys, lanes = l_.plan.lanes.keys;
    auto exp = l_.tables.place("exponential", l_.tables.exponential(op));
    std::vector<ir::Value*> operands{get(op.operand(0))};
    std::vector<int64_t> sizes{rows,     rows,     elements,         elements,        elements,
                               elements, elements, elements / lanes, elements / lanes};
    if (op.numOperands() > 2) {
      operands.push_back(get(op.operand(2)));
      sizes.push_back(elements / lanes);
    }
    ir::Op* step = create("trace.softmax", operands, sizes,
                          {{"heads", heads},
                           {"queries", queries},
                           {"keys", keys},
                           {"lanes", lanes},
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
    static constexpr const char* kNames[] = {"normalizer_low_limb",
                                             "normalizer_high_limb",
                                             "key",
                                             "width",
                                             "remainder",
                                             "",
                                             "previous_probability",
                                             "probability_sums",
                                             "previous_probability_sums",
                                             "open"};
    for (size_t i = 0; i < sizes.size(); ++i) keep(op.result(), kNames[i], step->result(i));
  }

  void visitSelectRows(const ir::Op& op) {
    int64_t width = op.result()->type().shape[1];
    std::vector<int64_t> rows = op.intsAttr("rows").vec();
    int64_t size = rows.size() * width;
    keep(op.result(), "",
         create("trace.copy_rows", {get(op.operand(0))}, {size}, {{"width", width}, {"rows", rows}})
             ->result());
  }

  void visitAppendRows(const ir::Op& op) {
    ir::Value* all = create("trace.append_rows", {get(op.operand(0)), get(op.operand(1))},
                            {op.result()->type().elements()}, {})
                         ->result();
    keep(op.result(), "", all);
    for (const auto& [slot, c] : llvm::enumerate(l_.plan.carried)) {
      if (c.all != op.result()) continue;
      create("trace.carry_out", {all}, {},
             {{"slot", int64_t(slot)}, {"elements", c.before->type().elements()}});
    }
  }

  void visitArgmax(const ir::Op& op) {
    const Choice& c = *choices_.at(&op);
    int64_t lanes = l_.plan.lanes.entries, blocks = (c.columns + lanes - 1) / lanes;
    int64_t elements = c.rows * blocks * lanes;
    ir::Op* step = create("trace.argmax", {linearColumns(*c.linear, c.rows, 0, c.columns, c.bias)},
                          {c.rows, c.rows, elements, elements, elements, c.rows * blocks},
                          {{"rows", c.rows}, {"width", c.columns}, {"lanes", lanes}});
    static constexpr const char* kNames[] = {"", "maximum", "before", "high", "low", "index_sums"};
    for (int i = 0; i < 6; ++i) keep(op.result(), kNames[i], step->result(i));
    if (!l_.plan.steps) return;
    const Steps& steps = *l_.plan.steps;
    ir::Value* active = find(steps.embed->origin.op->result(), "active");
    keep(op.result(), "shown",
         create("trace.mask", {active, step->result(0)}, {steps.rows}, {})->result());
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
      create("trace.output", {shown ? shown : get(op.operand(i))}, {}, {{"tensor", names[i]}});
    }
  }

  Lowering& l_;
  ir::Builder b_;
  std::string region_;
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
