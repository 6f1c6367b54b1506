#include "passes/quantize/storage.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/quantize/general.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

std::string nameOf(const Value& value) {
  if (value.definingOp() != nullptr) return ir::describe(*value.definingOp());
  return absl::StrCat("argument ", value.name().str());
}

bool isLinear(const Value* value) {
  return value->definingOp() != nullptr && value->definingOp()->is("tensor.linear");
}

bool takesColumns(const Op& op) {
  return op.is("tensor.slice") && op.result()->type().shape.size() == 2 &&
         op.intAttr("axis") == 1 && op.intAttrOr("step", 1) == 1;
}

bool isProduct(const Op& op) {
  return op.is("tensor.mul") && constantOf(*op.operand(0)) == nullptr &&
         constantOf(*op.operand(1)) == nullptr;
}

absl::StatusOr<Storage> byReaders(const Value& value);

// What one reader wants of the value; of a view, what the view's readers want.
absl::StatusOr<Storage> wanted(const Value& value, const Op& reader) {
  if (reader.is("tensor.linear")) return Storage::kInput;
  if (reader.is("tensor.layernorm")) return Storage::kResidual;
  if (reader.is("tensor.activation")) return Storage::kKey;
  if (reader.is("tensor.argmax") || reader.is("tensor.return")) return Storage::kRaw;
  if (reader.is("tensor.attention")) {
    return reader.operand(2) == &value ? Storage::kValue : Storage::kQueryKey;
  }
  if (isProduct(reader)) {
    const bool alike = reader.operand(0)->type() == reader.operand(1)->type();
    return alike ? Storage::kInput : Storage::kStored;
  }
  if (reader.is("tensor.add") && addOperands(reader).partial != nullptr)
    return addOperands(reader).partial == &value ? Storage::kPartial : Storage::kResidual;
  if (takesColumns(reader) && isSlicedLinear(value)) return Storage::kSliced;
  if (reader.is("tensor.select_rows")) return byReaders(*reader.result());
  if (isGeneral(reader)) return Storage::kStored;
  return absl::UnimplementedError(
      absl::StrCat(ir::describe(reader), " is not a canonical op that quantization knows"));
}

absl::StatusOr<Storage> byReaders(const Value& value) {
  std::optional<Storage> storage;
  for (const Op* reader : value.users()) {
    absl::StatusOr<Storage> one = wanted(value, *reader);
    if (!one.ok()) return one.status();
    // Readers that need it rounded in different ways each round it for themselves.
    if (storage && *one != *storage) return Storage::kStored;
    storage = *one;
  }
  // Nothing reads it: any form will do.
  return storage.value_or(Storage::kRaw);
}

// Of a value that is rounded where it is computed.
absl::StatusOr<Storage> ofRounded(const Value& value) {
  absl::StatusOr<Storage> storage = byReaders(value);
  if (!storage.ok()) return storage;
  const bool input =
      llvm::is_contained({Storage::kInput, Storage::kQueryKey, Storage::kValue}, *storage);
  return input ? Storage::kInput : Storage::kStored;
}

}  // namespace

bool isSlicedLinear(const Value& value) {
  if (!isLinear(&value)) return false;
  std::vector<std::pair<int64_t, int64_t>> slices;
  for (const Op* reader : value.users()) {
    if (!takesColumns(*reader)) return false;
    slices.push_back({reader->intAttr("start"), reader->intAttr("size")});
  }
  // A product's results are all rounded, each once.
  llvm::sort(slices);
  int64_t next = 0;
  for (auto [start, size] : slices) {
    if (start != next) return false;
    next += size;
  }
  return next == value.type().shape.back();
}

bool standsAlone(const Op& op) {
  if (op.is("tensor.add") && addOperands(op).partial != nullptr) return false;
  if (takesColumns(op) && isSlicedLinear(*op.operand(0))) return false;
  return isGeneral(op);
}

absl::StatusOr<Storage> storageOf(const Value& value) {
  const Op* op = value.definingOp();
  if (op == nullptr) {
    if (value.type().element != ir::Element::kFloat) return Storage::kIndex;
    absl::StatusOr<Storage> storage = byReaders(value);
    if (!storage.ok()) return storage;
    const bool stored = llvm::is_contained(
        {Storage::kInput, Storage::kResidual, Storage::kQueryKey, Storage::kValue}, *storage);
    return stored ? *storage : Storage::kStored;
  }
  if (op->is("tensor.embedding")) return Storage::kResidual;
  if (standsAlone(*op)) return Storage::kStored;
  if (op->is("tensor.add")) return Storage::kResidual;
  if (op->is("tensor.layernorm")) return Storage::kNormalized;
  if (op->is("tensor.attention") || op->is("tensor.activation") || isProduct(*op))
    return ofRounded(value);
  if (op->is("tensor.argmax")) return Storage::kIndex;
  if (op->is("tensor.linear")) return byReaders(value);
  if (op->is("tensor.select_rows") || op->is("tensor.slice")) {
    // A view of an accumulator is what its readers make of it; any other view is as the viewed.
    return isLinear(op->operand(0)) ? byReaders(value) : storageOf(*op->operand(0));
  }
  return absl::UnimplementedError(
      absl::StrCat(nameOf(value), " is not a canonical op; it has no form in integers"));
}

bool needsAffineCopy(const Value& normalized) {
  return llvm::any_of(normalized.users(), [](const Op* reader) {
    if (reader->is("tensor.select_rows")) return needsAffineCopy(*reader->result());
    return !reader->is("tensor.linear");
  });
}

AddOperands addOperands(const Op& add) {
  for (unsigned i : {1u, 0u}) {
    Value *partial = add.operand(i), *addend = add.operand(1 - i);
    const bool rounded_together = isLinear(partial) && partial->hasOneUse() &&
                                  constantOf(*addend) == nullptr &&
                                  partial->type() == addend->type();
    if (rounded_together) return {partial, addend};
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
    if (!weighted && standsAlone(op)) continue;
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
