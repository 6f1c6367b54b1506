#include "passes/quantize/storage.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

std::string nameOf(const Value& value) {
  if (value.definingOp() != nullptr) return ir::describe(*value.definingOp());
  return absl::StrCat("argument ", value.name().str());
}

// What one reader wants of the value; nothing if it takes it in any form.
absl::StatusOr<std::optional<Storage>> wanted(const Value& value, const Op& reader) {
  if (reader.is("tensor.linear") || reader.is("tensor.mul")) return Storage::kInput;
  if (reader.is("tensor.layernorm")) return Storage::kResidual;
  if (reader.is("tensor.activation")) return Storage::kKey;
  if (reader.is("tensor.argmax") || reader.is("tensor.return")) return Storage::kRaw;
  if (reader.is("tensor.attention")) {
    return reader.operand(2) == &value ? Storage::kValue : Storage::kQueryKey;
  }
  if (reader.is("tensor.add")) {
    return addOperands(reader).partial == &value ? Storage::kPartial : Storage::kResidual;
  }
  if (reader.is("tensor.slice")) return Storage::kSliced;
  if (reader.is("tensor.select_rows")) {
    absl::StatusOr<Storage> storage = storageOf(*reader.result());
    if (!storage.ok()) return storage.status();
    return *storage;
  }
  return absl::UnimplementedError(
      absl::StrCat(ir::describe(reader), " is not a canonical op that quantization knows"));
}

absl::StatusOr<Storage> byReaders(const Value& value) {
  std::optional<Storage> storage;
  for (const Op* reader : value.users()) {
    absl::StatusOr<std::optional<Storage>> one = wanted(value, *reader);
    if (!one.ok()) return one.status();
    if (storage && *one && **one != *storage) {
      return absl::UnimplementedError(
          absl::StrCat(nameOf(value), ": its readers need it rounded in different ways (",
                       ir::describe(*reader), " and one before); split the op in the model"));
    }
    if (*one) storage = *one;
  }
  // Nothing reads it: any form will do.
  return storage.value_or(Storage::kRaw);
}

bool isLinear(const Value* value) {
  return value->definingOp() != nullptr && value->definingOp()->is("tensor.linear");
}

}  // namespace

absl::StatusOr<Storage> storageOf(const Value& value) {
  const Op* op = value.definingOp();
  if (op == nullptr) {
    if (value.type().element != ir::Element::kFloat) return Storage::kIndex;
    absl::StatusOr<Storage> storage = byReaders(value);
    if (!storage.ok()) return storage;
    const bool stored = llvm::is_contained(
        {Storage::kInput, Storage::kResidual, Storage::kQueryKey, Storage::kValue}, *storage);
    if (stored) return storage;
    return absl::UnimplementedError(absl::StrCat(
        nameOf(value), " is not read by a linear, a LayerNorm, a product or a residual sum"));
  }
  if (op->is("tensor.embedding") || op->is("tensor.add")) return Storage::kResidual;
  if (op->is("tensor.layernorm")) return Storage::kNormalized;
  if (op->is("tensor.attention") || op->is("tensor.activation") || op->is("tensor.mul")) {
    return Storage::kInput;
  }
  if (op->is("tensor.argmax")) return Storage::kIndex;
  if (op->is("tensor.linear")) return byReaders(value);
  if (op->is("tensor.select_rows")) {
    // A view of an accumulator is what its readers make of it; any other view is as the viewed.
    return isLinear(op->operand(0)) ? byReaders(value) : storageOf(*op->operand(0));
  }
  if (op->is("tensor.slice"))
    return isLinear(op->operand(0)) ? byReaders(value) : storageOf(*op->operand(0));
  return absl::UnimplementedError(absl::StrCat(
      ir::describe(*op), " is not a canonical op; the import cleanup should have rewritten it"));
}

bool needsAffineCopy(const Value& normalized) {
  return llvm::any_of(normalized.users(), [](const Op* reader) {
    if (reader->is("tensor.select_rows") || reader->is("tensor.slice"))
      return needsAffineCopy(*reader->result());
    return !reader->is("tensor.linear");
  });
}

AddOperands addOperands(const Op& add) {
  for (unsigned i : {1u, 0u}) {
    Value *partial = add.operand(i), *addend = add.operand(1 - i);
    if (isLinear(partial) && partial->hasOneUse()) return {partial, addend};
  }
  return {};
}

const ir::Constant* constantOf(const Value& value) {
  const Op* op = value.definingOp();
  if (op == nullptr || !op->is("tensor.constant")) return nullptr;
  return op->parent()->function()->module()->constants().find(op->symbolAttr("value"));
}

absl::Status checkOperands(const ir::Function& function) {
  for (const Op& op : function.body().ops()) {
    const bool weighted =
        op.is("tensor.embedding") || op.is("tensor.linear") || op.is("tensor.layernorm");
    for (const Value* operand : weighted ? op.operands().take_front() : op.operands()) {
      if (!operand->definingOp() || !operand->definingOp()->is("tensor.constant")) continue;
      return absl::UnimplementedError(
          absl::StrCat(ir::describe(op), ": it computes on the constant @",
                       operand->definingOp()->symbolAttr("value"), "; constants are weights here"));
    }
  }
  return absl::OkStatus();
}

std::vector<const Value*> exponentSites(const ir::Function& function) {
  std::vector<const Value*> sites;
  for (const auto& argument : function.body().arguments()) {
    if (argument->type().element == ir::Element::kFloat) sites.push_back(argument.get());
  }
  for (const Op& op : function.body().ops()) {
    if (op.numResults() == 1 && !op.is("tensor.constant")) sites.push_back(op.result());
  }
  return sites;
}

}  // namespace lindero::passes
