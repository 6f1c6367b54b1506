#include "passes/lower_air/lower_to_air/lower_to_air.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/gadgets/steps/public_inputs.h"
#include "passes/lower_air/lower_to_air/choose_layout.h"

namespace lindero::passes {
namespace {

// Lists the items of the function's ops, each by the gadget that encodes it.
class Planner {
 public:
  Planner(Wiring& wiring, llvm::ArrayRef<std::unique_ptr<Gadget>> gadgets)
      : wiring_(wiring), gadgets_(gadgets) {
    for (const auto& gadget : gadgets) {
      for (llvm::StringRef op : gadget->ops()) gadget_of_[op] = gadget.get();
    }
  }

  absl::Status plan(const ir::Function& main) {
    if (absl::Status s = walk(main.body(), ""); !s.ok()) return s;
    for (const auto& gadget : gadgets_) {
      if (absl::Status s = gadget->connect(); !s.ok()) return s;
    }
    return wiring_.connect();
  }

  absl::Status trace(TraceBuilder& t) const {
    for (const PublicInput& p : wiring_.publicInputs()) {
      t.keep(p.value, "", t.input(p.name, p.value->type().elements()));
    }
    for (const auto& gadget : gadgets_) gadget->traceInputs(t);
    for (const Origin& origin : program_) {
      const ir::Op& op = *origin.op;
      t.setOrigin(op.location(), origin.region);
      if (auto gadget = gadget_of_.find(op.name()); gadget != gadget_of_.end()) {
        gadget->second->trace(t, op);
      } else if (op.is("integer.select_rows")) {
        traceSelectRows(t, op);
      } else if (op.is("integer.return")) {
        traceOutputs(t);
      }
    }
    return absl::OkStatus();
  }

 private:
  struct Output {
    const ir::Value* value;
    std::string name;
    const Gadget* gadget;  // null: a stored tensor
  };

  absl::Status walk(const ir::Block& block, const std::string& region) {
    for (const ir::Op& op : block.ops()) {
      if (op.is("region.region")) {
        if (absl::Status s = walk(*op.block(), op.stringAttr("label")); !s.ok()) return s;
        const ir::Op& yield = op.block()->ops().back();
        for (unsigned i = 0; i < op.numResults(); ++i)
          wiring_.alias(op.result(i), yield.operand(i));
      } else if (!op.is("region.yield") && !op.is("integer.constant")) {
        program_.push_back({&op, region});
        if (absl::Status s = visit(program_.back()); !s.ok()) return s;
      }
    }
    return absl::OkStatus();
  }

  absl::Status visit(const Origin& origin) {
    const ir::Op& op = *origin.op;
    if (auto it = gadget_of_.find(op.name()); it != gadget_of_.end())
      return it->second->plan(origin);
    if (op.is("integer.slice")) {
      View v = wiring_.view(op.operand(0));
      v.start += op.intAttr("start");
      v.size = op.intAttr("size");
      wiring_.setView(op.result(), v);
      return absl::OkStatus();
    }
    if (op.is("integer.select_rows")) {
      View v = wiring_.view(op.operand(0));
      if (!v.rows.empty()) return cannotLower(op, "rows of selected rows");
      v.rows.assign(op.intsAttr("rows").begin(), op.intsAttr("rows").end());
      wiring_.setView(op.result(), v);
      return absl::OkStatus();
    }
    if (op.is("integer.return")) return visitOutputs(origin);
    return cannotLower(op, "no encoding for this op");
  }

  absl::Status visitOutputs(const Origin& origin) {
    const ir::Op& op = *origin.op;
    if (!op.has("names")) return cannotLower(op, "its outputs have no names");
    const auto& names = std::get<std::vector<std::string>>(*op.find("names"));
    for (unsigned i = 0; i < op.numOperands(); ++i) {
      Output output{wiring_.resolve(op.operand(i)), names[i], nullptr};
      for (const auto& gadget : gadgets_) {
        absl::StatusOr<bool> taken = gadget->planOutput(origin, output.value, output.name);
        if (!taken.ok()) return taken.status();
        if (*taken) output.gadget = gadget.get();
      }
      if (!output.gadget) {
        if (wiring_.isInput(wiring_.view(output.value).base)) {
          return cannotLower(op, "an output that is an input");
        }
        wiring_.exportTensor(origin, output.value, output.name);
      }
      outputs_.push_back(output);
    }
    return absl::OkStatus();
  }

  static void traceSelectRows(TraceBuilder& t, const ir::Op& op) {
    const int64_t width = op.result()->type().shape[1];
    std::vector<int64_t> rows = op.intsAttr("rows").vec();
    const int64_t size = rows.size() * width;
    t.keep(op.result(), "",
           t.create("trace.copy_rows", {t.find(op.operand(0))}, {size},
                    {{"width", width}, {"rows", rows}})
               ->result());
  }

  void traceOutputs(TraceBuilder& t) const {
    for (const Output& output : outputs_) {
      ir::Value* buffer =
          output.gadget ? output.gadget->traceOutput(t, output.value) : t.find(output.value);
      if (buffer) t.create("trace.output", {buffer}, {}, {{"tensor", output.name}});
    }
  }

  Wiring& wiring_;
  const llvm::ArrayRef<std::unique_ptr<Gadget>> gadgets_;
  std::map<llvm::StringRef, Gadget*> gadget_of_;
  std::vector<Origin> program_;  // integer ops in program order, regions flattened
  std::vector<Output> outputs_;
};

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
    if (absl::Status s = namesFree(*main); !s.ok()) return s;
    Wiring wiring(*main, options_);
    const std::vector<std::unique_ptr<Gadget>> gadgets = makeGadgets(wiring);
    Planner planner(wiring, gadgets);
    if (absl::Status s = planner.plan(*main); !s.ok()) return s;
    std::vector<const TableKind*> kinds;
    for (const auto& gadget : gadgets) llvm::append_range(kinds, gadget->tables());
    absl::StatusOr<ChosenLayout> chosen = chooseLayout(wiring, kinds);
    if (!chosen.ok()) return chosen.status();

    CircuitBuilder circuit(module.addFunction("circuit"));
    LookupTables tables;
    std::map<const ir::Value*, ConstantPlace> constants;
    Lowering l{circuit, tables, wiring, chosen->layout, constants};
    for (const TableKind* kind : kinds) {
      for (const Stack& stack : chosen->layout.stacks(*kind)) {
        TableBuilder table(circuit, stack.name, stack.rows);
        kind->build(l, table, stack.items);
      }
    }
    for (const auto& gadget : gadgets) gadget->publish(l);
    tables.build(circuit, module, chosen->column_cost);
    publishTensors(l);
    if (tables.widestRange() > 16) {
      return absl::UnimplementedError(absl::StrCat("lower-to-air: a remainder or quotient of ",
                                                   tables.widestRange(), " bits; at most 16"));
    }
    TraceBuilder trace(module.addFunction("trace"), wiring, chosen->layout, tables, constants);
    if (absl::Status s = planner.trace(trace); !s.ok()) return s;
    if (absl::Status s = trace.finish(circuit.placements()); !s.ok()) return s;
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

  // The public inputs that a decode run has besides.
  static absl::Status namesFree(const ir::Function& main) {
    for (const auto& argument : main.body().arguments()) {
      if (argument->name() != kTape && argument->name() != kLengths) continue;
      return absl::UnimplementedError(
          absl::StrCat("an input is called ", argument->name().str(), ", as one of a decode run"));
    }
    return absl::OkStatus();
  }

  static void publishTensors(Lowering& l) {
    for (const PublicInput& p : l.wiring.publicInputs()) {
      publish(l, p.value->type(), p.name, p.copy, false);
    }
    for (const PublicOutput& p : l.wiring.publicOutputs()) {
      publish(l, p.value->type(), p.name, p.copy, true);
    }
  }

  static void publish(Lowering& l, const ir::Type& type, const std::string& name, CopyId copy,
                      bool output) {
    const Edge e = l.layout.edge(copy);
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
