// The rows of a table, sorted into classes: rows of one instance whose parameters agree. A
// parameter is a fixed column that multiplies another column, or stands in a tuple: selectors,
// tags, powers. (Of more than 64 values, it is no parameter but a range.) Every row of a class
// obeys the same equations, so what follows looks at classes, and their number does not depend on
// the rows.
//
// Cost: reads each fixed column once, but for those that only folds read and that are many
// (weights): of these it keeps, per class, the range of the constants that fill its rows.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "llvm/ADT/DenseMap.h"
#include "passes/lower_air/verify_intervals/forms.h"

namespace lindero::passes {

class TableRows {
 public:
  struct Class {
    int64_t first_row = 0;
    int instance = -1;            // index into instances; -1: none
    std::vector<int> before;      // classes of the rows before
    std::vector<Interval> fixed;  // per column of phase 0
  };

  static absl::StatusOr<TableRows> read(const ir::ConstantPool& constants, ir::Op& table);

  ir::Op& op() const { return *op_; }
  const std::string& name() const { return op_->stringAttr("name"); }
  int64_t height() const { return height_; }
  const std::vector<ir::Op*>& columns() const { return columns_; }
  int phase(int column) const { return phases_[column]; }
  bool isWitness(int column) const { return phases_[column] == 1; }
  int indexOf(const ir::Value* column) const { return index_.find(column)->second; }
  const std::vector<Class>& classes() const { return classes_; }
  int classOf(int64_t row) const { return class_of_[row]; }
  int64_t classSize(int c) const { return sizes_[c]; }
  // The cell of a fixed column; the column must be stored.
  int64_t fixedAt(int column, int64_t row) const { return cells_[column][row]; }
  bool isStored(int column) const { return !cells_[column].empty(); }
  // Fills of the columns that are not stored.
  const std::vector<ir::Op*>& otherFills() const { return other_fills_; }

  // The form of a value on the class's rows; null if it reads the row after.
  const Form* form(int c, ir::Value* value);
  // "table.what (node ONNX node, row r)" of a row of class c, the first one if none is given.
  std::string describe(const std::string& what, int c, int64_t row = -1) const;

 private:
  void listColumns();
  absl::Status readFixed(const ir::ConstantPool& constants);
  void markParameters();
  void readRange(ir::Op& fill, const Interval& values);
  void refine(const std::vector<int32_t>& values);
  void formClasses();
  Polynomial cell(int c, ir::Value* column, bool before) const;

  ir::Op* op_ = nullptr;
  int64_t height_ = 0;
  std::vector<ir::Op*> columns_, instances_, other_fills_;
  std::vector<int> phases_;
  llvm::DenseMap<const ir::Value*, int> index_;
  std::vector<bool> parameter_, folded_only_;
  std::vector<std::vector<int32_t>> cells_;
  // What a fill of columns that are not stored writes, and the rows from the first to the last one.
  struct FilledRange {
    int64_t first_row, last_row;
    std::vector<int> columns;
    Interval values;
  };
  std::vector<FilledRange> filled_ranges_;
  std::vector<int32_t> class_of_;
  std::vector<int64_t> sizes_;
  std::vector<Class> classes_;
  std::vector<FormEvaluator::Memo> memos_;
};

}  // namespace lindero::passes
