#include "passes/lower_air/verify_intervals/edge_values.h"

#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"

namespace lindero::passes {
namespace {

// Names of values and of elements are hashes: two that differ have different ones but by an
// accident of 2^-64.
uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t h = a * 0x9e3779b97f4a7c15 + b + 0x7f4a7c159e3779b9;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
  h = (h ^ (h >> 27)) * 0x94d049bb133111eb;
  return h ^ (h >> 31);
}

const std::vector<int64_t>& listOf(const ir::Op& op, const char* name) {
  return std::get<std::vector<int64_t>>(*op.find(name));
}

using Element = std::pair<const ir::Value*, int64_t>;

// What a step table has of the tape and of its lengths (program.proto, Decode).
std::optional<Element> sourceInDecode(const ir::Op& op, const Element& x) {
  enum { kFrontierIn = 2, kFrontierOut, kGivenIn, kGivenOut, kTokenIn, kTokenOut };
  const ir::Value *tape = op.operand(0), *lengths = op.operand(1);
  const int64_t last = x.first->type().elements() - 1;
  switch (x.first->index()) {
    case kTokenIn:
      return Element{tape, x.second};
    case kTokenOut:
      return Element{tape, x.second + 1};
    case kFrontierIn:
      if (x.second == 0) return Element{lengths, 0};
      break;
    case kFrontierOut:
      if (x.second == last) return Element{lengths, 1};
      break;
    case kGivenIn:
      if (x.second == 0) return Element{lengths, 2};
      break;
    case kGivenOut:
      if (x.second == last) return Element{lengths, 3};
      break;
  }
  return std::nullopt;
}

// The last of a row's sums is its index.
std::optional<Element> sourceInArgmax(const ir::Op& op, const Element& x) {
  enum { kIndex, kIndexSums = 5 };
  const int64_t tiles = x.first->type().elements() / op.intAttr("rows");
  if (x.first->index() != kIndexSums || x.second % tiles != tiles - 1) return std::nullopt;
  return Element{op.result(kIndex), x.second / tiles};
}

// Does sourceOf know of copies among the results of the op?
bool makesCopies(const ir::Op& op) {
  return op.is("trace.copy_rows") || op.is("trace.append_rows") || op.is("trace.decode") ||
         op.is("trace.argmax");
}

// Of an element that is a copy.
std::optional<Element> sourceOf(const Element& x) {
  const ir::Op& op = *x.first->definingOp();
  if (op.is("trace.copy_rows")) {
    const int64_t width = op.intAttr("width");
    return Element{op.operand(0), listOf(op, "rows")[x.second / width] * width + x.second % width};
  }
  if (op.is("trace.append_rows")) {
    const int64_t first = op.operand(0)->type().elements();
    if (x.second < first) return Element{op.operand(0), x.second};
    return Element{op.operand(1), x.second - first};
  }
  if (op.is("trace.decode")) return sourceInDecode(op, x);
  if (op.is("trace.argmax")) return sourceInArgmax(op, x);
  return std::nullopt;
}

// The values that @trace computes.
class TraceValues {
 public:
  explicit TraceValues(ir::Function* trace) {
    if (!trace) return;
    for (ir::Op& op : trace->body().ops()) {
      if (op.is("trace.place")) placements_[op.symbolAttr("table")].push_back(&op);
      if (op.is("trace.input")) publics_[op.stringAttr("tensor")] = op.result();
      if (op.is("trace.output")) publics_[op.stringAttr("tensor")] = op.operand(0);
      if (op.is("trace.link_in")) links_[op.intAttr("slot")] = op.result();
      if (op.is("trace.link_out")) links_[op.intAttr("slot")] = op.operand(0);
      for (unsigned i = 0; i < op.numResults(); ++i)
        buffers_[op.result(i)] = {buffers_.size() + 1, makesCopies(op)};
    }
  }

  // Of an element, seen through copies.
  uint64_t name(const ir::Value* buffer, int64_t element) const {
    while (true) {
      const Buffer known = buffers_.lookup(buffer);
      const std::optional<Element> source =
          known.has_copies ? sourceOf({buffer, element}) : std::nullopt;
      if (!source) return mix(known.number, element);
      std::tie(buffer, element) = *source;
    }
  }

  // The buffer of a public tensor, or of an end of a link; null if no op of @trace has it whole.
  const ir::Value* publicTensor(const ir::Op& op) const {
    if (op.has("slot")) {
      auto it = links_.find(op.intAttr("slot"));
      return it == links_.end() ? nullptr : it->second;
    }
    auto it = publics_.find(op.stringAttr("name"));
    return it == publics_.end() ? nullptr : it->second;
  }

  // Per column, row by row, the names of what is written; 0 where nothing is. Of other columns
  // none.
  std::vector<std::vector<uint64_t>> cells(const TableRows& rows,
                                           const std::set<int>& columns) const {
    std::vector<std::vector<uint64_t>> names(rows.columns().size());
    for (int column : columns) names[column].resize(rows.height());
    auto it = placements_.find(rows.name());
    if (it == placements_.end()) return names;
    for (const ir::Op* place : it->second) {
      int column = 0;
      while (!rows.isWitness(column) ||
             rows.columns()[column]->stringAttr("name") != place->stringAttr("column")) {
        ++column;
      }
      for (int64_t lane = 0; lane < place->intAttr("lanes"); ++column) {
        if (!rows.isWitness(column)) continue;
        const int64_t element = place->intAttr("offset") + lane++ * place->intAttr("lane_stride");
        if (columns.count(column)) {
          write(Loops(*place), names[column], 0, place->intAttr("first_row"), element);
        }
      }
    }
    return names;
  }

 private:
  struct Buffer {
    uint64_t number = 0;
    bool has_copies = false;
  };

  // How trace.place goes through rows and elements.
  struct Loops {
    explicit Loops(const ir::Op& place)
        : buffer(place.operand(0)),
          counts(place.intsAttr("counts")),
          row_strides(place.intsAttr("row_strides")),
          value_strides(place.intsAttr("value_strides")) {}
    const ir::Value* buffer;
    llvm::ArrayRef<int64_t> counts, row_strides, value_strides;
  };

  // Elements outside of the buffer are left out.
  void write(const Loops& loops, std::vector<uint64_t>& column, size_t dim, int64_t row,
             int64_t element) const {
    if (dim == loops.counts.size()) {
      const bool in = element >= 0 && element < loops.buffer->type().elements();
      if (in) column[row] = name(loops.buffer, element);
      return;
    }
    for (int64_t i = 0; i < loops.counts[dim]; ++i) {
      write(loops, column, dim + 1, row + i * loops.row_strides[dim],
            element + i * loops.value_strides[dim]);
    }
  }

  std::map<std::string, std::vector<const ir::Op*>> placements_;
  std::map<std::string, const ir::Value*> publics_;
  std::map<int64_t, const ir::Value*> links_;  // by slot
  llvm::DenseMap<const ir::Value*, Buffer> buffers_;
};

class EdgeValues {
 public:
  explicit EdgeValues(ProvenRanges& ranges)
      : ranges_(ranges),
        trace_(ranges.module().findFunction("trace")),
        values_(trace_),
        ends_(ranges.tables()) {
    for (size_t i = 0; i < ranges.ends().size(); ++i) {
      const ProvenRanges::Ends& e = ranges.ends()[i];
      if (e.table < 0 || ranges.isLinked(e.group)) continue;
      ends_[e.table].resize(ranges.rows(e.table).classes().size());
      ends_[e.table][e.c].push_back(i);
    }
  }

  absl::Status check() {
    for (const ProvenRanges::Ends& e : ranges_.ends()) {
      if (e.table < 0) addPublic(e);
    }
    for (int t = 0; t < ranges_.tables(); ++t) addTable(t);
    for (int t = 0; t < ranges_.tables(); ++t) IR_RETURN_IF_ERROR(findFault(t));
    for (const auto& [address, sum] : sums_) {
      if (sum == 0) continue;
      return absl::FailedPreconditionError(absl::StrCat("public tensors at address ", address,
                                                        " are not the same values of the program"));
    }
    return absl::OkStatus();
  }

 private:
  // Adds an element of an end to the sum of its address: `a` and `b` along the lanes and places.
  void add(const ProvenRanges::Ends& e, int64_t address, int64_t a, int64_t b, uint64_t name) {
    if (name == 0) return;
    if (std::less<const ir::Value*>()(e.place_challenge, e.lane_challenge)) std::swap(a, b);
    const uint64_t element = mix(mix(name, a), b);
    sums_[address] += e.sign > 0 ? element : -element;
  }

  void addPublic(const ProvenRanges::Ends& e) {
    const ir::Op& op = *e.term;
    const int64_t rows = op.intAttr("rows"), columns = op.intAttr("columns");
    const int64_t tile_rows = op.intAttr("tile_rows"), tile_columns = op.intAttr("tile_columns");
    const int64_t across = (columns + tile_columns - 1) / tile_columns;
    const ir::Value* buffer = values_.publicTensor(op);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        const int64_t tile = i / tile_rows * across + j / tile_columns;
        const int64_t address = symmetric(op.intAttr("address") + tile);
        uint64_t name = trace_ ? 0 : 1;
        if (buffer) name = values_.name(buffer, i * columns + j);
        add(e, address, i % tile_rows, j % tile_columns, name);
      }
    }
  }

  void addTable(int t) {
    if (ends_[t].empty()) return;
    const TableRows& rows = ranges_.rows(t);
    std::set<int> columns;
    for (const std::vector<int>& of_class : ends_[t]) {
      for (int index : of_class) {
        for (const auto& lane : ranges_.ends()[index].lanes) columns.insert(lane.column);
      }
    }
    const std::vector<std::vector<uint64_t>> names = values_.cells(rows, columns);
    for (int64_t row = 0; row < rows.height(); ++row) {
      for (int index : ends_[t][rows.classOf(row)]) {
        const ProvenRanges::Ends& e = ranges_.ends()[index];
        const int64_t address = e.address.at(rows, row), place = e.place.at(rows, row);
        for (const auto& lane : e.lanes) {
          add(e, address, lane.lane, place, trace_ ? names[lane.column][row] : 1);
        }
      }
    }
  }

  // The first row of the table with an address whose ends do not cancel.
  absl::Status findFault(int t) {
    if (ends_[t].empty()) return absl::OkStatus();
    const TableRows& rows = ranges_.rows(t);
    for (int64_t row = 0; row < rows.height(); ++row) {
      const int c = rows.classOf(row);
      for (int index : ends_[t][c]) {
        const ProvenRanges::Ends& e = ranges_.ends()[index];
        const int64_t address = e.address.at(rows, row);
        auto sum = sums_.find(address);
        if (sum == sums_.end() || sum->second == 0) continue;
        return absl::FailedPreconditionError(absl::StrCat(
            rows.describe(e.term->stringAttr("name"), c, row), ": address ", address,
            ": its two ends are not the same values of the program, or one is padding"));
      }
    }
    return absl::OkStatus();
  }

  ProvenRanges& ranges_;
  ir::Function* trace_;
  const TraceValues values_;
  std::vector<std::vector<std::vector<int>>> ends_;  // [table][class]
  std::unordered_map<int64_t, uint64_t> sums_;       // by address
};

}  // namespace

absl::Status checkEdgeValues(ProvenRanges& ranges) { return EdgeValues(ranges).check(); }

}  // namespace lindero::passes
