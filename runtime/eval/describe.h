// Words for places and values in messages.
#ifndef LINDERO_RUNTIME_EVAL_DESCRIBE_H_
#define LINDERO_RUNTIME_EVAL_DESCRIBE_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "runtime/field/qm31.h"
#include "runtime/package/circuit.pb.h"

namespace lindero::runtime {

// softmax.k.0
std::string describeColumn(const Circuit& circuit, uint32_t table, uint32_t column);

// softmax.k.0, followed by the row as below
std::string describeCell(const Circuit& circuit, uint32_t table, uint32_t column, uint64_t row);

// node "/h.0/mlp/fc" (layer0/mlp), row 12   — or —   a padding row, row 12
std::string describeRow(const Table& table, uint64_t row);

// Base elements as signed integers, others by coordinates.
std::string describeValue(const QM31& value);

// (8, -3, 17)
std::string describeTuple(absl::Span<const QM31> tuple);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_EVAL_DESCRIBE_H_
