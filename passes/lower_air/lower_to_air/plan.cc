#include "passes/lower_air/lower_to_air/plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "passes/lower_air/lower_to_air/circuit_builder.h"
#include "passes/lower_air/lower_to_air/layout.h"

namespace lindero::passes {
namespace {

absl::Status unsupported(const ir::Op& op, const std::string& why) {
  return absl::UnimplementedError(absl::StrCat("cannot lower ", op.name().str(), " (node ",
                                               absl::StrJoin(op.location(), " + "), "): ", why));
}

// Columns [start, start + size) and some rows of a value.
struct View {
  const ir::Value* base;
  int64_t start = 0;
  int64_t size = 0;
  std::vector<int64_t> rows;  // empty: all
};

class Planner {
 public:
  absl::StatusOr<Plan> run(const ir::Function& function, const LowerToAirOptions& options) {
    for (const auto& argument : function.body().arguments()) {
      arguments_.insert(argument.get());
      if (argument->name() != kTape && argument->name() != kLengths) continue;
      return absl::UnimplementedError(
          absl::StrCat("an input is called ", argument->name().str(), ", as one of a decode run"));
    }
    if (absl::Status s = walk(function.body(), ""); !s.ok()) return s;
    if (absl::Status s = finishResults(); !s.ok()) return s;
    if (!options.decode &&
        (!plan_.carried.empty() || llvm::any_of(plan_.attends, [](auto& a) { return a.block; }))) {
      return absl::UnimplementedError(
          "blocks of steps are those of a decode run: give the option decode");
    }
    if (options.decode) {
      if (absl::Status s = planSteps(); !s.ok()) return s;
    }
    chooseLanes(plan_, options);
    if (absl::Status s = connect(); !s.ok()) return s;
    return std::move(plan_);
  }

 private:
  absl::Status walk(const ir::Block& block, const std::string& region) {
    for (const ir::Op& op : block.ops()) {
      if (op.is("region.region")) {
        if (absl::Status s = walk(*op.block(), op.stringAttr("label")); !s.ok()) return s;
        const ir::Op& yield = op.block()->ops().back();
        for (unsigned i = 0; i < op.numResults(); ++i) plan_.alias[op.result(i)] = yield.operand(i);
      } else if (!op.is("region.yield") && !op.is("integer.constant")) {
        Origin origin{&op, region};
        plan_.program.push_back(origin);
        if (absl::Status s = visit(origin); !s.ok()) return s;
      }
    }
    return absl::OkStatus();
  }

  absl::Status visit(const Origin& origin) {
    const ir::Op& op = *origin.op;
    if (op.is("integer.slice")) return visitSlice(op);
    if (op.is("integer.select_rows")) return visitSelectRows(op);
    if (op.is("integer.embedding")) return visitEmbedding(origin);
    if (op.is("integer.layernorm")) return visitNorm(origin);
    if (op.is("integer.linear")) return visitLinear(origin);
    if (op.is("integer.requantize") || op.is("integer.lookup")) return visitPart(origin);
    if (op.is("integer.scores")) return visitScores(origin);
    if (op.is("integer.softmax")) return visitSoftmax(origin);
    if (op.is("integer.mix")) return visitMix(origin);
    if (op.is("integer.argmax")) return visitArgmax(origin);
    if (op.is("integer.append_rows")) return visitAppendRows(op);
    if (op.is("integer.return")) return visitReturn(origin);
    return unsupported(op, "no encoding for this op");
  }

  const ir::Value* resolve(const ir::Value* v) const { return plan_.resolve(v); }

  View view(const ir::Value* v) const {
    v = resolve(v);
    auto it = views_.find(v);
    if (it != views_.end()) return it->second;
    return {v, 0, v->type().shape.empty() ? 1 : v->type().shape.back(), {}};
  }

  absl::Status visitSlice(const ir::Op& op) {
    View v = view(op.operand(0));
    v.start += op.intAttr("start");
    v.size = op.intAttr("size");
    views_[op.result()] = v;
    return absl::OkStatus();
  }

  absl::Status visitSelectRows(const ir::Op& op) {
    View v = view(op.operand(0));
    if (!v.rows.empty()) return unsupported(op, "rows of selected rows");
    v.rows.assign(op.intsAttr("rows").begin(), op.intsAttr("rows").end());
    views_[op.result()] = v;
    return absl::OkStatus();
  }

  Product* product(int64_t count, int64_t rows, int64_t inner, int64_t columns) {
    plan_.products.push_back({next_product_, count, rows, inner, columns});
    next_product_ += count;
    return &plan_.products.back();
  }

  absl::Status visitEmbedding(const Origin& origin) {
    const ir::Op& op = *origin.op;
    const ir::Type& table = op.operand(1)->type();
    plan_.matrices.push_back(
        {origin, op.operand(1), true, table.shape[0], table.shape[1], table.shape[1]});
    Embed e;
    e.origin = origin;
    e.matrix = &plan_.matrices.back();
    e.rows = op.result()->type().shape[0];
    e.width = table.shape[1];
    if (op.numOperands() > 2) {
      const ir::Value* addend = resolve(op.operand(2));
      const ir::Op* maker = addend->definingOp();
      (maker && maker->is("integer.constant") ? e.addend : e.added) = addend;
    }
    const ir::Value* ids = resolve(op.operand(0));
    if (!arguments_.count(ids)) return unsupported(op, "ids that are not an input of the model");
    e.name = ids->name().str();
    plan_.embeds.push_back(std::move(e));
    return absl::OkStatus();
  }

  // What of the tensor is carried shows at the return.
  absl::Status visitAppendRows(const ir::Op& op) {
    const ir::Value *before = resolve(op.operand(0)), *own = resolve(op.operand(1));
    if (!arguments_.count(before) || !appended_.try_emplace(op.result(), before, own).second) {
      return unsupported(op, "only rows of an input can have others appended");
    }
    return absl::OkStatus();
  }

  absl::Status visitNorm(const Origin& origin) {
    const ir::Type& type = origin.op->result()->type();
    Norm n;
    n.origin = origin;
    n.rows = type.shape[0];
    n.width = type.shape[1];
    plan_.norms.push_back(std::move(n));
    return absl::OkStatus();
  }

  absl::Status visitLinear(const Origin& origin) {
    const ir::Op& op = *origin.op;
    const ir::Type& w = op.operand(1)->type();
    int64_t rows = op.result()->type().shape[0];
    Product* p = product(1, rows, w.shape[0], w.shape[1]);
    plan_.matrices.push_back({origin, op.operand(1), false, w.shape[0], w.shape[1], w.shape[1]});
    matrix_of_[&op] = &plan_.matrices.back();
    Operand x;
    x.origin = origin;
    x.value = resolve(op.operand(0));
    x.product = p;
    x.inner = w.shape[0];
    x.length = rows;
    x.matrix = &plan_.matrices.back();
    x.selected = !view(x.value).rows.empty();
    plan_.operands.push_back(std::move(x));
    pending_[&op] = {origin, p, rows, w.shape[1], op.numOperands() > 2 ? op.operand(2) : nullptr,
                     {}};
    order_.push_back(&op);
    return absl::OkStatus();
  }

  absl::Status visitScores(const Origin& origin) {
    const ir::Op& op = *origin.op;
    int64_t heads = op.intAttr("heads");
    const ir::Type& q = op.operand(0)->type();
    const ir::Type& k = op.operand(1)->type();
    int64_t width = q.shape[1] / heads;
    Product* p = product(heads, q.shape[0], width, k.shape[0]);
    Operand right;
    right.origin = origin;
    right.kind = Operand::kRightRows;
    right.value = resolve(op.operand(1));
    right.product = p;
    right.inner = k.shape[1];
    right.length = k.shape[0];
    plan_.operands.push_back(right);
    Operand left = right;
    left.kind = Operand::kLeft;
    left.value = resolve(op.operand(0));
    left.length = q.shape[0];
    left.partner = &plan_.operands.back();
    plan_.operands.push_back(left);
    product_of_[&op] = p;
    return absl::OkStatus();
  }

  absl::Status visitSoftmax(const Origin& origin) {
    const ir::Op& op = *origin.op;
    const ir::Value* scores = resolve(op.operand(0));
    const ir::Op* producer = scores->definingOp();
    if (!producer || !producer->is("integer.scores") || !normalized_.insert(producer).second) {
      return unsupported(op, "only scores of one use can be normalized");
    }
    const ir::Type& type = op.result()->type();
    Attend a{origin,  producer, product_of_[producer], type.shape[0], type.shape[1], type.shape[2],
             nullptr, {}};
    if (op.numOperands() > 2) a.block = resolve(op.operand(2));
    if (a.block && op.intAttr("dead_rows") == 0) {
      return unsupported(op, "it has no dead key, which those of closed blocks are");
    }
    plan_.attends.push_back(std::move(a));
    attend_of_[&op] = &plan_.attends.back();
    return absl::OkStatus();
  }

  absl::Status visitMix(const Origin& origin) {
    const ir::Op& op = *origin.op;
    const ir::Op* softmax = resolve(op.operand(0))->definingOp();
    if (!softmax || !attend_of_.count(softmax)) return unsupported(op, "mixes no softmax");
    int64_t heads = op.intAttr("heads");
    const ir::Type& v = op.operand(1)->type();
    int64_t keys = v.shape[0], width = v.shape[1] / heads;
    int64_t queries = op.result()->type().shape[0];
    Product* p = product(heads, queries, keys, width);
    Operand right;
    right.origin = origin;
    right.kind = Operand::kRightColumns;
    right.value = resolve(op.operand(1));
    right.product = p;
    right.inner = heads * keys;
    right.length = width;
    right.heads = heads;
    plan_.operands.push_back(right);
    Operand left;
    left.origin = origin;
    left.value = resolve(op.operand(0));
    left.product = p;
    left.batch = heads;
    left.inner = keys;
    left.length = queries;
    left.partner = &plan_.operands.back();
    plan_.operands.push_back(left);
    pending_[&op] = {origin, p, queries, v.shape[1], nullptr, {}};
    order_.push_back(&op);
    return absl::OkStatus();
  }

  // The linear or mix op whose result a part reads.
  absl::StatusOr<View> accumulator(const ir::Op& op) const {
    View v = view(op.operand(0));
    if (!v.base->definingOp() || !pending_.count(v.base->definingOp())) {
      return unsupported(op, "its input is not the result of a matrix product");
    }
    if (!v.rows.empty()) return unsupported(op, "rows selected from an accumulator");
    return v;
  }

  absl::Status visitPart(const Origin& origin) {
    absl::StatusOr<View> v = accumulator(*origin.op);
    if (!v.ok()) return v.status();
    Part part;
    part.origin = origin;
    part.start = v->start;
    part.size = v->size;
    part.result = origin.op->result();
    Result& r = pending_[v->base->definingOp()];
    r.parts.push_back(std::move(part));
    if (!origin.op->is("integer.requantize") || origin.op->numOperands() < 2) {
      return absl::OkStatus();
    }
    if (v->size != r.columns) return unsupported(*origin.op, "adds to some columns of a product");
    Operand added;
    added.origin = origin;
    added.kind = Operand::kAdded;
    added.value = resolve(origin.op->operand(1));
    added.product = r.product;
    added.inner = r.columns;
    added.length = r.rows;
    added.shift = origin.op->intAttrOr("addend_shift", 0);
    plan_.operands.push_back(std::move(added));
    return absl::OkStatus();
  }

  absl::Status visitArgmax(const Origin& origin) {
    const ir::Op& op = *origin.op;
    absl::StatusOr<View> v = accumulator(op);
    if (!v.ok()) return v.status();
    const ir::Op* linear = v->base->definingOp();
    const Result& r = pending_[linear];
    if (r.columns != v->size || !matrix_of_.count(linear)) {
      return unsupported(op, "only all columns of a linear op have an argmax");
    }
    Choice c;
    c.origin = origin;
    c.linear = linear;
    c.product = r.product;
    c.matrix = matrix_of_[linear];
    c.rows = r.rows;
    c.columns = r.columns;
    c.bias = r.bias;
    plan_.choices.push_back(std::move(c));
    choice_of_[&op] = &plan_.choices.back();
    pending_[linear].parts.push_back({origin, 0, r.columns, nullptr, {}, ""});
    return absl::OkStatus();
  }

  absl::Status visitReturn(const Origin& origin) {
    const ir::Op& op = *origin.op;
    if (!op.has("names")) return unsupported(op, "its outputs have no names");
    for (unsigned i = 0; i < op.numOperands(); ++i) {
      const std::string& name = std::get<std::vector<std::string>>(*op.find("names"))[i];
      const ir::Value* value = resolve(op.operand(i));
      auto choice = value->definingOp() ? choice_of_.find(value->definingOp()) : choice_of_.end();
      if (choice != choice_of_.end()) {
        choice->second->name = name;
        continue;
      }
      if (auto all = appended_.find(value); all != appended_.end()) {
        if (all->second.first->name() != name) {
          return unsupported(op, "an output with rows of an input must have its name");
        }
        plan_.carried.push_back({all->second.first, value});
        continue;
      }
      View v = view(value);
      if (arguments_.count(v.base)) return unsupported(op, "an output that is an input");
      if (!v.base->definingOp() || !pending_.count(v.base->definingOp())) {
        plan_.exports.push_back({origin, value, name, {}});
        continue;
      }
      if (!v.rows.empty()) return unsupported(op, "rows selected from an accumulator");
      Part part{origin, v.start, v.size, value, {}, name};
      pending_[v.base->definingOp()].parts.push_back(std::move(part));
    }
    return absl::OkStatus();
  }

  // Sorts the results by what becomes of them; their parts must cover all columns once and be of
  // one kind.
  absl::Status finishResults() {
    for (const ir::Op* op : order_) {
      Result& r = pending_[op];
      std::sort(r.parts.begin(), r.parts.end(),
                [](const Part& a, const Part& b) { return a.start < b.start; });
      int64_t next = 0;
      size_t published = 0, chosen = 0;
      for (const Part& part : r.parts) {
        if (part.start != next)
          return unsupported(*op, "columns that are read twice or not at all");
        next += part.size;
        published += part.origin.op->is("integer.return");
        chosen += part.origin.op->is("integer.argmax");
      }
      if (next != r.columns) return unsupported(*op, "columns that nothing reads");
      if (published % r.parts.size() || chosen % r.parts.size()) {
        return unsupported(*op, "columns that are put to different uses");
      }
      if (!chosen) (published ? plan_.outputs : plan_.results).push_back(r);
    }
    return absl::OkStatus();
  }

  // Rows beyond a run must not influence it, and every row's choice must be there.
  absl::Status planSteps() {
    auto no = [](const std::string& why) {
      return absl::UnimplementedError(absl::StrCat("no decode run: ", why));
    };
    const bool blocks = !plan_.carried.empty();
    if (plan_.embeds.size() != (blocks ? 2 : 1) ||
        arguments_.size() != (blocks ? 3 + plan_.carried.size() : 1)) {
      return no("the model's one input must be tokens, read by one embedding");
    }
    for (const Attend& a : plan_.attends) {
      if (!a.origin.op->boolAttr("causal")) return unsupported(*a.origin.op, "it is not causal");
      const Attend& first = plan_.attends.front();
      if (a.block != first.block || a.keys != first.keys || (a.block != nullptr) != blocks) {
        return unsupported(*a.origin.op, "all scores must be of the same blocks of steps, or none");
      }
    }
    const Embed& embed = plan_.embeds.back();
    if (blocks &&
        (plan_.attends.empty() || embed.added != plan_.embeds.front().origin.op->result())) {
      return no("a block of steps attends, and adds positions to its tokens");
    }
    if (plan_.choices.size() != 1 || !plan_.outputs.empty() || !plan_.exports.empty() ||
        plan_.choices.front().rows != embed.rows || plan_.choices.front().name.empty() ||
        llvm::any_of(plan_.operands, [](const Operand& o) { return o.selected; })) {
      return no("its one output must be the argmax of every position");
    }
    plan_.steps =
        Steps{&embed, nullptr, &plan_.choices.front(), embed.rows, embed.rows, embed.matrix->rows};
    if (blocks) {
      plan_.steps->positions = &plan_.embeds.front();
      plan_.steps->context = plan_.attends.front().keys;
    }
    return absl::OkStatus();
  }

  Edge edge(int64_t rows, int64_t columns, int64_t tile_rows, int64_t tile_columns) {
    Edge e;
    e.address = next_address_;
    e.rows = rows, e.columns = columns;
    e.tile_rows = tile_rows, e.tile_columns = tile_columns;
    next_address_ += e.tiles();
    return e;
  }

  int64_t addresses(int64_t count) {
    next_address_ += count;
    return next_address_ - count;
  }

  absl::Status connect() {
    const LaneCounts& lanes = plan_.lanes;
    for (Embed& e : plan_.embeds) {
      producers_[e.origin.op->result()] = &e.out;
      token_major_.insert(e.origin.op->result());
      e.address = addresses(e.rows);
    }
    for (Embed& e : plan_.embeds) {
      if (!e.added) continue;
      if (absl::Status s =
              copy(e.origin, e.added, lanes.rows, lanes.features, &e.in.emplace_back());
          !s.ok()) {
        return s;
      }
    }
    for (Norm& n : plan_.norms) {
      producers_[n.origin.op->result()] = &n.out;
      token_major_.insert(n.origin.op->result());
      n.statistics = addresses(n.rows);
    }
    for (Result& r : plan_.results) {
      for (Part& part : r.parts) producers_[part.result] = &part.out;
    }
    for (Norm& n : plan_.norms) {
      const ir::Value* x = resolve(n.origin.op->operand(0));
      if (absl::Status s = copy(n.origin, x, lanes.rows, lanes.features, &n.in.emplace_back());
          !s.ok()) {
        return s;
      }
      if (!view(x).rows.empty()) continue;
      hubs_.try_emplace(view(x).base, &n.forward);
      token_major_.insert(view(x).base);
    }
    for (Operand& o : plan_.operands) {
      if (absl::Status s = connectOperand(o); !s.ok()) return s;
    }
    for (Result& r : plan_.outputs) {
      for (Part& part : r.parts) {
        part.out.push_back(edge(r.rows, part.size, lanes.rows, lanes.features));
        part.out.back().group = publicGroup(part.name);
      }
    }
    for (Choice& c : plan_.choices) c.address = addresses(c.rows);
    if (plan_.steps) {
      plan_.steps->tape = addresses(plan_.steps->rows + 1);
      plan_.steps->lengths = addresses(4);
      plan_.steps->block = addresses(plan_.attends.size());
      plan_.steps->choices = addresses(plan_.steps->rows);
    }
    for (Export& e : plan_.exports) {
      int64_t tile_rows = std::gcd(lanes.rows, e.value->type().shape[0]);
      absl::Status s =
          copy(e.origin, e.value, tile_rows, lanes.features, &e.edge, publicGroup(e.name));
      if (!s.ok()) return s;
    }
    return absl::OkStatus();
  }

  absl::Status connectOperand(Operand& o) {
    const int64_t lanes = plan_.lanes.rows, keys = plan_.lanes.keys;
    o.blocks = (o.length + lanes - 1) / lanes;
    o.padding = o.blocks * lanes - o.length;
    o.length += o.padding;
    o.edges.resize(o.batch);
    if (o.batch > 1) {
      Attend* a = attend_of_.find(resolve(o.value)->definingOp())->second;
      for (Edge& e : o.edges) {
        e = edge(a->queries, a->keys, lanes, keys);
        a->out.push_back(e);
      }
      return absl::OkStatus();
    }
    if (const ir::Op* op = resolve(o.value)->definingOp(); op && attend_of_.count(op)) {
      Attend* a = attend_of_[op];
      o.edges[0] = edge(a->queries, a->keys, lanes, keys);
      a->out.push_back(o.edges[0]);
      return absl::OkStatus();
    }
    if (auto all = appended_.find(o.value); all != appended_.end()) {
      return connectCarried(o, all->second.first, all->second.second);
    }
    bool by_columns = o.kind == Operand::kRightColumns;
    if (by_columns && token_major_.contains(view(o.value).base) && lanes != plan_.lanes.features) {
      return unsupported(*o.origin.op, "its values come from no matrix product");
    }
    return copy(o.origin, o.value, lanes, by_columns ? lanes : plan_.lanes.features, &o.edges[0]);
  }

  // Rows of the block before, then of this one.
  absl::Status connectCarried(Operand& o, const ir::Value* before, const ir::Value* own) {
    const int64_t lanes = plan_.lanes.rows, rows = before->type().shape[0];
    const int64_t tile_columns = o.kind == Operand::kRightColumns ? lanes : plan_.lanes.features;
    if (!carried_.insert(before).second) {
      return unsupported(*o.origin.op, "reads rows of an input that another op reads too");
    }
    o.carried = rows;
    Edge e = edge(rows, before->type().shape[1], lanes, tile_columns);
    e.group = kCarryIn;
    o.before.push_back(e);
    e.group = kCarryOut;
    o.after.push_back(e);
    return copy(o.origin, own, lanes, tile_columns, &o.edges[0]);
  }

  // A new copy of `value`, registered with its producer (or the norm that passes it on).
  absl::Status copy(const Origin& origin, const ir::Value* value, int64_t tile_rows,
                    int64_t tile_columns, Edge* out, const std::string& group = "") {
    View v = view(value);
    int64_t rows = v.rows.empty() ? v.base->type().shape[0] : int64_t(v.rows.size());
    if (v.start != 0 || v.size != v.base->type().shape.back()) {
      return unsupported(*origin.op, "reads some columns of a requantized tensor");
    }
    *out = edge(rows, v.size, tile_rows, tile_columns);
    out->selected = v.rows;
    out->group = group;
    if (!v.rows.empty() && !token_major_.contains(v.base)) {
      return unsupported(*origin.op, "rows can be selected after a LayerNorm only");
    }
    if (auto hub = hubs_.find(v.base); hub != hubs_.end()) {
      hub->second->push_back(*out);
    } else if (auto producer = producers_.find(v.base); producer != producers_.end()) {
      producer->second->push_back(*out);
    } else if (arguments_.count(v.base) && v.rows.empty()) {
      if (!given_.insert(v.base).second) {
        return unsupported(*origin.op, "reads an input of the model that another op reads too");
      }
      out->group = publicGroup(v.base->name());
      plan_.givens.push_back({origin, v.base, v.base->name().str(), {*out}});
    } else {
      return unsupported(*origin.op, "its input comes from no encoded op");
    }
    return absl::OkStatus();
  }

  Plan plan_;
  int64_t next_product_ = 1;
  int64_t next_address_ = 1;
  std::set<const ir::Value*> arguments_;
  llvm::DenseSet<const ir::Value*> given_, carried_;
  // Of each result of integer.append_rows: the input, and what is appended.
  std::map<const ir::Value*, std::pair<const ir::Value*, const ir::Value*>> appended_;
  std::map<const ir::Value*, View> views_;
  std::map<const ir::Op*, Result> pending_;
  std::vector<const ir::Op*> order_;
  llvm::DenseSet<const ir::Op*> normalized_;  // scores that a softmax reads
  llvm::DenseMap<const ir::Op*, Matrix*> matrix_of_;
  llvm::DenseMap<const ir::Op*, Product*> product_of_;
  llvm::DenseMap<const ir::Op*, Attend*> attend_of_;
  llvm::DenseMap<const ir::Op*, Choice*> choice_of_;
  llvm::DenseMap<const ir::Value*, std::vector<Edge>*> producers_;
  llvm::DenseMap<const ir::Value*, std::vector<Edge>*> hubs_;
  llvm::DenseSet<const ir::Value*> token_major_;  // whose copies leave a table with a row per token
};

}  // namespace

absl::StatusOr<Plan> makePlan(const ir::Function& function, const LowerToAirOptions& options) {
  return Planner().run(function, options);
}

}  // namespace lindero::passes
