// Values that are functions of one integer input, element by element: each element of such a value
// depends on one element of the input alone. What the input may be is known (whole_range.h), so
// that they are looked up, exactly, whatever they are: a mask's complement, the cosine of a
// position. Each op's result is one of single precision (ir/tensor/of_integers.h).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::passes {

class InputTables {
 public:
  // The input lies in [0, rows).
  void addInput(ir::Value* argument, int64_t rows);
  // True if the op's result is such a value; it is known from then on.
  absl::StatusOr<bool> extend(const ir::Op& op);
  bool contains(const ir::Value* value) const;
  // The value as a real that is looked up, by ops at the beginning of the function.
  absl::StatusOr<ir::Value*> lookUp(const ir::Value* value, ir::Function& function) const;

 private:
  struct Table {
    ir::Value* argument = nullptr;
    // By element: which one of the input it depends on, and by which of the functions.
    std::vector<int64_t> element, column;
    std::vector<std::shared_ptr<const ir::tensor::Array>> columns;  // each [rows]
    // Can it be looked up? Else only what is computed from it: a choice of what is no number in the
    // other case.
    bool ordinary = true;
  };
  // An operand, known or constant.
  struct Part {
    const Table* table = nullptr;
    ir::tensor::Array constant;
  };

  std::optional<std::vector<Part>> partsOf(const ir::Op& op) const;
  absl::StatusOr<std::optional<Table>> moved(const ir::Op& op, const std::vector<Part>& parts);
  absl::StatusOr<std::optional<Table>> picked(const ir::Op& op, const std::vector<Part>& parts);
  absl::StatusOr<std::optional<Table>> combined(const ir::Op& op, llvm::StringRef name,
                                                const std::vector<Part>& parts);

  // Takes from what all tables may hold; false if that is exhausted.
  bool spend(int64_t entries);

  llvm::DenseMap<const ir::Value*, Table> tables_;
  int64_t left_ = int64_t{1} << 26;
};

}  // namespace lindero::passes
