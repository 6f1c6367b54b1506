#include "passes/lower_air/gadgets/trace_writer.h"

#include "absl/strings/str_cat.h"

namespace lindero::passes {

void addCells(Attributes& attributes, const std::string& table, const std::string& column,
              int64_t lanes, const Cells& cells) {
  std::vector<int64_t> counts, row_strides, value_strides;
  for (const Loop& loop : cells.loops) {
    counts.push_back(loop.count);
    row_strides.push_back(loop.row_stride);
    value_strides.push_back(loop.value_stride);
  }
  attributes.insert(attributes.end(), {{"table", ir::Symbol{table}},
                                       {"column", column},
                                       {"lanes", lanes},
                                       {"lane_stride", cells.lane_stride},
                                       {"first_row", cells.first_row},
                                       {"offset", cells.offset},
                                       {"counts", counts},
                                       {"row_strides", row_strides},
                                       {"value_strides", value_strides}});
}

TraceWriter::TraceWriter(ir::Function* trace, const Wiring& wiring, const Layout& layout,
                         LookupTables& tables, const ConstantPlaces& constants)
    : trace_(trace), wiring_(wiring), layout_(layout), tables_(tables), constants_(constants) {}

void TraceWriter::setOrigin(const ir::Location& nodes, const std::string& region) {
  trace_.setLocation(nodes);
  trace_.setRegion(region);
}

ir::Value* TraceWriter::find(const ir::Value* value, const std::string& name) const {
  auto it = buffers_.find({wiring_.resolve(value), name});
  return it == buffers_.end() ? nullptr : it->second;
}

void TraceWriter::keep(const ir::Value* value, const std::string& name, ir::Value* buffer) {
  buffers_[{wiring_.resolve(value), name}] = buffer;
}

void TraceWriter::keepAll(const ir::Value* value, const Step& step,
                          llvm::ArrayRef<const char*> names) {
  for (const char* name : names) keep(value, name, step[name]);
}

ir::Value* TraceWriter::input(const std::string& tensor) {
  return step("input", {}, {{"tensor", tensor}})["out"];
}

ir::Value* TraceWriter::load(const ConstantPlace& place) {
  Attributes attributes;
  addCells(attributes, place.table, place.column, place.lanes, place.cells);
  return step("load", {}, attributes, {{"out", place.size}})["out"];
}

ir::Value* TraceWriter::lookUp(ir::Value* key, const LookupTables::Place& place,
                               const std::string& column, int64_t low) {
  return step("table_lookup", {{"key", key}},
              {{"table", ir::Symbol{place.table}},
               {"column", place.sibling(column)},
               {"first_row", place.first_row},
               {"low", low},
               {"rows", place.rows}})["out"];
}

absl::Status TraceWriter::finish(llvm::ArrayRef<WitnessPlacement> placements) {
  setOrigin({}, "");
  for (const WitnessPlacement& p : placements) {
    ir::Value* source = find(p.witness.value, p.witness.name);
    if (!source) {
      return absl::InternalError(
          absl::StrCat("no witness '", p.witness.name, "' for column ", p.table, ".", p.column));
    }
    Attributes attributes;
    addCells(attributes, p.table, p.column, p.lanes, p.cells);
    step("place", {{"buffer", source}}, attributes);
  }
  trace_.finish();
  return absl::OkStatus();
}

}  // namespace lindero::passes
