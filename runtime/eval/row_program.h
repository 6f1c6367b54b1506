// A set of DAG nodes over one table, compiled for evaluation on chunks of rows, column-major.
//
// The roots come in groups; when the last root of a group is computed, the group is handed to the
// caller and its registers are used again. Nodes that several groups share are computed once per
// chunk. Row-independent nodes are operands, not instructions; columns are read in place, except
// where a row offset wraps around.
//
// A RowProgram is immutable and depends on the circuit alone. A RowEvaluator is one thread's
// registers, bound to columns and scalars; it holds only pointers, so changed cells are seen by the
// next run.
#ifndef LINDERO_RUNTIME_EVAL_ROW_PROGRAM_H_
#define LINDERO_RUNTIME_EVAL_ROW_PROGRAM_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "runtime/eval/columns.h"
#include "runtime/eval/kernels.h"
#include "runtime/eval/scalars.h"
#include "runtime/package/circuit_info.h"

namespace lindero::runtime {

using RootGroup = std::vector<uint32_t>;

class RowProgram {
 public:
  // Every node reads columns of `table` only (checked circuits guarantee it for what a table
  // names).
  RowProgram(const Circuit& circuit, const CircuitInfo& info, uint32_t table,
             absl::Span<const RootGroup> groups);

  uint32_t table() const { return table_; }

  struct ColumnUse {
    uint32_t column;
    int32_t offset;
    bool extension;
  };
  // The distinct (column, offset) that the roots read.
  const std::vector<ColumnUse>& columnUses() const { return columns_; }

 private:
  friend class RowCompiler;
  friend class RowEvaluator;

  // Slots are numbered: columns, then scalars, IS_FIRST, IS_LAST, base registers, extension
  // registers.
  struct Instruction {
    Kernel kernel;
    uint32_t out, a, b;
  };
  struct Root {
    uint32_t slot;
    OperandKind kind;
  };
  struct Group {
    uint32_t ready_after;  // number of instructions that come before it
    uint32_t index;        // in the caller's order
    std::vector<Root> roots;
  };

  uint32_t table_;
  uint64_t height_;
  std::vector<ColumnUse> columns_;
  std::vector<uint32_t> scalars_;  // nodes
  uint32_t base_registers_ = 0;
  uint32_t ext_registers_ = 0;
  std::vector<Instruction> instructions_;
  std::vector<Group> groups_;  // in the order of evaluation
};

// The values of one root on the rows of a chunk.
struct RootValues {
  Operand operand;
  OperandKind kind;

  QM31 at(size_t i) const {
    size_t k = kind.scalar ? 0 : i;
    if (!kind.extension) return QM31(M31::fromCanonical(operand.limb[0][k]));
    return QM31::fromLimbs(
        {operand.limb[0][k], operand.limb[1][k], operand.limb[2][k], operand.limb[3][k]});
  }
  uint32_t baseAt(size_t i) const { return operand.limb[0][kind.scalar ? 0 : i]; }
};

class RowEvaluator {
 public:
  // (index of the group, first row of the chunk, number of rows, the group's roots)
  using Visitor = absl::FunctionRef<void(size_t group, uint64_t first_row, size_t rows,
                                         absl::Span<const RootValues> roots)>;

  RowEvaluator(const RowProgram& program, const Columns& columns, const Scalars& scalars);

  // Visits every group on every chunk of [first_row, first_row + rows), which lies in the table.
  void run(uint64_t first_row, uint64_t rows, Visitor visit);
  // The same on rows in any order, which the visitor is told by their places in the list.
  void run(absl::Span<const uint64_t> rows, Visitor visit);

 private:
  void announce(uint64_t first_row, uint64_t rows) const;
  void bindColumns(uint64_t first_row, size_t rows);
  void gatherColumns(absl::Span<const uint64_t> rows);
  void runChunk(uint64_t first, size_t rows, Visitor visit);

  const RowProgram& program_;
  const bool announced_;           // columns are read ahead
  std::vector<ColumnView> views_;  // per column use
  std::vector<Operand> slots_;
  std::vector<uint32_t*> outputs_;   // four per register slot
  std::vector<uint32_t> registers_;  // scratch for wrapped columns, scalars, flags, registers
  std::vector<uint32_t*> scratch_;   // four per column use
  uint32_t* is_first_ = nullptr;
  uint32_t* is_last_ = nullptr;
  std::vector<RootValues> roots_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_EVAL_ROW_PROGRAM_H_
