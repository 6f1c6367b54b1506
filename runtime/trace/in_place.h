// Matrices of fixed columns that matrix products read where they are: they are never copied to a
// buffer, which would be as large as the model.
#ifndef LINDERO_RUNTIME_TRACE_IN_PLACE_H_
#define LINDERO_RUNTIME_TRACE_IN_PLACE_H_

#include <cstdint>
#include <map>

#include "runtime/program/program.pb.h"

namespace lindero::runtime {

// Element i stands in lane i % lanes, a column from `column` on, at row first_row + i / lanes.
struct FixedMatrix {
  uint32_t table = 0;
  uint32_t column = 0;
  uint64_t first_row = 0;
  uint64_t lanes = 0;
  uint64_t rows = 0;
};

// Of buffers that a step loads whole, and of which all that is read is the right side of matrix
// products whose columns follow the lanes. Requires analyzeProgram.
std::map<uint32_t, FixedMatrix> matricesInPlace(const Program& program);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TRACE_IN_PLACE_H_
