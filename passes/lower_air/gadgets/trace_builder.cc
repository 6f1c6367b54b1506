#include "passes/lower_air/gadgets/trace_builder.h"

#include "absl/strings/str_cat.h"

namespace lindero::passes {
namespace {

ir::Type buffer(int64_t size) { return ir::Type::tensor(ir::Element::kInt, {size}); }

}  // namespace

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

TraceBuilder::TraceBuilder(ir::Function* trace, const Wiring& wiring, const Layout& layout,
                           LookupTables& tables,
                           const std::map<const ir::Value*, ConstantPlace>& constants)
    : b_(&trace->body()),
      wiring_(wiring),
      layout_(layout),
      tables_(tables),
      constants_(constants) {}

void TraceBuilder::setOrigin(const ir::Location& nodes, const std::string& region) {
  b_.setLocation(nodes);
  region_ = region;
}

ir::Value* TraceBuilder::find(const ir::Value* value, const std::string& name) const {
  auto it = buffers_.find({wiring_.resolve(value), name});
  return it == buffers_.end() ? nullptr : it->second;
}

void TraceBuilder::keep(const ir::Value* value, const std::string& name, ir::Value* buffer) {
  buffers_[{wiring_.resolve(value), name}] = buffer;
}

ir::Op* TraceBuilder::create(const char* name, llvm::ArrayRef<ir::Value*> operands,
                             const std::vector<int64_t>& sizes, Attributes attributes) {
  std::vector<ir::Type> types;
  for (int64_t size : sizes) types.push_back(buffer(size));
  if (!region_.empty()) attributes.emplace_back("region", region_);
  return b_.create(name, operands, types, attributes);
}

ir::Value* TraceBuilder::input(const std::string& tensor, int64_t size) {
  return create("trace.input", {}, {size}, {{"tensor", tensor}})->result();
}

ir::Value* TraceBuilder::load(const ConstantPlace& place) {
  Attributes attributes;
  addCells(attributes, place.table, place.column, place.lanes, place.cells);
  return create("trace.load", {}, {place.size}, attributes)->result();
}

ir::Value* TraceBuilder::lookUp(ir::Value* key, const LookupTables::Place& place,
                                const std::string& column, int64_t low) {
  return create("trace.table_lookup", {key}, {key->type().elements()},
                {{"table", ir::Symbol{place.table}},
                 {"column", place.sibling(column)},
                 {"first_row", place.first_row},
                 {"low", low},
                 {"rows", place.rows}})
      ->result();
}

absl::Status TraceBuilder::finish(llvm::ArrayRef<WitnessPlacement> placements) {
  setOrigin({}, "");
  for (const WitnessPlacement& p : placements) {
    ir::Value* source = find(p.witness.value, p.witness.name);
    if (!source) {
      return absl::InternalError(
          absl::StrCat("no witness '", p.witness.name, "' for column ", p.table, ".", p.column));
    }
    Attributes attributes;
    addCells(attributes, p.table, p.column, p.lanes, p.cells);
    b_.create("trace.place", {source}, {}, attributes);
  }
  b_.create("trace.return", {}, {});
  return absl::OkStatus();
}

}  // namespace lindero::passes
