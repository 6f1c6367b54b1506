// What the ops of @trace refer to in @circuit of the same module. Linear scans, no copies: made for
// one op.
#pragma once

#include <optional>
#include <string>

#include "ir/trace/steps.h"
#include "program/check.h"

namespace lindero::ir::trace {

// Tables are numbered in the order of the text; the columns of a table phase by phase; buffers are
// the operands and then the results of the op. @circuit may be missing or not verified yet.
class CircuitNames : public Numbering, public program::Surroundings {
 public:
  explicit CircuitNames(const Op& op);

  uint32_t buffer(const Value& value) const override;
  absl::StatusOr<uint32_t> table(const std::string& name) const override;
  absl::StatusOr<uint32_t> column(uint32_t table, const std::string& name) const override;
  absl::StatusOr<uint32_t> tensor(const std::string& name) const override;

  uint64_t bufferSize(uint32_t buffer) const override;
  std::string bufferName(uint32_t buffer) const override;
  std::optional<Columns> columns(uint32_t table, uint32_t phase) const override;
  std::optional<Tensor> tensor(uint32_t tensor) const override;

 private:
  // The op of this kind and number in @circuit, or null; its number, by name.
  const Op* find(llvm::StringRef kind, uint32_t number) const;
  std::optional<uint32_t> find(llvm::StringRef kind, const std::string& name) const;

  const Op& op_;
  const Block* circuit_ = nullptr;
};

}  // namespace lindero::ir::trace
