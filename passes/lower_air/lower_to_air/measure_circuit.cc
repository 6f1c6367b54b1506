#include "passes/lower_air/lower_to_air/measure_circuit.h"

#include <algorithm>
#include <optional>
#include <set>

#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/lower_to_air/choose_layout.h"
#include "passes/lower_air/lower_to_air/planner.h"

namespace lindero::passes {

absl::StatusOr<std::vector<TableSize>> measureCircuit(const ir::Function& main,
                                                      const LowerToAirOptions& options) {
  if (absl::Status s = checkConstants(main); !s.ok()) return s;
  Planner planner(main, options);
  if (absl::Status s = planner.plan(); !s.ok()) return s;
  absl::StatusOr<ChosenLayout> chosen = chooseLayout(planner.wiring(), planner.tables());
  if (!chosen.ok()) return chosen.status();
  return std::move(chosen->sizes);
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
