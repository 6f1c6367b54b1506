// A table of a circuit, as it is emitted, with witness cells that can be set: its expressions,
// constraints and lookups are evaluated in the field. Nothing here knows the formulas of gadgets.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "ir/air/analysis.h"
#include "ir/air/cells.h"
#include "ir/core/ir.h"

namespace lindero::test {

inline constexpr int64_t kP = (int64_t{1} << 31) - 1;
inline int64_t mod(__int128 v) { return static_cast<int64_t>((v % kP + kP) % kP); }
inline int64_t centered(int64_t v) { return v > kP / 2 ? v - kP : v; }

using Tuples = std::map<std::string, std::set<std::vector<int64_t>>>;

// A table of a circuit whose witness cells can be set.
class TableView {
 public:
  TableView(ir::Module& module, const std::string& name) {
    for (ir::Op& op : module.findFunction("circuit")->body().ops()) {
      if (op.is("air.table") && op.stringAttr("name") == name) table_ = &op;
    }
    for (ir::Op& op : table_->block()->ops()) {
      if (ir::air::isColumn(op)) columns_[op.stringAttr("name")] = op.result();
      if (!op.is("air.fill")) continue;
      auto status = ir::air::forEachCell(module.constants(), op,
                                         [&](size_t lane, int64_t row, int64_t value) {
                                           cells_[{op.operand(lane), row}] = mod(value);
                                         });
      EXPECT_TRUE(status.ok());
    }
  }

  int64_t height() const { return int64_t{1} << table_->intAttr("log_height"); }
  void set(const std::string& column, int64_t row, int64_t value) {
    cells_[{columns_.at(column), row}] = mod(value);
  }
  int64_t get(const std::string& column, int64_t row) const {
    auto it = cells_.find({columns_.at(column), row});
    return it == cells_.end() ? 0 : it->second;
  }

  int64_t eval(ir::Value* v, int64_t row) const {
    const ir::Op& op = *v->definingOp();
    if (ir::air::isColumn(op)) return cell(v, row);
    if (op.is("air.shift")) {
      return cell(op.operand(0), (row + op.intAttr("offset") + height()) % height());
    }
    if (op.is("air.constant")) return mod(op.intAttr("value"));
    if (op.is("air.neg")) return mod(-__int128(eval(op.operand(0), row)));
    __int128 a = eval(op.operand(0), row), b = eval(op.operand(1), row);
    return mod(op.is("air.add") ? a + b : op.is("air.sub") ? a - b : a * b);
  }

  // The lanes that the scan "fold" sums up with powers of a challenge, in order.
  std::vector<ir::Value*> lanes() const {
    std::vector<ir::Value*> out;
    ir::Value* sum = columns_.at("fold")->definingOp()->operand(1);
    for (; sum->definingOp()->is("air.add"); sum = sum->definingOp()->operand(0)) {
      out.insert(out.begin(), sum->definingOp()->operand(1)->definingOp()->operand(0));
    }
    out.insert(out.begin(), sum->definingOp()->operand(0));
    return out;
  }

  ir::Op& rule(const std::string& name) const {
    for (ir::Op& op : table_->block()->ops()) {
      if ((op.is("air.constrain") || op.is("air.lookup")) && op.stringAttr("name") == name)
        return op;
    }
    ADD_FAILURE() << "no rule " << name;
    return table_->block()->ops().front();
  }

  std::vector<int64_t> tuple(const ir::Op& op, int64_t row) const {
    std::vector<int64_t> out;
    for (ir::Value* v : op.operands().drop_front()) out.push_back(eval(v, row));
    return out;
  }
  bool found(const std::string& name, int64_t row, const Tuples& tuples) const {
    const ir::Op& op = rule(name);
    return eval(op.operand(0), row) == 0 ||
           tuples.at(op.symbolAttr("bus")).count(tuple(op, row)) > 0;
  }
  bool zero(const std::string& name, int64_t row) const {
    return eval(rule(name).operand(0), row) == 0;
  }
  // Sets the cell so that the value becomes `target`; its coefficient must be 1 or -1.
  int64_t solve(const std::string& column, int64_t row, ir::Value* value, int64_t target) {
    set(column, row, 0);
    int64_t at_zero = eval(value, row);
    set(column, row, 1);
    int64_t slope = centered(mod(eval(value, row) - at_zero));
    EXPECT_EQ(std::abs(slope), 1) << column;
    set(column, row, slope * (target - at_zero));
    return get(column, row);
  }

  void provide(Tuples& tuples) {
    for (const ir::Op& op : table_->block()->ops()) {
      if (!op.is("air.provide") || op.operand(1)->definingOp()->is("air.scan")) continue;
      bool fixed = true;
      for (ir::Value* v : op.operands().drop_front()) {
        fixed &= !ir::air::isColumn(*v->definingOp()) || v->definingOp()->intAttr("phase") == 0;
      }
      for (int64_t row = 0; fixed && row < height(); ++row) {
        if (mayProvide(op.operand(0), row)) tuples[op.symbolAttr("bus")].insert(tuple(op, row));
      }
    }
  }

 private:
  // Whether the constraints allow a multiplicity other than zero.
  bool mayProvide(ir::Value* count, int64_t row) {
    const std::string column = count->definingOp()->stringAttr("name");
    bool may = true;
    set(column, row, 1);
    for (const ir::Op& op : table_->block()->ops()) {
      if (op.is("air.constrain") && reads(op.operand(0), count))
        may &= eval(op.operand(0), row) == 0;
    }
    set(column, row, 0);
    return may;
  }

  static bool reads(ir::Value* value, ir::Value* column) {
    if (value == column) return true;
    for (ir::Value* v : value->definingOp()->operands()) {
      if (reads(v, column)) return true;
    }
    return false;
  }

  int64_t cell(ir::Value* column, int64_t row) const {
    auto it = cells_.find({column, row});
    return it == cells_.end() ? 0 : it->second;
  }

  ir::Op* table_ = nullptr;
  std::map<std::string, ir::Value*> columns_;
  std::map<std::pair<ir::Value*, int64_t>, int64_t> cells_;
};

inline Tuples allTuples(ir::Module& module) {
  Tuples tuples;
  for (const char* name : {"functions", "normalizers", "powers", "row_squares", "row_shifts"}) {
    for (ir::Op& op : module.findFunction("circuit")->body().ops()) {
      if (op.is("air.table") && op.stringAttr("name") == name)
        TableView(module, name).provide(tuples);
    }
  }
  return tuples;
}

}  // namespace lindero::test
