#include "passes/lower_air/verify_intervals/padding.h"

#include "absl/strings/str_cat.h"

namespace lindero::passes {
namespace {

// The cells of a table that @trace writes; all, if there is none.
class WrittenCells {
 public:
  WrittenCells(ir::Module& module, const TableRows& rows)
      : rows_(rows), written_(rows.columns().size()) {
    ir::Function* trace = module.findFunction("trace");
    if (!trace) {
      written_.assign(rows.columns().size(), std::vector<bool>(rows.height(), true));
      return;
    }
    for (ir::Op& op : trace->body().ops()) {
      if (op.is("trace.place") && op.symbolAttr("table") == rows.name()) read(op);
    }
  }

  bool has(int column, int64_t row) const {
    return !written_[column].empty() && written_[column][row];
  }

 private:
  void read(const ir::Op& place) {
    size_t column = 0;
    while (!rows_.isWitness(column) ||
           rows_.columns()[column]->stringAttr("name") != place.stringAttr("column")) {
      ++column;
    }
    for (int64_t lane = 0; lane < place.intAttr("lanes"); ++column) {
      if (!rows_.isWitness(column)) continue;
      written_[column].resize(rows_.height());
      write(place, written_[column], 0, place.intAttr("first_row"),
            place.intAttr("offset") + lane++ * place.intAttr("lane_stride"));
    }
  }

  // Elements outside of the buffer are left out.
  void write(const ir::Op& place, std::vector<bool>& column, size_t dim, int64_t row,
             int64_t element) {
    const auto list = [&](const char* name) -> const std::vector<int64_t>& {
      return std::get<std::vector<int64_t>>(*place.find(name));
    };
    if (dim == list("counts").size()) {
      const bool in = element >= 0 && element < place.operand(0)->type().elements();
      if (in) column[row] = true;
      return;
    }
    for (int64_t i = 0; i < list("counts")[dim]; ++i) {
      write(place, column, dim + 1, row + i * list("row_strides")[dim],
            element + i * list("value_strides")[dim]);
    }
  }

  const TableRows& rows_;
  std::vector<std::vector<bool>> written_;  // [column][row]; empty: none
};

// `ends`: by class, those with such elements.
absl::Status checkTable(ProvenRanges& ranges, int table, llvm::ArrayRef<std::set<int>> ends) {
  const TableRows& rows = ranges.rows(table);
  const WrittenCells written(ranges.module(), rows);
  for (int64_t row = 0; row < rows.height(); ++row) {
    const int c = rows.classOf(row);
    for (int index : ends[c]) {
      const ProvenRanges::Ends& e = ranges.ends()[index];
      const int64_t address = e.address.at(rows, row), place = e.place.at(rows, row);
      for (const auto& lonely : ranges.tileKinds()[ranges.tileKind(address)].lonely) {
        if (lonely.ends != index || !(lonely.places >> place & 1) ||
            !written.has(lonely.lane.column, row)) {
          continue;
        }
        return absl::FailedPreconditionError(
            absl::StrCat("verify-intervals: ", rows.describe(e.term->stringAttr("name"), c, row),
                         ": address ", address, ", place ", place, ", lane ", lonely.lane.lane,
                         ": nobody ", e.sign > 0 ? "takes" : "gives",
                         " this element, so the sum holds it at zero, and it is no padding"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status checkPadding(ProvenRanges& ranges) {
  std::map<int, std::vector<std::set<int>>> ends;  // by table and class
  for (const ProvenRanges::TileKind& kind : ranges.tileKinds()) {
    for (const ProvenRanges::Lonely& lonely : kind.lonely) {
      const ProvenRanges::Ends& e = ranges.ends()[lonely.ends];
      std::vector<std::set<int>>& classes = ends[e.table];
      classes.resize(ranges.rows(e.table).classes().size());
      classes[e.c].insert(lonely.ends);
    }
  }
  for (const auto& [table, classes] : ends) {
    if (absl::Status s = checkTable(ranges, table, classes); !s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace lindero::passes
