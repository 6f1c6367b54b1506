// Parts of a checked circuit by their indices, and rows by their offsets.
#ifndef LINDERO_RUNTIME_PACKAGE_CIRCUIT_ACCESS_H_
#define LINDERO_RUNTIME_PACKAGE_CIRCUIT_ACCESS_H_

#include <cstdint>

#include "runtime/package/circuit.pb.h"

namespace lindero::runtime {

inline const Table& tableOf(const Circuit& circuit, uint32_t table) {
  return circuit.tables(static_cast<int>(table));
}
inline const Column& columnOf(const Circuit& circuit, uint32_t table, uint32_t column) {
  return tableOf(circuit, table).columns(static_cast<int>(column));
}

// The row that a node at this offset reads; the last row comes before the first.
inline uint64_t rowAt(uint64_t row, int32_t offset, uint64_t height) {
  return (row + static_cast<uint64_t>(int64_t{offset})) & (height - 1);
}

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_CIRCUIT_ACCESS_H_
