#include "passes/boundary/placement/outline.h"

#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/integer/crossing.h"
#include "ir/region/segment.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::integer::sourceOf;

bool isConstant(const Op& op) { return op.is("integer.constant"); }

void addNodes(ir::Location& nodes, const ir::Location& more) {
  for (const std::string& node : more) {
    if (!llvm::is_contained(nodes, node)) nodes.push_back(node);
  }
}

// Does `block`, or what is in it, hold the op?
bool holds(const Op& region, const Op* op) {
  for (; op != nullptr; op = op->parent()->parentOp()) {
    if (op == &region) return true;
  }
  return false;
}

// Copies the part of the program that is in one segment, block by block.
class SegmentCloner {
 public:
  SegmentCloner(const PlacementGraph& graph, const Assignment& assignment, int64_t segment,
                ir::Module& target)
      : graph_(graph), assignment_(assignment), segment_(segment), target_(target) {
    for (const Op* op : workOf(graph.function())) {
      if (!isOwn(*op)) continue;
      for (const Value* operand : op->operands()) {
        const Op* maker = sourceOf(operand)->definingOp();
        if (maker != nullptr && isConstant(*maker)) constants_.insert(maker);
      }
    }
  }

  // What stands for a value of the program in the segment's function.
  void define(const Value* source, Value* value) { visible_[source] = value; }
  Value* find(const Value* source) const { return visible_.lookup(source); }
  // Is to be visible in the function's body.
  void exportValue(const Value* source) { exports_.insert(source); }

  void clone(const ir::Block& from, ir::Block& to) {
    for (const Op& op : from.ops()) {
      if (op.block() != nullptr) {
        cloneRegion(op, to);
      } else if (!op.def().terminator && isOwn(op)) {
        cloneOp(op, to);
      }
    }
  }

 private:
  // Constants are of each segment that reads them.
  bool isOwn(const Op& op) const {
    return isConstant(op) ? constants_.contains(&op)
                          : assignment_.segments[graph_.atomOf(op)] == segment_;
  }

  void cloneOp(const Op& op, ir::Block& to) {
    llvm::SmallVector<Value*, 4> operands;
    for (const Value* operand : op.operands()) operands.push_back(find(sourceOf(operand)));
    Op* copy = create(op, operands, {op.result()->type()}, to);
    copy->result()->setName(op.result()->name());
    define(op.result(), copy->result());
    if (isConstant(op)) shareConstant(op.symbolAttr("value"));
    if (op.is("integer.copy")) shareConstant(op.symbolAttr("indices"));
  }

  Op* create(const Op& op, llvm::ArrayRef<Value*> operands, llvm::ArrayRef<ir::Type> types,
             ir::Block& to) {
    ir::Builder builder(&to);
    builder.setLocation(op.location());
    Op* copy = builder.create(op.name(), operands, types, op.attributes());
    copy->remove(ir::region::kSegment);
    return copy;
  }

  void shareConstant(const std::string& name) {
    const ir::ConstantPool& pool = graph_.function().module()->constants();
    if (target_.constants().find(name) == nullptr) target_.constants().add(*pool.find(name));
  }

  // A region keeps what it yields of this segment, and yields what is exported from within.
  void cloneRegion(const Op& region, ir::Block& to) {
    bool any = false;
    ir::walk(std::as_const(*region.block()), [&](const Op& op) {
      any |= op.block() == nullptr && !op.def().terminator && isOwn(op);
    });
    if (!any) return;
    llvm::SmallSetVector<const Value*, 8> yielded;
    auto yield = [&](const Value* source) {
      const Op* maker = source->definingOp();
      if (maker != nullptr && isOwn(*maker) && holds(region, maker)) yielded.insert(source);
    };
    for (const Value* value : region.block()->terminator()->operands()) yield(sourceOf(value));
    for (const Value* source : exports_) yield(source);

    llvm::SmallVector<ir::Type, 8> types;
    for (const Value* source : yielded) types.push_back(source->type());
    Op* copy = create(region, {}, types, to);
    clone(*region.block(), *copy->block());
    llvm::SmallVector<Value*, 8> values;
    for (const Value* source : yielded) values.push_back(find(source));
    ir::Builder(copy->block()).create("region.yield", values, {});
    for (const auto& [i, source] : llvm::enumerate(yielded)) {
      copy->result(i)->setName(source->name());
      define(source, copy->result(i));
    }
  }

  const PlacementGraph& graph_;
  const Assignment& assignment_;
  const int64_t segment_;
  ir::Module& target_;
  llvm::DenseSet<const Op*> constants_;
  llvm::DenseMap<const Value*, Value*> visible_;
  llvm::SetVector<const Value*> exports_;
};

const Op& returnOf(const PlacementGraph& graph) { return *graph.function().body().terminator(); }

// By segment, the ops that read a value in an atom.
using Readers = std::map<int64_t, std::vector<const Op*>>;

Readers readersOf(const PlacementGraph& graph, const Assignment& assignment, const Value* value,
                  llvm::ArrayRef<size_t> atoms) {
  Readers readers;
  for (size_t atom : atoms) {
    for (const Op* op : graph.atoms()[atom].ops) {
      if (llvm::any_of(op->operands(), [&](const Value* v) { return sourceOf(v) == value; }))
        readers[assignment.segments[atom]].push_back(op);
    }
  }
  return readers;
}

// Of each input.
std::vector<Readers> readersOfInputs(const PlacementGraph& graph, const Assignment& assignment) {
  std::vector<size_t> atoms(graph.atoms().size());
  std::iota(atoms.begin(), atoms.end(), size_t{0});
  std::vector<Readers> readers;
  for (const auto& argument : graph.function().body().arguments())
    readers.push_back(readersOf(graph, assignment, argument.get(), atoms));
  return readers;
}

bool crosses(const Value* input) { return input->type().element == ir::Element::kFixed; }

}  // namespace

std::vector<Link> linksOf(const PlacementGraph& graph, const Assignment& assignment) {
  std::vector<Link> links;
  auto add = [&](const Value* value, int64_t from, const ir::Location& makers, Readers readers) {
    readers.erase(from);
    for (const auto& [to, ops] : readers) {
      Link& link =
          links.emplace_back(Link{value, from, to, absl::StrCat("cut/", links.size()), makers, {}});
      for (const Op* op : ops) addNodes(link.readers, op->location());
    }
  };
  for (const auto& [i, readers] : llvm::enumerate(readersOfInputs(graph, assignment))) {
    const Value* input = graph.function().body().arguments()[i].get();
    if (!readers.empty() && crosses(input))
      add(input, readers.begin()->first, {input->name().str()}, readers);
  }
  for (const Crossing& crossing : graph.crossings()) {
    add(crossing.value, assignment.segments[crossing.maker],
        crossing.value->definingOp()->location(),
        readersOf(graph, assignment, crossing.value, crossing.readers));
  }
  return links;
}

absl::Status checkNames(const PlacementGraph& graph, llvm::ArrayRef<Link> links) {
  const auto* outputs = returnOf(graph).find("names");
  auto refuse = [](const char* what, const std::string& name) {
    return absl::InvalidArgumentError(
        absl::StrCat("an ", what, " is called ", name, ", as a link is; rename it"));
  };
  for (const Link& link : links) {
    for (const auto& argument : graph.function().body().arguments())
      if (argument->name() == link.name) return refuse("input", link.name);
    if (outputs != nullptr &&
        llvm::is_contained(std::get<std::vector<std::string>>(*outputs), link.name))
      return refuse("output", link.name);
  }
  return absl::OkStatus();
}

std::vector<size_t> inputsOf(const PlacementGraph& graph, const Assignment& assignment,
                             int64_t segment) {
  std::vector<size_t> inputs;
  for (const auto& [i, readers] : llvm::enumerate(readersOfInputs(graph, assignment))) {
    const bool linked = crosses(graph.function().body().arguments()[i].get());
    if (readers.contains(segment) && (!linked || readers.begin()->first == segment))
      inputs.push_back(i);
  }
  return inputs;
}

std::vector<size_t> outputsOf(const PlacementGraph& graph, const Assignment& assignment,
                              int64_t segment) {
  std::vector<size_t> outputs;
  const std::vector<size_t> inputs = inputsOf(graph, assignment, segment);
  for (const auto& [i, value] : llvm::enumerate(returnOf(graph).operands())) {
    const Value* source = sourceOf(value);
    const Op* maker = source->definingOp();
    if (maker != nullptr && isConstant(*maker)) continue;
    const bool own = maker == nullptr
                         ? crosses(source) && llvm::is_contained(inputs, source->index())
                         : assignment.segments[graph.atomOf(*maker)] == segment;
    if (own) outputs.push_back(i);
  }
  return outputs;
}

ir::Function* outlineSegment(const PlacementGraph& graph, const Assignment& assignment,
                             llvm::ArrayRef<Link> links, int64_t segment, ir::Module& target,
                             llvm::StringRef name) {
  ir::Function* function = target.addFunction(name);
  ir::Block& body = function->body();
  SegmentCloner cloner(graph, assignment, segment, target);
  for (size_t i : inputsOf(graph, assignment, segment)) {
    const Value* argument = graph.function().body().arguments()[i].get();
    cloner.define(argument, body.addArgument(argument->type(), argument->name()));
  }
  std::vector<const Value*> results;
  std::vector<std::string> names;
  auto returns = [&](const Value* source, const std::string& name) {
    cloner.exportValue(source);
    results.push_back(source);
    names.push_back(name);
  };
  const Op& end = returnOf(graph);
  for (size_t i : outputsOf(graph, assignment, segment)) {
    const auto* given = end.find("names");
    returns(sourceOf(end.operand(i)), given != nullptr
                                          ? std::get<std::vector<std::string>>(*given)[i]
                                          : absl::StrCat("output/", i));
  }
  for (const Link& link : links) {
    if (link.to == segment) {
      cloner.define(link.value, body.addArgument(link.value->type(), link.name));
    } else if (link.from == segment) {
      returns(link.value, link.name);
    }
  }
  cloner.clone(graph.function().body(), body);
  std::vector<Value*> values;
  for (const Value* source : results) values.push_back(cloner.find(source));
  ir::Builder(&body).create("integer.return", values, {}, {{"names", names}});
  return function;
}

}  // namespace lindero::passes
