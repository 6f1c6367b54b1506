#include "passes/lower_air/lower_to_air/lower_to_air.h"

#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ir/core/op_table.h"
#include "ir/region/segment.h"
#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/lower_to_air/choose_layout.h"
#include "passes/lower_air/lower_to_air/planner.h"

namespace lindero::passes {
namespace {

class LowerToAir : public Pass {
 public:
  explicit LowerToAir(LowerToAirOptions options, LinkEnds links = {})
      : options_(options), links_(std::move(links)) {}
  llvm::StringRef name() const override { return "lower-to-air"; }
  llvm::StringRef summary() const override {
    return "Turn the integer program into tables, constraints, lookups and a trace program";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* main = module.findFunction("main");
    if (!main) return absl::InvalidArgumentError("the module has no function @main");
    if (module.findFunction("circuit")) {
      return absl::InvalidArgumentError("the module has a function @circuit already");
    }
    if (absl::Status s = oneProof(*main); !s.ok()) return s;
    if (absl::Status s = checkConstants(*main); !s.ok()) return s;
    Planner planner(*main, options_, links_);
    if (absl::Status s = planner.plan(); !s.ok()) return s;
    const Wiring& wiring = planner.wiring();
    absl::StatusOr<ChosenLayout> chosen = chooseLayout(wiring, planner.tables());
    if (!chosen.ok()) return chosen.status();

    CircuitBuilder circuit(module.addFunction("circuit"));
    LookupTables tables;
    ConstantPlaces constants;
    AirLowering l{circuit, tables, wiring, chosen->layout, constants};
    for (const TableKind* kind : planner.tables()) {
      for (const Stack& stack : chosen->layout.stacks(*kind)) {
        TableBuilder table(circuit, stack.name, stack.rows);
        kind->build(l, table, stack.items);
      }
    }
    planner.publish(l);
    tables.build(circuit, module, chosen->limits);
    planner.publishTensors(l);
    if (tables.widestRange() > 16) {
      return absl::UnimplementedError(
          absl::StrCat("a remainder or quotient of ", tables.widestRange(), " bits; at most 16"));
    }
    TraceWriter trace(module.addFunction("trace"), wiring, chosen->layout, tables, constants);
    planner.trace(trace);
    if (absl::Status s = trace.finish(circuit.placements()); !s.ok()) return s;
    return true;
  }

 private:
  // A circuit is that of one segment: boundaries that are placed, or applied, are never ignored.
  static absl::Status oneProof(const ir::Function& main) {
    absl::Status status;
    ir::walk(main.body(), [&](const ir::Op& op) {
      if (op.is("proof.segment")) {
        status.Update(absl::InvalidArgumentError(
            absl::StrCat("@main composes segments, and a circuit is of one; choose it: "
                         "select-segment{function=",
                         op.symbolAttr("function"), "}")));
      } else if (ir::region::segmentOf(op).value_or(0) != 0) {
        status.Update(absl::InvalidArgumentError(
            absl::StrCat(ir::describe(op), " is in segment ", *ir::region::segmentOf(op),
                         ", and a circuit is of one proof; run apply-proof-boundaries before")));
      }
    });
    return status;
  }

  LowerToAirOptions options_;
  LinkEnds links_;
};

}  // namespace

namespace {

absl::Status readPrefer(const std::string& name, Prefer& prefer) {
  const std::optional<Prefer> found = preferNamed(name);
  if (!found) {
    return absl::InvalidArgumentError(
        absl::StrCat("lower-to-air: prefer: ", name, " is none of speed, balance, size"));
  }
  prefer = *found;
  return absl::OkStatus();
}

// "cut/0:SLOT:ADDRESS:ROWS:COLUMNS ...", as LinkEnd has them.
absl::Status readLinks(const std::string& text, LinkEnds& links) {
  for (absl::string_view item : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(item, ':');
    LinkEnd end;
    if (parts.size() != 5 || !absl::SimpleAtoi(parts[1], &end.slot) ||
        !absl::SimpleAtoi(parts[2], &end.address) || !absl::SimpleAtoi(parts[3], &end.rows) ||
        !absl::SimpleAtoi(parts[4], &end.columns) || end.rows < 1 || end.columns < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "lower-to-air: links: ", item, " is not name:slot:address:rows:columns of a link's end"));
    }
    links[parts[0]] = end;
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<Prefer> preferNamed(absl::string_view name) {
  for (const Prefer prefer : {Prefer::kSpeed, Prefer::kBalance, Prefer::kSize}) {
    if (nameOf(prefer) == name) return prefer;
  }
  return std::nullopt;
}

absl::string_view nameOf(Prefer prefer) {
  return prefer == Prefer::kSpeed ? "speed" : prefer == Prefer::kSize ? "size" : "balance";
}

std::unique_ptr<Pass> createLowerToAir(LowerToAirOptions options, LinkEnds links) {
  return std::make_unique<LowerToAir>(options, std::move(links));
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
                        std::string prefer(nameOf(options.prefer)), text;
                        reader.read("prefer", prefer);
                        reader.read("links", text);
                        if (absl::Status s = reader.finish(); !s.ok()) return s;
                        if (absl::Status s = readPrefer(prefer, options.prefer); !s.ok()) return s;
                        LinkEnds links;
                        if (absl::Status s = readLinks(text, links); !s.ok()) return s;
                        return createLowerToAir(options, std::move(links));
                      });
}

}  // namespace lindero::passes
