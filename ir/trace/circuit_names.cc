#include "ir/trace/circuit_names.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ir/air/analysis.h"
#include "ir/core/op_table.h"

namespace lindero::ir::trace {
namespace {

bool isNamed(const Op& op, const std::string& name) {
  const Attribute* found = op.find("name");
  return found != nullptr && *found == Attribute(name);
}

std::string stringOr(const Op& op, llvm::StringRef attribute) {
  const Attribute* found = op.find(attribute);
  const auto* text = found == nullptr ? nullptr : std::get_if<std::string>(found);
  return text == nullptr ? "" : *text;
}

// 0 where it is missing or no size.
uint64_t sizeOr(const Op& op, llvm::StringRef attribute) {
  const Attribute* found = op.find(attribute);
  const auto* number = found == nullptr ? nullptr : std::get_if<int64_t>(found);
  return number == nullptr || *number < 0 ? 0 : static_cast<uint64_t>(*number);
}

}  // namespace

CircuitNames::CircuitNames(const Op& op) : op_(op) {
  const Function* circuit = op.parent()->function()->module()->findFunction("circuit");
  if (circuit != nullptr) circuit_ = &circuit->body();
}

uint32_t CircuitNames::buffer(const Value& value) const {
  if (value.definingOp() == &op_) return op_.numOperands() + value.index();
  return static_cast<uint32_t>(llvm::find(op_.operands(), &value) - op_.operands().begin());
}

const Op* CircuitNames::find(llvm::StringRef kind, uint32_t number) const {
  if (circuit_ == nullptr) return nullptr;
  for (const Op& op : circuit_->ops()) {
    if (op.is(kind) && number-- == 0) return &op;
  }
  return nullptr;
}

std::optional<uint32_t> CircuitNames::find(llvm::StringRef kind, const std::string& name) const {
  if (circuit_ == nullptr) return std::nullopt;
  uint32_t number = 0;
  for (const Op& op : circuit_->ops()) {
    if (!op.is(kind)) continue;
    if (isNamed(op, name)) return number;
    ++number;
  }
  return std::nullopt;
}

absl::StatusOr<uint32_t> CircuitNames::table(const std::string& name) const {
  if (const auto number = find("air.table", name)) return *number;
  return absl::NotFoundError(absl::StrCat("@circuit has no table @", name));
}

absl::StatusOr<uint32_t> CircuitNames::column(uint32_t table, const std::string& name) const {
  const Op* found = find("air.table", table);
  if (found == nullptr) return absl::NotFoundError("@circuit has no such table");
  const Op* column = nullptr;
  for (const Op& op : found->block()->ops()) {
    if (column == nullptr && air::isColumn(op) && isNamed(op, name)) column = &op;
  }
  if (column == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("table ", stringOr(*found, "name"), " has no column ", name));
  }
  const uint64_t phase = sizeOr(*column, "phase");
  uint32_t number = 0;
  bool before = true;
  for (const Op& op : found->block()->ops()) {
    if (!air::isColumn(op)) continue;
    before = before && &op != column;
    const uint64_t other = sizeOr(op, "phase");
    number += other < phase || (other == phase && before);
  }
  return number;
}

absl::StatusOr<uint32_t> CircuitNames::tensor(const std::string& name) const {
  if (const auto number = find("air.public", name)) return *number;
  return absl::NotFoundError(absl::StrCat("@circuit has no public tensor \"", name, "\""));
}

uint64_t CircuitNames::bufferSize(uint32_t buffer) const {
  const bool read = buffer < op_.numOperands();
  const Value& value = read ? *op_.operand(buffer) : *op_.result(buffer - op_.numOperands());
  return static_cast<uint64_t>(std::max<int64_t>(value.type().elements(), 0));
}

std::string CircuitNames::bufferName(uint32_t buffer) const {
  const OpDef& def = op_.def();
  const bool read = buffer < op_.numOperands();
  return (read ? def.operands[buffer] : def.results[buffer - op_.numOperands()]).name.str();
}

std::optional<program::Surroundings::Columns> CircuitNames::columns(uint32_t table,
                                                                    uint32_t phase) const {
  const Op* found = find("air.table", table);
  if (found == nullptr) return std::nullopt;
  Columns columns{stringOr(*found, "name")};
  const uint64_t log_height = sizeOr(*found, "log_height");
  columns.height = log_height <= 30 ? uint64_t{1} << log_height : 0;
  for (const Op& op : found->block()->ops()) {
    if (!air::isColumn(op)) continue;
    columns.begin += sizeOr(op, "phase") < phase;
    columns.end += sizeOr(op, "phase") <= phase;
  }
  return columns;
}

std::optional<program::Surroundings::Tensor> CircuitNames::tensor(uint32_t tensor) const {
  const Op* found = find("air.public", tensor);
  if (found == nullptr) return std::nullopt;
  uint64_t size = 0;
  if (__builtin_mul_overflow(sizeOr(*found, "rows"), sizeOr(*found, "columns"), &size)) size = 0;
  return Tensor{stringOr(*found, "name"), stringOr(*found, "kind"), size};
}

}  // namespace lindero::ir::trace
