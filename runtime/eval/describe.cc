#include "runtime/eval/describe.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/package/circuit_access.h"
#include "runtime/package/circuit_info.h"

namespace lindero::runtime {

std::string describeColumn(const Circuit& circuit, uint32_t table, uint32_t column) {
  return absl::StrCat(tableOf(circuit, table).name(), ".", columnOf(circuit, table, column).name());
}

std::string describeCell(const Circuit& circuit, uint32_t table, uint32_t column, uint64_t row) {
  return absl::StrCat(describeColumn(circuit, table, column), ", ",
                      describeRow(tableOf(circuit, table), row));
}

std::string describeRow(const Table& table, uint64_t row) {
  const Instance* instance = findInstance(table, row);
  if (instance == nullptr) return absl::StrCat("a padding row, row ", row);
  return absl::StrCat("node \"", instance->node(), "\" (", instance->region(), "), row ", row);
}

std::string describeValue(const QM31& value) {
  if (!value.isBase()) return value.toString();
  return absl::StrCat(M31::fromCanonical(value.limb(0)).centered());
}

std::string describeTuple(absl::Span<const QM31> tuple) {
  return absl::StrCat("(",
                      absl::StrJoin(tuple, ", ",
                                    [](std::string* out, const QM31& value) {
                                      absl::StrAppend(out, describeValue(value));
                                    }),
                      ")");
}

}  // namespace lindero::runtime
