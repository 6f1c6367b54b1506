// Items of an op that makes each element of its result of its operands' elements at the same place:
// how they are listed, tied together and stacked, with lanes down the tensors' rows. What stands
// beside these elements in a table row, and what holds there, is the gadget's.
//
// A gadget brings a builder: Builder(l, t, lanes); add(item, placed) for each item; constrain(),
// once for all rows. It derives from ElementwiseGadget, and says which ops it encodes and how their
// witnesses are computed.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/gadgets/partial_rows.h"

namespace lindero::passes {

struct Elementwise {
  Origin origin;
  int64_t rows = 0, columns = 0;
  LaneId lanes = kOneLane;
  std::vector<CopyId> operands = {};  // one each
  std::vector<CopyId> out = {};
};

template <typename Builder>
class ElementwiseTable : public TableKind {
 public:
  explicit ElementwiseTable(std::string name) : name_(std::move(name)) {}
  std::string name() const override { return name_; }
  size_t items() const override { return list.size(); }
  LaneId lanes(size_t item) const override { return list[item].lanes; }
  int64_t rows(size_t item, const Layout& layout) const override {
    const ColumnTiles tiles{list[item].rows, layout.lanes(lanes(item))};
    return list[item].columns * tiles.count();
  }
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override {
    Builder builder(l, t, this->lanesOf(l, items));
    for (const Placed& placed : items) builder.add(list[placed.item], placed);
    builder.constrain();
  }

  std::deque<Elementwise> list;  // pointed to

 private:
  std::string name_;
};

template <typename Builder>
class ElementwiseGadget : public Gadget {
 public:
  ElementwiseGadget(Wiring& wiring, std::string table)
      : wiring_(wiring), table_(std::move(table)) {}

  absl::Status plan(const Origin& origin) override {
    const auto [rows, columns] = matrixOf(origin.op->result()->type());
    Elementwise& item =
        table_.list.emplace_back(Elementwise{origin, rows, columns, wiring_.down(rows)});
    wiring_.gives(origin.op->result(), Major::kColumn, item.lanes, &item.out);
    return absl::OkStatus();
  }

  absl::Status connect() override {
    for (Elementwise& item : table_.list) {
      for (const ir::Value* operand : item.origin.op->operands()) {
        absl::StatusOr<CopyId> copy =
            wiring_.copy(item.origin, operand, Major::kColumn, item.lanes);
        if (!copy.ok()) return copy.status();
        item.operands.push_back(*copy);
      }
    }
    return absl::OkStatus();
  }

  std::vector<const TableKind*> tables() const override { return {&table_}; }

 private:
  Wiring& wiring_;
  ElementwiseTable<Builder> table_;
};

}  // namespace lindero::passes
