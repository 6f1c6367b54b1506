// A few DAG nodes of one table, evaluated on single rows: what RowProgram does for chunks, without
// its cost per chunk. About 5 ns an operation.
#ifndef LINDERO_RUNTIME_CHECK_POINT_PROGRAM_H_
#define LINDERO_RUNTIME_CHECK_POINT_PROGRAM_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "runtime/eval/columns.h"
#include "runtime/eval/scalars.h"
#include "runtime/package/circuit_info.h"

namespace lindero::runtime {

class PointProgram {
 public:
  // `scalars` knows every challenge and claimed sum that the roots read.
  PointProgram(const Circuit& circuit, const CircuitInfo& info, const Scalars& scalars,
               uint32_t table, absl::Span<const uint32_t> roots);

  // The roots' values on a row, valid until the next call.
  absl::Span<const QM31> run(const Columns& columns, uint64_t row);

 private:
  enum class Code : uint8_t { kBaseCell, kExtensionCell, kFirst, kLast, kAdd, kSub, kMul, kNeg };
  struct Instruction {
    Code code;
    bool a_extension, b_extension;
    int32_t offset;  // cells
    uint32_t out, a, b;
  };

  uint32_t table_;
  uint64_t mask_;  // height - 1
  std::vector<Instruction> instructions_;
  std::vector<QM31> slots_;  // row-independent ones are filled once
  std::vector<uint32_t> root_slots_;
  std::vector<QM31> roots_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_POINT_PROGRAM_H_
