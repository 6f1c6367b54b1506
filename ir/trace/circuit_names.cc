#include "ir/trace/circuit_names.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ir/air/analysis.h"
#include "ir/core/op_table.h"

namespace lindero::ir::trace {
namespace {

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

std::optional<uint32_t> numberOf(const llvm::StringMap<uint32_t>& numbers, llvm::StringRef name) {
  const auto it = numbers.find(name);
  return it == numbers.end() ? std::nullopt : std::optional(it->second);
}

template <typename T>
const T* at(const std::vector<T>& all, uint32_t number) {
  return number < all.size() ? &all[number] : nullptr;
}

}  // namespace

CircuitIndex::CircuitIndex(const Module& module) {
  const Function* circuit = module.findFunction("circuit");
  if (circuit == nullptr) return;
  for (const Op& op : circuit->body().ops()) {
    if (op.is("air.table")) addTable(op);
    if (op.is("air.public") && !op.has("slot")) addTensor(op);
  }
}

void CircuitIndex::addTable(const Op& op) {
  Table table;
  table.name = stringOr(op, "name");
  const uint64_t log_height = sizeOr(op, "log_height");
  table.height = log_height <= 30 ? uint64_t{1} << log_height : 0;
  std::vector<const Op*> columns;
  for (const Op& inner : op.block()->ops()) {
    if (air::isColumn(inner)) columns.push_back(&inner);
  }
  std::stable_sort(columns.begin(), columns.end(), [](const Op* a, const Op* b) {
    return sizeOr(*a, "phase") < sizeOr(*b, "phase");
  });
  for (const Op* column : columns) {
    if (column->has("name"))
      table.columns.try_emplace(stringOr(*column, "name"), table.phases.size());
    table.phases.push_back(sizeOr(*column, "phase"));
  }
  table_numbers_.try_emplace(table.name, tables_.size());
  tables_.push_back(std::move(table));
}

void CircuitIndex::addTensor(const Op& op) {
  uint64_t size = 0;
  if (__builtin_mul_overflow(sizeOr(op, "rows"), sizeOr(op, "columns"), &size)) size = 0;
  tensor_numbers_.try_emplace(stringOr(op, "name"), tensors_.size());
  tensors_.push_back({stringOr(op, "name"), stringOr(op, "kind"), size});
}

const CircuitIndex::Table* CircuitIndex::table(uint32_t number) const {
  return at(tables_, number);
}

const program::Surroundings::Tensor* CircuitIndex::tensor(uint32_t number) const {
  return at(tensors_, number);
}

std::optional<uint32_t> CircuitIndex::findTable(llvm::StringRef name) const {
  return numberOf(table_numbers_, name);
}

std::optional<uint32_t> CircuitIndex::findTensor(llvm::StringRef name) const {
  return numberOf(tensor_numbers_, name);
}

uint32_t CircuitNames::buffer(const Value& value) const {
  if (value.definingOp() == &op_) return op_.numOperands() + value.index();
  return static_cast<uint32_t>(llvm::find(op_.operands(), &value) - op_.operands().begin());
}

absl::StatusOr<uint32_t> CircuitNames::table(const std::string& name) const {
  if (const auto number = circuit_.findTable(name)) return *number;
  return absl::NotFoundError(absl::StrCat("@circuit has no table @", name));
}

absl::StatusOr<uint32_t> CircuitNames::column(uint32_t table, const std::string& name) const {
  const CircuitIndex::Table* found = circuit_.table(table);
  if (found == nullptr) return absl::NotFoundError("@circuit has no such table");
  if (const auto number = numberOf(found->columns, name)) return *number;
  return absl::NotFoundError(absl::StrCat("table ", found->name, " has no column ", name));
}

absl::StatusOr<uint32_t> CircuitNames::tensor(const std::string& name) const {
  if (const auto number = circuit_.findTensor(name)) return *number;
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
  const CircuitIndex::Table* found = circuit_.table(table);
  if (found == nullptr) return std::nullopt;
  const auto [begin, end] = std::equal_range(found->phases.begin(), found->phases.end(), phase);
  return Columns{found->name, found->height, static_cast<uint64_t>(begin - found->phases.begin()),
                 static_cast<uint64_t>(end - found->phases.begin())};
}

std::optional<program::Surroundings::Tensor> CircuitNames::tensor(uint32_t tensor) const {
  const Tensor* found = circuit_.tensor(tensor);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

}  // namespace lindero::ir::trace
