// Writes the trace program: steps that compute every value of the integer program and the witnesses
// of its gadgets, and where they stand in the tables.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ir/core/ir.h"
#include "ir/trace/builder.h"
#include "passes/lower_air/circuit/circuit_builder.h"
#include "passes/lower_air/circuit/lookup_tables.h"
#include "passes/lower_air/gadgets/layout.h"

namespace lindero::passes {

using Attributes = std::vector<ir::NamedAttribute>;
using Step = ir::trace::MadeStep;

class TraceWriter {
 public:
  TraceWriter(ir::Function* trace, const Wiring& wiring, const Layout& layout, LookupTables& tables,
              const ConstantPlaces& constants);
  const Layout& layout() const { return layout_; }
  LookupTables& tables() { return tables_; }

  // Of the steps that follow.
  void setOrigin(const ir::Location& nodes, const std::string& region);

  // The buffer of a value (no name) or of a witness of the op that computes it; null: none yet.
  ir::Value* find(const ir::Value* value, const std::string& name = "") const;
  void keep(const ir::Value* value, const std::string& name, ir::Value* buffer);
  // Results of a step, under their own names.
  void keepAll(const ir::Value* value, const Step& step, llvm::ArrayRef<const char*> names);

  // See ir/trace/builder.h.
  Step step(llvm::StringRef name, ir::trace::TraceBuilder::Buffers reads,
            ir::trace::TraceBuilder::Attributes attributes = {},
            ir::trace::TraceBuilder::Sizes sizes = {}) {
    return trace_.step(name, reads, attributes, sizes);
  }
  ir::Value* input(const std::string& tensor);
  ir::Value* load(const ConstantPlace& place);
  const ConstantPlace& placeOf(const ir::Value* value, const std::string& name = "") const {
    return constants_.at({value, name});
  }
  const ConstantPlace* findPlace(const ir::Value* value, const std::string& name) const {
    auto it = constants_.find({value, name});
    return it == constants_.end() ? nullptr : &it->second;
  }
  // Elements of a lookup table's column: row `key` - `low` of the place.
  ir::Value* lookUp(ir::Value* key, const LookupTables::Place& place, const std::string& column,
                    int64_t low);

  // The placements of witnesses, after all steps.
  absl::Status finish(llvm::ArrayRef<WitnessPlacement> placements);

 private:
  ir::trace::TraceBuilder trace_;
  const Wiring& wiring_;
  const Layout& layout_;
  LookupTables& tables_;
  const ConstantPlaces& constants_;
  std::map<std::pair<const ir::Value*, std::string>, ir::Value*> buffers_;
};

// The attributes that stand for a Placement of runtime/program/program.proto.
void addCells(Attributes& attributes, const std::string& table, const std::string& column,
              int64_t lanes, const Cells& cells);

}  // namespace lindero::passes
