#include "passes/lower_air/verify_intervals/rows.h"

#include <set>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/air/analysis.h"
#include "ir/air/cells.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/DenseSet.h"

namespace lindero::passes {
namespace {

constexpr size_t kMaxParameterValues = 64;
constexpr int kManyColumns = 32;

// The columns that an expression reads.
void collect(ir::Value* value, std::vector<ir::Value*>& columns) {
  llvm::SmallVector<ir::Value*, 32> stack{value};
  llvm::DenseSet<ir::Value*> seen;
  while (!stack.empty()) {
    ir::Value* v = stack.pop_back_val();
    if (!seen.insert(v).second) continue;
    if (ir::air::isColumn(*v->definingOp())) {
      columns.push_back(v);
    } else {
      for (ir::Value* operand : v->definingOp()->operands()) stack.push_back(operand);
    }
  }
}

std::vector<ir::Value*> columnsOf(ir::Value* value) {
  std::vector<ir::Value*> columns;
  collect(value, columns);
  return columns;
}

}  // namespace

absl::StatusOr<TableRows> TableRows::read(const ir::ConstantPool& constants, ir::Op& table) {
  TableRows rows;
  rows.op_ = &table;
  rows.height_ = int64_t{1} << table.intAttr("log_height");
  rows.listColumns();
  rows.markParameters();
  IR_RETURN_IF_ERROR(rows.readFixed(constants));
  rows.formClasses();
  return rows;
}

void TableRows::listColumns() {
  for (ir::Op& op : op_->block()->ops()) {
    if (op.is("air.instance")) instances_.push_back(&op);
    if (!ir::air::isColumn(op)) continue;
    index_[op.result()] = columns_.size();
    columns_.push_back(&op);
    phases_.push_back(op.intAttr("phase"));
  }
}

// Marks fixed columns that multiply a column or stand in a tuple; but not those that only
// denominators read: addresses and places, which name an element and differ from row to row.
void TableRows::markParameters() {
  std::vector<bool> multiplies(columns_.size(), false), valued(columns_.size(), false);
  folded_only_.assign(columns_.size(), true);
  auto mark = [&](std::vector<bool>& flags, ir::Value* value, bool to) {
    for (ir::Value* v : columnsOf(value)) flags[indexOf(v)] = to;
  };
  for (ir::Op& op : op_->block()->ops()) {
    if (op.is("air.mul")) {
      if (columnsOf(op.operand(0)).empty() || columnsOf(op.operand(1)).empty()) continue;
      for (ir::Value* v : op.operands()) mark(multiplies, v, true);
    } else if (op.is("air.constrain") || op.is("air.lookup")) {
      for (ir::Value* v : op.operands()) {
        mark(valued, v, true), mark(folded_only_, v, false);
        if (op.is("air.lookup")) mark(multiplies, v, true);
      }
    } else if (op.is("air.term")) {
      for (ir::Value* v : op.operands()) mark(folded_only_, v, false);
      mark(multiplies, op.operand(0), true), mark(valued, op.operand(0), true);
    } else if (op.is("air.scan")) {
      mark(multiplies, op.operand(0), true), mark(folded_only_, op.operand(0), false);
      for (ir::Value* v : op.operands()) mark(valued, v, true);
    } else if (op.is("air.provide") || op.is("air.gather")) {
      for (ir::Value* v : op.operands()) mark(folded_only_, v, false);
    }
  }
  parameter_.resize(columns_.size());
  for (size_t i = 0; i < columns_.size(); ++i) parameter_[i] = multiplies[i] && valued[i];
}

absl::Status TableRows::readFixed(const ir::ConstantPool& constants) {
  cells_.resize(columns_.size());
  int many = 0;
  for (size_t i = 0; i < columns_.size(); ++i) many += phases_[i] == 0 && folded_only_[i];
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (phases_[i] == 0 && !(folded_only_[i] && many >= kManyColumns)) {
      cells_[i].assign(height_, 0);
    }
  }
  for (ir::Op& op : op_->block()->ops()) {
    if (!op.is("air.fill")) continue;
    absl::Status far;
    auto check = [&](int column, int64_t value) {
      if (value > -kFieldModulus && value < kFieldModulus) return true;
      far = absl::FailedPreconditionError(
          absl::StrCat(name(), ".", columns_[column]->stringAttr("name"), " holds ", value,
                       ", which stands for no field element"));
      return false;
    };
    std::vector<int> lanes;
    int stored = 0;
    const std::optional<ir::air::Extent> values = ir::air::valuesOf(constants, op);
    for (ir::Value* v : op.operands()) {
      int column = indexOf(v);
      lanes.push_back(column);
      stored += isStored(column);
      if (isStored(column) || !values) continue;
      if (!check(column, values->low) || !check(column, values->high)) return far;
    }
    if (values) readRange(op, Interval::between(values->low, values->high));
    if (stored < int(lanes.size())) other_fills_.push_back(&op);
    if (stored == 0) continue;
    IR_RETURN_IF_ERROR(
        ir::air::forEachCell(constants, op, [&](size_t lane, int64_t row, int64_t value) {
          int column = lanes[lane];
          if (isStored(column) && check(column, value)) cells_[column][row] = value;
        }));
    IR_RETURN_IF_ERROR(far);
  }
  return absl::OkStatus();
}

void TableRows::readRange(ir::Op& fill, const Interval& values) {
  const int64_t last_row = height_ - 1;
  const std::optional<ir::air::Extent> rows = ir::air::extent(
      fill.intAttr("first_row"), fill.intsAttr("counts"), fill.intsAttr("row_strides"));
  FilledRange range{rows ? std::clamp<int64_t>(rows->low, 0, last_row) : 0,
                    rows ? std::clamp<int64_t>(rows->high, 0, last_row) : last_row,
                    {},
                    values};
  for (ir::Value* v : fill.operands()) {
    if (!isStored(indexOf(v))) range.columns.push_back(indexOf(v));
  }
  if (!range.columns.empty()) filled_ranges_.push_back(std::move(range));
}

// Splits classes by a value per row.
void TableRows::refine(const std::vector<int32_t>& values) {
  std::unordered_map<uint64_t, int32_t> found;
  uint64_t last_key = ~uint64_t{0};
  int32_t last = 0;
  for (int64_t row = 0; row < height_; ++row) {
    uint64_t key = uint64_t(uint32_t(class_of_[row])) << 32 | uint32_t(values[row]);
    if (key != last_key) {
      last = found.try_emplace(key, static_cast<int32_t>(found.size())).first->second;
      last_key = key;
    }
    class_of_[row] = last;
  }
}

void TableRows::formClasses() {
  class_of_.assign(height_, 0);
  std::vector<int32_t> instance_of(height_, -1);
  for (size_t i = 0; i < instances_.size(); ++i) {
    int64_t first = instances_[i]->intAttr("first_row");
    std::fill_n(instance_of.begin() + first, instances_[i]->intAttr("rows"),
                static_cast<int32_t>(i));
  }
  refine(instance_of);
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (cells_[i].empty() || !parameter_[i]) continue;
    std::set<int32_t> values;
    int32_t last = cells_[i][0] + 1;
    for (int32_t v : cells_[i]) {
      if (v == last) continue;
      values.insert(last = v);
      if (values.size() > kMaxParameterValues) break;
    }
    if (values.size() <= kMaxParameterValues) refine(cells_[i]);
  }
  int count = 0;
  for (int32_t c : class_of_) count = std::max(count, c + 1);
  classes_.resize(count);
  sizes_.assign(count, 0);
  std::vector<std::set<int>> before(count);
  for (int64_t row = 0; row < height_; ++row) {
    int c = class_of_[row], previous = class_of_[row ? row - 1 : height_ - 1];
    if (sizes_[c]++ == 0) {
      classes_[c].first_row = row;
      classes_[c].instance = instance_of[row];
    }
    if (before[c].empty() || *before[c].begin() != previous) before[c].insert(previous);
  }
  for (int c = 0; c < count; ++c) {
    classes_[c].before.assign(before[c].begin(), before[c].end());
    classes_[c].fixed.assign(columns_.size(), Interval::of(0));
  }
  for (const FilledRange& range : filled_ranges_) {
    const std::set<int32_t> classes(class_of_.begin() + range.first_row,
                                    class_of_.begin() + range.last_row + 1);
    for (int32_t c : classes) {
      // A cell that no fill writes is zero.
      for (int i : range.columns) classes_[c].fixed[i] = hull(classes_[c].fixed[i], range.values);
    }
  }
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (cells_[i].empty()) continue;
    std::vector<int64_t> low(count, INT64_MAX), high(count, INT64_MIN);
    for (int64_t row = 0; row < height_; ++row) {
      int64_t v = cells_[i][row];
      low[class_of_[row]] = std::min(low[class_of_[row]], v);
      high[class_of_[row]] = std::max(high[class_of_[row]], v);
    }
    for (int c = 0; c < count; ++c) {
      classes_[c].fixed[i] = Interval::between(low[c], high[c]);
    }
  }
  memos_.resize(count);
}

Polynomial TableRows::cell(int c, ir::Value* column, bool before) const {
  int index = indexOf(column);
  // A fixed column of the row before is a range, whatever its value here.
  if (phases_[index] == 0 && !before && classes_[c].fixed[index].isConstant()) {
    int64_t v = symmetric(classes_[c].fixed[index].low);
    return v ? Polynomial{{{}, v}} : Polynomial{};
  }
  return {{{{index, before}}, 1}};
}

const Form* TableRows::form(int c, ir::Value* value) {
  return FormEvaluator().evaluate(
      value, memos_[c], [&](ir::Value* column, bool before) { return cell(c, column, before); });
}

std::string TableRows::describe(const std::string& what, int c, int64_t row) const {
  std::string out = absl::StrCat(name(), ".", what, " (");
  if (classes_[c].instance >= 0) {
    const ir::Op& instance = *instances_[classes_[c].instance];
    absl::StrAppend(&out, "node ", absl::StrJoin(instance.location(), " + "), ", ");
  }
  return absl::StrCat(out, "row ", row < 0 ? classes_[c].first_row : row, ")");
}

}  // namespace lindero::passes
