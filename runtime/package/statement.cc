#include "runtime/package/statement.h"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/package/field_path.h"
#include "runtime/package/files.h"
#include "runtime/package/formats.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

absl::Status checkShapes(const Statement& statement) {
  FieldPath file("statement");
  if (statement.format() != kStatementFormat) {
    return file.error(FormatRule::kEncoding, "format ", statement.format(),
                      " is not known (known: ", kStatementFormat, ")");
  }
  std::unordered_set<std::string> names;
  for (int i = 0; i < statement.tensors_size(); ++i) {
    const PublicValues& tensor = statement.tensors(i);
    FieldPath field = file.at("tensors", i, tensor.name());
    LINDERO_RETURN_IF_ERROR(checkUniqueName(field, names, tensor.name()));
    if (!PublicValues::Kind_IsValid(tensor.kind())) {
      return field.error(FormatRule::kEncoding, "unknown kind ", static_cast<int>(tensor.kind()));
    }
    if (static_cast<uint64_t>(tensor.values_size()) != uint64_t{tensor.rows()} * tensor.columns()) {
      return field.error(FormatRule::kStatements, "the shape is ", tensor.rows(), " x ",
                         tensor.columns(), ", but there are ", tensor.values_size(), " values");
    }
  }
  return absl::OkStatus();
}

std::vector<const PublicTensor*> tensorsOf(absl::Span<const Circuit* const> circuits) {
  std::vector<const PublicTensor*> tensors;
  for (const Circuit* circuit : circuits) {
    for (const PublicTensor& tensor : circuit->publics()) tensors.push_back(&tensor);
  }
  return tensors;
}

}  // namespace

std::string encodeStatement(const Statement& statement) { return serializeProto(statement); }

absl::StatusOr<Statement> decodeStatement(absl::string_view bytes) {
  Statement statement;
  LINDERO_RETURN_IF_ERROR(parseProto(bytes, "statement", statement));
  LINDERO_RETURN_IF_ERROR(checkShapes(statement));
  if (encodeStatement(statement) != bytes) {
    return FieldPath("statement").error(FormatRule::kEncoding, "not the canonical encoding");
  }
  return statement;
}

absl::Status writeStatement(const std::string& path, const Statement& statement) {
  return writeFile(path, encodeStatement(statement));
}

const PublicValues* findValues(const Statement& statement, absl::string_view name) {
  for (const PublicValues& tensor : statement.tensors()) {
    if (tensor.name() == name) return &tensor;
  }
  return nullptr;
}

absl::Status checkValues(const PublicTensor& tensor, const PublicValues& values, int64_t blocks) {
  const char* kind = tensor.kind() == PublicTensor::INPUT ? "input" : "output";
  const uint64_t rows = uint64_t{tensor.rows()} * static_cast<uint64_t>(blocks);
  if (values.rows() != rows || values.columns() != tensor.columns() ||
      static_cast<uint64_t>(values.values_size()) != rows * tensor.columns()) {
    return absl::InvalidArgumentError(
        absl::StrCat(kind, " \"", tensor.name(), "\" has shape ", values.rows(), " x ",
                     values.columns(), " (", values.values_size(),
                     " values); the circuit was compiled for ", rows, " x ", tensor.columns()));
  }
  for (int i = 0; i < values.values_size(); ++i) {
    int64_t v = values.values(i);
    if (v >= tensor.low() && v <= tensor.high()) continue;
    return absl::OutOfRangeError(
        absl::StrCat(kind, " \"", tensor.name(), "\": the value ", v, " at [", i / tensor.columns(),
                     ", ", i % tensor.columns(), "] is outside of the proven range [", tensor.low(),
                     ", ", tensor.high(), "]"));
  }
  return absl::OkStatus();
}

absl::Status checkStatement(const Circuit& circuit, const Statement& statement,
                            int64_t most_steps) {
  const Circuit* const circuits[] = {&circuit};
  return checkStatement(circuits, statement, most_steps);
}

absl::Status checkStatement(absl::Span<const Circuit* const> circuits, const Statement& statement,
                            int64_t most_steps) {
  LINDERO_RETURN_IF_ERROR(checkShapes(statement));
  const std::vector<const PublicTensor*> tensors = tensorsOf(circuits);
  const auto count = static_cast<int>(tensors.size());
  if (statement.tensors_size() != count) {
    return FieldPath("statement")
        .error(FormatRule::kStatements, statement.tensors_size(), " tensors; the circuit has ",
               count);
  }
  const int64_t steps = most_steps == 1 ? 1 : blocksOf(circuits, statement);
  if (steps < 1 || steps > most_steps) {
    return FieldPath("statement")
        .error(FormatRule::kStatements, "it is of ", steps, " steps; at most ", most_steps,
               " can be proven");
  }
  for (int i = 0; i < count; ++i) {
    const PublicTensor& tensor = *tensors[i];
    const PublicValues& values = statement.tensors(i);
    if (values.name() != tensor.name() ||
        static_cast<int>(values.kind()) != static_cast<int>(tensor.kind())) {
      return FieldPath("statement")
          .error(FormatRule::kStatements, "tensors[", i, "] is \"", values.name(),
                 "\"; the circuit's public tensor there is \"", tensor.name(), "\"");
    }
    LINDERO_RETURN_IF_ERROR(checkValues(tensor, values, steps));
  }
  return absl::OkStatus();
}

int64_t blocksOf(const Circuit& circuit, const Statement& statement) {
  const Circuit* const circuits[] = {&circuit};
  return blocksOf(circuits, statement);
}

int64_t blocksOf(absl::Span<const Circuit* const> circuits, const Statement& statement) {
  if (statement.tensors_size() == 0) return 1;
  const PublicValues& first = statement.tensors(0);
  for (const PublicTensor* tensor : tensorsOf(circuits)) {
    if (tensor->name() == first.name()) return first.rows() / tensor->rows();
  }
  return 1;
}

Statement blockOf(const Circuit& circuit, const Statement& statement, int64_t block) {
  Statement out;
  out.set_format(statement.format());
  for (const PublicTensor& tensor : circuit.publics()) {
    const PublicValues* all = findValues(statement, tensor.name());
    if (all == nullptr) continue;
    PublicValues& values = *out.add_tensors();
    values.set_name(all->name());
    values.set_kind(all->kind());
    values.set_rows(tensor.rows());
    values.set_columns(all->columns());
    const auto size = static_cast<int64_t>(tensor.rows()) * tensor.columns();
    values.mutable_values()->Assign(all->values().begin() + block * size,
                                    all->values().begin() + (block + 1) * size);
  }
  return out;
}

void appendBlock(const Statement& block, Statement& all) {
  if (all.tensors_size() == 0) {
    all = block;
    return;
  }
  for (int i = 0; i < block.tensors_size(); ++i) {
    PublicValues& values = *all.mutable_tensors(i);
    values.set_rows(values.rows() + block.tensors(i).rows());
    values.mutable_values()->MergeFrom(block.tensors(i).values());
  }
}

}  // namespace lindero::runtime
