#include "passes/boundary/placement/placement_graph.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/integer/crossing.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::passes {
namespace {

using ir::Op;

bool isView(const Op& op) { return op.is("integer.slice") || op.is("integer.select_rows"); }

// Scores that are looked at: of a causal softmax those up to the query's own position.
int64_t liveScores(const Op& softmax) {
  const auto& shape = softmax.result()->type().shape;
  const int64_t all = softmax.result()->type().elements();
  if (!softmax.boolAttr("causal")) return all;
  const int64_t queries = shape[1];
  return all - all / shape[2] * (queries - 1) / 2;
}

std::map<std::string, int64_t> lookupsOf(const Op& op) {
  const int64_t elements = op.result()->type().elements();
  if (op.is("integer.softmax")) {
    return {{"exponential", liveScores(op)}, {"function", liveScores(op)}};
  }
  if (op.is("integer.layernorm") && op.has("row_shift")) {
    return {{"function", 3 * elements}, {"row_square", elements}};
  }
  if (op.is("integer.argmax")) return {{"function", 2 * op.operand(0)->type().elements()}};
  int64_t each = llvm::StringSwitch<int64_t>(op.name())
                     .Cases("integer.requantize", "integer.lookup", "integer.multiply", 2)
                     .Cases("integer.divide", "integer.layernorm", 3)
                     .Default(0);
  // A sum that is exact has no remainder, a wide one no range.
  if (op.is("integer.affine")) each = op.intAttr("shift") > 0 ? 2 : op.intAttr("bits") > 16 ? 0 : 1;
  if (each == 0) return {};
  return {{"function", each * elements}};
}

int64_t layerOf(llvm::StringRef label) {
  int64_t layer = -1;
  if (!label.consume_front("layer") || label.consumeInteger(10, layer)) return -1;
  return layer;
}

const Op* outermostRegion(const Op& op) {
  const Op* region = nullptr;
  for (const Op* o = op.parent()->parentOp(); o; o = o->parent()->parentOp()) region = o;
  return region;
}

// Indices of ops, in classes that grow until no cycle leads through two of them.
class AtomFinder {
 public:
  explicit AtomFinder(const std::vector<const Op*>& ops) : ops_(ops) {
    for (const auto& [i, op] : llvm::enumerate(ops)) index_[op] = i, classes_.insert(i);
    for (const Op* op : ops) {
      for (const Flow& flow : flowsInto(*op)) {
        flows_.emplace_back(index_.lookup(flow.maker), index_.lookup(flow.reader));
        if (!whyTogether(flow).empty()) unite(flows_.back().first, flows_.back().second);
      }
    }
  }

  // Each class as the indices of its ops, in an order in which it stands after what it reads.
  std::vector<std::vector<size_t>> run() {
    std::vector<std::vector<size_t>> order;
    while (!sort(order)) {
    }
    return order;
  }

 private:
  size_t leader(size_t i) const { return classes_.getLeaderValue(i); }
  void unite(size_t a, size_t b) { classes_.unionSets(a, b); }

  // False: atoms on a cycle were made one. Of the atoms that read nothing that is not placed yet,
  // the one whose first op comes first is next.
  bool sort(std::vector<std::vector<size_t>>& order) {
    std::map<size_t, std::vector<size_t>> members;       // by leader
    std::map<size_t, std::set<size_t>> makers, readers;  // of a class
    for (size_t i = 0; i < ops_.size(); ++i) members[leader(i)].push_back(i);
    for (const auto& [maker, reader] : flows_) {
      const size_t from = leader(maker), to = leader(reader);
      if (from == to) continue;
      makers[to].insert(from), readers[from].insert(to);
    }
    order.clear();
    std::set<std::pair<size_t, size_t>> ready;  // first op, leader
    for (const auto& [id, ops] : members) {
      if (makers[id].empty()) ready.insert({ops.front(), id});
    }
    while (!ready.empty()) {
      const size_t id = ready.begin()->second;
      ready.erase(ready.begin());
      order.push_back(members[id]);
      members.erase(id);
      for (size_t reader : readers[id]) {
        makers[reader].erase(id);
        if (makers[reader].empty()) ready.insert({members[reader].front(), reader});
      }
    }
    if (members.empty()) return true;
    // Whoever is left has a maker that is left: going back from one comes to a cycle.
    std::vector<size_t> path{members.begin()->first};
    while (true) {
      const size_t maker = *makers[path.back()].begin();
      const auto seen = llvm::find(path, maker);
      if (seen == path.end()) {
        path.push_back(maker);
        continue;
      }
      for (auto it = seen; it != path.end(); ++it) unite(maker, *it);
      return false;
    }
  }

  const std::vector<const Op*>& ops_;
  llvm::DenseMap<const Op*, size_t> index_;
  llvm::EquivalenceClasses<size_t> classes_;
  std::vector<std::pair<size_t, size_t>> flows_;
};

Atom makeAtom(std::vector<const Op*> ops) {
  Atom atom{.ops = std::move(ops), .label = {}, .lookups = {}};
  const Op* region = outermostRegion(*atom.ops.front());
  atom.label = region != nullptr && region->has("label") ? region->stringAttr("label")
                                                         : atom.ops.front()->name().str();
  atom.layer = layerOf(atom.label);
  for (const Op* op : atom.ops) {
    for (const auto& [bus, count] : lookupsOf(*op)) atom.lookups[bus] += count;
  }
  return atom;
}

}  // namespace

std::vector<const Op*> workOf(const ir::Function& function) {
  std::vector<const Op*> ops;
  ir::walk(function.body(), [&](const Op& op) {
    if (op.block() == nullptr && !op.def().terminator && !op.is("integer.constant")) {
      ops.push_back(&op);
    }
  });
  return ops;
}

std::vector<Flow> flowsInto(const Op& reader) {
  std::vector<Flow> flows;
  for (const auto& [i, operand] : llvm::enumerate(reader.operands())) {
    const ir::Value* value = ir::integer::sourceOf(operand);
    const Op* maker = value->definingOp();
    if (maker == nullptr || maker->is("integer.constant")) continue;
    flows.push_back({maker, &reader, static_cast<unsigned>(i), value});
  }
  return flows;
}

std::string whyTogether(const Flow& flow) {
  if (isView(*flow.reader)) return "a view is of cells that its tensor's proof has";
  if (flow.reader->is("integer.embedding") && flow.operand == 2) {
    return "the rows of an embedding are added where they are looked up";
  }
  return ir::integer::whyItStays(flow.value);
}

absl::StatusOr<PlacementGraph> PlacementGraph::of(const ir::Function& main) {
  PlacementGraph graph;
  graph.function_ = &main;
  const std::vector<const Op*> ops = workOf(main);
  for (const Op* op : ops) {
    if (op->def().dialect() == "integer") continue;
    return absl::InvalidArgumentError(
        absl::StrCat(ir::describe(*op),
                     ": proof boundaries are placed in the integer program, before "
                     "apply-proof-boundaries; run quantize first"));
  }
  for (const std::vector<size_t>& members : AtomFinder(ops).run()) {
    std::vector<const Op*> own;
    for (size_t i : members) own.push_back(ops[i]), graph.atom_of_[ops[i]] = graph.atoms_.size();
    graph.atoms_.push_back(makeAtom(std::move(own)));
  }
  std::map<const ir::Value*, std::set<size_t>> readers;
  for (const Op* op : ops) {
    for (const Flow& flow : flowsInto(*op)) readers[flow.value].insert(graph.atomOf(*op));
  }
  for (const Op* op : ops) {
    const size_t maker = graph.atomOf(*op);
    std::set<size_t>& all = readers[op->result()];
    all.erase(maker);
    if (!all.empty()) graph.crossings_.push_back({op->result(), maker, {all.begin(), all.end()}});
  }
  return graph;
}

int64_t PlacementGraph::elementsAt(size_t cut) const {
  int64_t elements = 0;
  for (const Crossing& crossing : crossings_) {
    if (crossing.maker < cut && crossing.readers.back() >= cut) elements += crossing.elements();
  }
  return elements;
}

std::string PlacementGraph::describe(size_t atom) const {
  return ir::describe(*atoms_[atom].ops.front());
}

}  // namespace lindero::passes
