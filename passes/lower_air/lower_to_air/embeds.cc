// Embeddings, token-major: a row holds some features of a token. The fold of the row
// looked up, sum_j sigma^(D-1-j) WTE[id, j], is a phase-2 value of the vocabulary table, so the bus
// (row, fold) is checked under challenges drawn after phase 2.
#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {

void buildEmbeds(Lowering& l, const Stack<Embed>& stack) {
  CircuitBuilder& c = l.circuit;
  TableBuilder t(c, stack.name, stack.rows);
  int64_t lanes = l.plan.lanes.features;
  Expr within = t.fixed("within"), last = t.fixed("last"), address = t.fixed("address");
  Expr stride = t.fixed("stride"), base = t.fixed("base");
  EdgeSlots out(t, "out");
  std::vector<std::pair<std::string, Expr>> publics;  // the rows of each input's ids
  Lanes addend = t.fixedLanes("addend", lanes);
  Lanes x = t.mainLanes("x", lanes), added;
  EdgeSlots in(t, "in");
  if (llvm::any_of(stack.entries, [](const auto& e) { return e.item->added; })) {
    added = t.mainLanes("added", lanes);
  }
  Expr id = t.main("id");
  int64_t longest = 1;
  for (const auto& e : stack.entries) {
    const Embed& a = *e.item;
    const ir::Op& op = *a.origin.op;
    int64_t blocks = a.width / lanes, first = e.first_row, last_row = first + blocks - 1;
    longest = std::max(longest, blocks);
    if (blocks > 1) t.fill(within, {first + 1, {{a.rows, blocks, 0}, {blocks - 1, 1, 0}}, 1, 0});
    t.fill(last, {last_row, {{a.rows, blocks, 0}}, 1, 0});
    t.fill(address, {last_row, {{a.rows, blocks, 1}}, a.address, 0});
    if (!l.plan.steps) {
      publics.push_back({a.name, stack.entries.size() == 1 ? last : t.fixed("id." + a.name)});
      if (stack.entries.size() > 1) {
        t.fill(publics.back().second, {last_row, {{a.rows, blocks, 0}}, 1, 0});
      }
    }
    t.fill(stride, {last_row, {{a.rows, blocks, 0}}, a.matrix->blocks, 0});
    t.fill(base, {last_row, {{a.rows, blocks, 0}}, a.matrix->copy_base + a.matrix->blocks, 0});
    Cells elements{first, {{a.rows, blocks, a.width}, {blocks, 1, lanes}}, 0, 1};
    if (a.addend) {
      t.fill(addend, elements, a.addend->definingOp()->symbolAttr("value"));
      l.constants[a.addend] = {t.name(), "addend.0", lanes, elements, a.rows * a.width};
    }
    if (a.added) {
      t.place(added, {a.added, ""}, elements);
      fillTokenMajor(t, *in.of(a.in)[0], first, a.rows, a.in[0]);
    }
    for (auto [slot, edge] : llvm::zip(out.of(a.out), a.out)) {
      fillTokenMajor(t, *slot, first, a.rows, edge);
    }
    t.place(x, {op.result(), ""}, elements);
    t.place(id, {op.result(), "ids"}, {last_row, {{a.rows, blocks, 1}}, 0, 0});
    t.instance(first, e.rows, a.origin.region, op.location());
    if (l.plan.steps) continue;
    c.publicTensor({a.name, false, a.rows, 1, 0, a.matrix->rows - 1, 0, a.address, 1, 1});
  }
  Lanes row;
  for (int64_t i = 0; i < lanes; ++i) {
    row.push_back(x[i] - addend[i]);
    if (added.empty()) continue;
    row.back() = row.back() - added[i];
    t.constrain(added[i] - in.all()[0].on * added[i], "added to some only." + std::to_string(i));
  }
  for (EdgeColumns& slot : in.all()) tokenMajorTerm(t, "in", slot, {{slot.on, added}}, -1);
  Expr fold = t.scan("fold", longest, within * t.outside(c.power(c.sigma(), lanes)),
                     t.dot(row, c.descendingPowers(c.sigma(), lanes)));
  t.constrain(id - last * id, "ids stand at the end of a token");
  t.lookup("row", "vocabulary", last, {id * stride + base, fold});
  if (l.plan.steps) {
    scalarTerm(t, "id", last, address, id, -1);
  } else {
    for (auto& [name, on] : publics) scalarTerm(t, "id", on, address, id, -1, name);
  }
  for (EdgeColumns& slot : out.all()) tokenMajorTerm(t, "out", slot, {{slot.on, x}}, 1);
}

}  // namespace lindero::passes
