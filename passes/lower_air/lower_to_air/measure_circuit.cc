#include "passes/lower_air/lower_to_air/measure_circuit.h"

#include <algorithm>
#include <optional>
#include <set>

#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/lower_to_air/choose_layout.h"
#include "passes/lower_air/lower_to_air/planner.h"

namespace lindero::passes {
namespace {

// A table of lookup tables: each set of columns has a count, and one term of degree (1, 1).
TableSize sizeOf(const ir::Op& table) {
  TableSize size{table.stringAttr("name"), int64_t{1} << table.intAttr("log_height"), {}};
  std::vector<FractionDegrees> fractions;
  for (const ir::Op& op : table.block()->ops()) {
    if (op.is("air.column")) ++(op.intAttr("phase") == 0 ? size.shape.fixed : size.shape.main);
    if (op.is("air.provide")) fractions.push_back({1, 1});
  }
  size.shape.fractions = fractionColumns(fractions);
  return size;
}

}  // namespace

absl::StatusOr<std::vector<TableSize>> measureCircuit(const ir::Function& main,
                                                      const LowerToAirOptions& options) {
  if (absl::Status s = checkConstants(main); !s.ok()) return s;
  Planner planner(main, options);
  if (absl::Status s = planner.plan(); !s.ok()) return s;
  absl::StatusOr<ChosenLayout> chosen = chooseLayout(planner.wiring(), planner.tables());
  if (!chosen.ok()) return chosen.status();
  CircuitBuilder counter;
  LookupTables tables;
  ConstantPlaces constants;
  AirLowering l{counter, tables, planner.wiring(), chosen->layout, constants};
  std::vector<TableSize> sizes;
  for (const TableKind* kind : planner.tables()) {
    for (const Stack& stack : chosen->layout.stacks(*kind)) {
      TableBuilder table(counter, stack.name, stack.rows);
      kind->build(l, table, stack.items);
      sizes.push_back({table.name(), table.height(), table.shape()});
    }
  }
  ir::Module scratch;
  for (const ir::Constant* constant : main.module()->constants().constants())
    scratch.constants().add(*constant);
  CircuitBuilder lookups(scratch.addFunction("lookups"));
  tables.build(lookups, scratch, chosen->column_cost);
  for (const ir::Op& op : scratch.findFunction("lookups")->body().ops()) {
    if (op.is("air.table")) sizes.push_back(sizeOf(op));
  }
  return sizes;
}

absl::StatusOr<std::map<int64_t, int64_t>> lanesDown(const ir::Function& main,
                                                     const LowerToAirOptions& options,
                                                     llvm::ArrayRef<int64_t> rows) {
  if (absl::Status s = checkConstants(main); !s.ok()) return s;
  Planner planner(main, options);
  if (absl::Status s = planner.plan(); !s.ok()) return s;
  absl::StatusOr<ChosenLayout> chosen = chooseLayout(planner.wiring(), planner.tables());
  if (!chosen.ok()) return chosen.status();
  std::set<LaneId> used;
  for (const TableKind* kind : planner.tables()) {
    for (size_t item = 0; item < kind->items(); ++item) used.insert(kind->lanes(item));
  }
  std::map<int64_t, int64_t> lanes;
  for (int64_t n : rows) {
    const std::optional<LaneId> id = planner.wiring().findDown(n);
    int64_t full = std::min(n, options.lanes);
    while (n % full != 0) --full;
    lanes[n] = id && used.contains(*id) ? chosen->layout.lanes(*id) : full;
  }
  return lanes;
}

}  // namespace lindero::passes
