#include "passes/region/form_regions/form_regions.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/region/form_regions/sort_ops.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

using Paths = llvm::DenseMap<const Op*, RegionPath>;

// The op of `block` that is `op` or holds it; null if none does.
const Op* ancestorIn(const ir::Block* block, const Op* op) {
  while (op != nullptr && op->parent() != block) op = op->parent()->parentOp();
  return op;
}

// Moves neighbours of one block into a new region in their place. What others read of them is
// yielded.
Op* wrap(llvm::ArrayRef<Op*> ops, llvm::StringRef kind, llvm::StringRef label) {
  ir::Block* block = ops.front()->parent();
  std::vector<Value*> yielded;
  std::vector<ir::Type> types;
  for (Op* op : ops) {
    for (unsigned i = 0; i < op->numResults(); ++i) {
      const bool escapes = llvm::any_of(op->result(i)->users(), [&](const Op* reader) {
        return !llvm::is_contained(ops, ancestorIn(block, reader));
      });
      if (!escapes) continue;
      yielded.push_back(op->result(i));
      types.push_back(op->result(i)->type());
    }
  }
  Op* region =
      ir::Builder::before(ops.front())
          .create("region.region", {}, types, {{"kind", kind.str()}, {"label", label.str()}});
  for (Op* op : ops) op->moveToEnd(region->block());
  for (const auto& [i, value] : llvm::enumerate(yielded)) {
    region->result(i)->setName(value->name());
    const std::vector<Op*> readers = value->users().vec();
    for (Op* reader : readers) {
      if (ancestorIn(block, reader) == region) continue;
      for (unsigned k = 0; k < reader->numOperands(); ++k) {
        if (reader->operand(k) == value) reader->setOperand(k, region->result(i));
      }
    }
  }
  ir::Builder(region->block()).create("region.yield", yielded, {});
  return region;
}

// Which run of neighbours of one path each op is in; constants are in none, and separate none.
llvm::DenseMap<const Op*, int> findRuns(const ir::Block& body, const Paths& paths) {
  llvm::DenseMap<const Op*, int> runs;
  const RegionPath* previous = nullptr;
  int run = 0;
  for (const Op& op : body.ops()) {
    if (op.is("integer.constant")) continue;
    auto it = paths.find(&op);
    const RegionPath* path = it == paths.end() ? nullptr : &it->second;
    if (path == nullptr || previous == nullptr || !(*path == *previous)) ++run;
    runs[&op] = run;
    previous = path;
  }
  return runs;
}

// A constant that one run reads joins it, right before its first reader; the others go to the
// front.
void placeConstants(ir::Block& body, Paths& paths) {
  const llvm::DenseMap<const Op*, int> runs = findRuns(body, paths);
  llvm::DenseMap<const Op*, size_t> position;
  std::vector<Op*> shared, own;
  Op* front = nullptr;  // the first op that is no constant
  for (Op& op : body.ops()) {
    position[&op] = position.size();
    if (!op.is("integer.constant")) {
      if (front == nullptr) front = &op;
      continue;
    }
    llvm::ArrayRef<Op*> readers = op.result()->users();
    const bool joins = !readers.empty() && paths.contains(readers.front()) &&
                       llvm::all_of(readers, [&](const Op* reader) {
                         return runs.lookup(reader) == runs.lookup(readers.front());
                       });
    (joins ? own : shared).push_back(&op);
  }
  for (Op* constant : shared) constant->moveBefore(front);
  for (Op* constant : own) {
    Op* first = *llvm::min_element(constant->result()->users(), [&](const Op* a, const Op* b) {
      return position.lookup(a) < position.lookup(b);
    });
    const RegionPath path = paths.lookup(first);
    paths[constant] = path;
    constant->moveBefore(first);
  }
}

void formRegions(ir::Block& body, const Paths& paths) {
  std::vector<Op*> ops;
  for (Op& op : body.ops()) ops.push_back(&op);
  for (size_t i = 0, end; i < ops.size(); i = end) {
    end = i + 1;
    auto path = paths.find(ops[i]);
    if (path == paths.end()) continue;
    std::vector<Op*> members;
    for (end = i; end < ops.size();) {
      auto inner = paths.find(ops[end]);
      if (inner == paths.end() || !inner->second.sameOuter(path->second)) break;
      const size_t start = end;
      while (end < ops.size()) {
        auto next = paths.find(ops[end]);
        if (next == paths.end() || !(next->second == inner->second)) break;
        ++end;
      }
      const llvm::ArrayRef<Op*> run(ops.data() + start, end - start);
      if (inner->second.inner_kind.empty()) {
        members.insert(members.end(), run.begin(), run.end());
      } else {
        members.push_back(wrap(run, inner->second.inner_kind, inner->second.innerLabel()));
      }
    }
    wrap(members, path->second.kind, path->second.label);
  }
}

class FormRegions : public Pass {
 public:
  llvm::StringRef name() const override { return "form-regions"; }
  llvm::StringRef summary() const override {
    return "Sorts the integer program into regions by their kind of work";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* main = module.findFunction("main");
    if (main == nullptr) {
      return absl::InvalidArgumentError("the module has no function @main to sort into regions");
    }
    ir::Block& body = main->body();
    for (const Op& op : body.ops()) {
      if (op.is("region.region")) return false;
      if (op.def().dialect() == "tensor") {
        return absl::InvalidArgumentError(absl::StrCat(
            ir::describe(op), ": regions hold integer ops; run quantize before form-regions"));
      }
    }
    Paths paths = sortOps(*main);
    if (paths.empty()) return false;
    placeConstants(body, paths);
    formRegions(body, paths);
    return true;
  }
};

}  // namespace

std::unique_ptr<Pass> createFormRegions() { return std::make_unique<FormRegions>(); }
absl::Status registerFormRegions() { return registerPass(createFormRegions); }

}  // namespace lindero::passes
