// Reading, writing and checking the statement (statement.proto).
#ifndef LINDERO_RUNTIME_PACKAGE_STATEMENT_H_
#define LINDERO_RUNTIME_PACKAGE_STATEMENT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/package/circuit.pb.h"
#include "runtime/package/statement.pb.h"

namespace lindero::runtime {

// The canonical bytes.
std::string encodeStatement(const Statement& statement);

// Refuses bytes that are not the canonical encoding of a statement whose tensors have rows *
// columns values.
absl::StatusOr<Statement> decodeStatement(absl::string_view bytes);

absl::Status writeStatement(const std::string& path, const Statement& statement);

// The statement has exactly the circuit's public tensors, in order, with values in their ranges:
// those of as many steps of a bundle as there are rows for, `most_steps` at most.
absl::Status checkStatement(const Circuit& circuit, const Statement& statement,
                            int64_t most_steps = 1);

// The same of the public tensors of several circuits, those of the first one first.
absl::Status checkStatement(absl::Span<const Circuit* const> circuits, const Statement& statement,
                            int64_t most_steps);

// How many steps a statement that fits the circuit, or what it has of the inputs, is of.
int64_t blocksOf(const Circuit& circuit, const Statement& statement);
int64_t blocksOf(absl::Span<const Circuit* const> circuits, const Statement& statement);

// Of the circuit's tensors, its rows of one step, from 0 on.
Statement blockOf(const Circuit& circuit, const Statement& statement, int64_t block);

// Adds a step's rows to those of the ones before it; `all` may be empty.
void appendBlock(const Statement& block, Statement& all);

// The entry of that name, or null.
const PublicValues* findValues(const Statement& statement, absl::string_view name);

// Shape and range of one tensor's values; the error names tensor, position, value and range.
absl::Status checkValues(const PublicTensor& tensor, const PublicValues& values,
                         int64_t blocks = 1);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_STATEMENT_H_
