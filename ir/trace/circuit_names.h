// What the ops of @trace refer to in @circuit of the same module, by name and by number.
//
// Tables are numbered in the order of the text, their columns phase by phase; buffers are the
// operands and then the results of the op. The circuit is read once, for all ops: one visit per op
// of its tables. What changes there after that is not seen.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/trace/steps.h"
#include "llvm/ADT/StringMap.h"
#include "runtime/program/check.h"

namespace lindero::ir::trace {

// @circuit, which may be missing or not verified yet. Of several of one name, the first counts.
class CircuitIndex {
 public:
  struct Table {
    std::string name;
    uint64_t height = 0;
    std::vector<uint64_t> phases;       // of the columns, in order
    llvm::StringMap<uint32_t> columns;  // their numbers
  };

  explicit CircuitIndex(const Module& module);

  // Null: there is none.
  const Table* table(uint32_t number) const;
  const program::Surroundings::Tensor* tensor(uint32_t number) const;
  std::optional<uint32_t> findTable(llvm::StringRef name) const;
  std::optional<uint32_t> findTensor(llvm::StringRef name) const;

 private:
  void addTable(const Op& op);
  void addTensor(const Op& op);

  std::vector<Table> tables_;
  std::vector<program::Surroundings::Tensor> tensors_;
  llvm::StringMap<uint32_t> table_numbers_, tensor_numbers_;
};

// For one op.
class CircuitNames : public Numbering, public program::Surroundings {
 public:
  CircuitNames(const Op& op, const CircuitIndex& circuit) : op_(op), circuit_(circuit) {}

  uint32_t buffer(const Value& value) const override;
  absl::StatusOr<uint32_t> table(const std::string& name) const override;
  absl::StatusOr<uint32_t> column(uint32_t table, const std::string& name) const override;
  absl::StatusOr<uint32_t> tensor(const std::string& name) const override;

  uint64_t bufferSize(uint32_t buffer) const override;
  std::string bufferName(uint32_t buffer) const override;
  std::optional<Columns> columns(uint32_t table, uint32_t phase) const override;
  std::optional<Tensor> tensor(uint32_t tensor) const override;

 private:
  const Op& op_;
  const CircuitIndex& circuit_;
};

}  // namespace lindero::ir::trace
