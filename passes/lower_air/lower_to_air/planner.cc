#include "passes/lower_air/lower_to_air/planner.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "passes/lower_air/gadgets/steps/public_inputs.h"

namespace lindero::passes {
namespace {

// The public inputs that a decode run has besides.
absl::Status namesFree(const ir::Function& main) {
  for (const auto& argument : main.body().arguments()) {
    if (argument->name() != kTape && argument->name() != kLengths) continue;
    return absl::UnimplementedError(
        absl::StrCat("an input is called ", argument->name().str(), ", as one of a decode run"));
  }
  return absl::OkStatus();
}

void traceSelectRows(TraceWriter& t, const ir::Op& op) {
  t.keep(op.result(), "",
         t.step("copy_rows", {{"in", t.find(op.operand(0))}},
                {{"width", op.result()->type().shape[1]},
                 {"rows", op.intsAttr("rows").vec()}})["out"]);
}

void publishTensor(AirLowering& l, const ir::Type& type, const std::string& name, CopyId copy,
                   bool output) {
  const Edge e = l.layout.edge(copy);
  CircuitBuilder::Public tensor{name,      output,        e.rows,    e.columns,   type.low,
                                type.high, type.exponent, e.address, e.tile_rows, e.tile_columns};
  if (const LinkEnd* link = l.wiring.findLink(name)) {
    // The cells that give it have zeros beside its elements.
    tensor.low = std::min<int64_t>(tensor.low, 0);
    tensor.high = std::max<int64_t>(tensor.high, 0);
    l.circuit.linkEnd(tensor, link->slot);
  } else {
    l.circuit.publicTensor(tensor);
  }
}

}  // namespace

absl::Status checkConstants(const ir::Function& main) {
  absl::Status status;
  ir::walk(main.body(), [&](const ir::Op& op) {
    const bool copies = op.is("integer.copy");
    if (!op.is("integer.constant") && !copies) return;
    const ir::Constant* constant =
        main.module()->constants().find(op.symbolAttr(copies ? "indices" : "value"));
    if (!constant->declaredOnly()) return;
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("the elements of @", constant->name,
                     " are not known; give the folder that holds them (lindero-opt --constants)")));
  });
  return status;
}

Planner::Planner(const ir::Function& main, const LowerToAirOptions& options, LinkEnds links)
    : main_(main), wiring_(main, options, std::move(links)), gadgets_(makeGadgets(wiring_)) {
  for (const auto& gadget : gadgets_) {
    llvm::append_range(tables_, gadget->tables());
    for (llvm::StringRef op : gadget->ops()) gadgets_of_[op].push_back(gadget.get());
  }
}

absl::Status Planner::plan() {
  if (absl::Status s = namesFree(main_); !s.ok()) return s;
  if (absl::Status s = walk(main_.body(), ""); !s.ok()) return s;
  for (const Origin& origin : program_) {
    if (absl::Status s = visit(origin); !s.ok()) return s;
  }
  for (const auto& gadget : gadgets_) {
    if (absl::Status s = gadget->connect(); !s.ok()) return s;
  }
  return wiring_.connect();
}

absl::Status Planner::walk(const ir::Block& block, const std::string& region) {
  for (const ir::Op& op : block.ops()) {
    if (op.is("region.region")) {
      if (absl::Status s = walk(*op.block(), op.stringAttr("label")); !s.ok()) return s;
      const ir::Op& yield = op.block()->ops().back();
      for (unsigned i = 0; i < op.numResults(); ++i) wiring_.alias(op.result(i), yield.operand(i));
    } else if (!op.is("region.yield") && !op.is("integer.constant")) {
      program_.push_back({&op, region});
      if (absl::Status s = look(op); !s.ok()) return s;
    }
  }
  return absl::OkStatus();
}

// Views, and who reads what.
absl::Status Planner::look(const ir::Op& op) {
  if (op.is("integer.slice")) {
    View v = wiring_.view(op.operand(0));
    v.start += op.intAttr("start");
    v.size = op.intAttr("size");
    wiring_.setView(op.result(), v);
  } else if (op.is("integer.select_rows")) {
    View v = wiring_.view(op.operand(0));
    if (!v.rows.empty()) return cannotLower(op, "rows of selected rows");
    v.rows.assign(op.intsAttr("rows").begin(), op.intsAttr("rows").end());
    // An edge gives a row once: of the same row, taken a second time, it would make zeros.
    if (std::set(v.rows.begin(), v.rows.end()).size() < v.rows.size())
      return cannotLower(op, "a row is selected twice");
    wiring_.setView(op.result(), v);
  } else {
    for (unsigned i = 0; i < op.numOperands(); ++i) wiring_.addRead(op, i);
  }
  return absl::OkStatus();
}

absl::Status Planner::visit(const Origin& origin) {
  const ir::Op& op = *origin.op;
  if (op.is("integer.slice") || op.is("integer.select_rows")) return absl::OkStatus();
  for (Gadget* gadget : gadgets_of_[op.name()]) {
    if (!gadget->encodes(op)) continue;
    gadget_of_[&op] = gadget;
    return gadget->plan(origin);
  }
  if (op.is("integer.return")) return visitOutputs(origin);
  return cannotLower(op, "no encoding for this op");
}

absl::Status Planner::visitOutputs(const Origin& origin) {
  const ir::Op& op = *origin.op;
  if (!op.has("names")) return cannotLower(op, "its outputs have no names");
  const auto& names = std::get<std::vector<std::string>>(*op.find("names"));
  for (unsigned i = 0; i < op.numOperands(); ++i) {
    Output output{wiring_.resolve(op.operand(i)), names[i], nullptr};
    const bool linked = wiring_.findLink(names[i]) != nullptr;
    if (linked && output.value->type().element != ir::Element::kFixed) {
      return cannotLower(*output.value->definingOp(),
                         "indices do not cross a proof boundary yet; give what reads them the "
                         "segment of what makes them");
    }
    for (const auto& gadget : gadgets_) {
      if (linked) break;
      absl::StatusOr<bool> taken = gadget->planOutput(origin, output.value, output.name);
      if (!taken.ok()) return taken.status();
      if (*taken) output.gadget = gadget.get();
    }
    if (!output.gadget) {
      const ir::Value* base = wiring_.view(output.value).base;
      if (wiring_.isInput(base) && base->type().element != ir::Element::kFixed) {
        return cannotLower(op, "an output that is an input");
      }
      wiring_.exportTensor(origin, output.value, output.name);
    }
    outputs_.push_back(output);
  }
  return absl::OkStatus();
}

void Planner::publish(AirLowering& l) const {
  for (const auto& gadget : gadgets_) gadget->publish(l);
}

void Planner::publishTensors(AirLowering& l) const {
  for (const PublicInput& p : l.wiring.publicInputs()) {
    publishTensor(l, p.value->type(), p.name, p.copy, false);
  }
  for (const PublicOutput& p : l.wiring.publicOutputs()) {
    publishTensor(l, p.value->type(), p.name, p.copy, true);
  }
}

void Planner::trace(TraceWriter& t) const {
  for (const PublicInput& p : wiring_.publicInputs()) {
    const LinkEnd* link = wiring_.findLink(p.name);
    t.keep(p.value, "",
           link ? t.step("link_in", {}, {{"slot", link->slot}},
                         {{"out", p.value->type().elements()}})["out"]
                : t.input(p.name));
  }
  for (const auto& gadget : gadgets_) gadget->traceInputs(t);
  for (const Origin& origin : program_) {
    const ir::Op& op = *origin.op;
    t.setOrigin(op.location(), origin.region);
    if (auto gadget = gadget_of_.find(&op); gadget != gadget_of_.end()) {
      gadget->second->trace(t, op);
    } else if (op.is("integer.select_rows")) {
      traceSelectRows(t, op);
    } else if (op.is("integer.return")) {
      traceOutputs(t);
    }
  }
}

void Planner::traceOutputs(TraceWriter& t) const {
  for (const Output& output : outputs_) {
    ir::Value* buffer =
        output.gadget ? output.gadget->traceOutput(t, output.value) : t.find(output.value);
    if (const LinkEnd* link = wiring_.findLink(output.name)) {
      t.step("link_out", {{"buffer", buffer}},
             {{"slot", link->slot}, {"elements", output.value->type().elements()}});
    } else if (buffer) {
      t.step("output", {{"buffer", buffer}}, {{"tensor", output.name}});
    }
  }
}

}  // namespace lindero::passes
