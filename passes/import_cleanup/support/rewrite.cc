#include "passes/import_cleanup/support/rewrite.h"

#include <cmath>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::passes {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

bool isOp(const Value* value, llvm::StringRef name) {
  return value->definingOp() && value->definingOp()->is(name);
}

bool isConstant(const Value* value) { return isOp(value, "tensor.constant"); }

const ir::Constant* constantOf(const Value* value) {
  if (!isConstant(value)) return nullptr;
  const Op* op = value->definingOp();
  return op->parent()->function()->module()->constants().find(op->symbolAttr("value"));
}

std::optional<Array> arrayOf(const Value* value) {
  const ir::Constant* constant = constantOf(value);
  if (!constant) return std::nullopt;
  auto array = ir::tensor::readConstant(*constant);
  if (!array.ok()) return std::nullopt;
  return *std::move(array);
}

std::optional<double> scalarOf(const Value* value) {
  if (value->type().elements() != 1) return std::nullopt;
  std::optional<Array> array = arrayOf(value);
  if (!array) return std::nullopt;
  return array->isReal() ? array->reals[0] : static_cast<double>(array->integers[0]);
}

bool fitsSingle(const Array& array) {
  return llvm::all_of(array.reals, [](double value) {
    const float single = static_cast<float>(value);
    return single == value || (std::isfinite(single) && std::isnormal(single));
  });
}

Value* makeConstant(ir::Builder& builder, const Array& array, llvm::StringRef name) {
  ir::ConstantPool& pool = builder.block()->function()->module()->constants();
  const ir::Constant& constant =
      ir::tensor::writeConstant(pool, name.empty() ? "constant" : name, array);
  return builder.value("tensor.constant", {}, array.type(), {{"value", ir::Symbol{constant.name}}});
}

bool movesElements(const ir::Op& op) {
  if (op.is("tensor.gather")) return isConstant(op.operand(1));
  return llvm::StringSwitch<bool>(op.name())
      .Cases("tensor.reshape", "tensor.transpose", "tensor.expand", true)
      .Cases("tensor.slice", "tensor.concat", "tensor.select_rows", true)
      .Default(false);
}

std::optional<WithConstant> splitConstant(const Op& op) {
  if (op.numOperands() != 2 || isConstant(op.operand(0)) == isConstant(op.operand(1)))
    return std::nullopt;
  const bool first = isConstant(op.operand(0));
  return WithConstant{op.operand(first ? 1 : 0), op.operand(first ? 0 : 1), first};
}

std::optional<Array> columnVector(const Value* constant, int64_t columns) {
  const auto& shape = constant->type().shape;
  const int64_t elements = constant->type().elements();
  const bool per_column = elements == columns && !shape.empty() && shape.back() == columns;
  if (!per_column && elements != 1) return std::nullopt;
  std::optional<Array> array = arrayOf(constant);
  if (!array || !array->isReal()) return std::nullopt;
  if (!per_column) array->reals.assign(columns, array->reals[0]);
  array->shape = {columns};
  return array;
}

static bool isUnread(const Op* op) {
  return llvm::all_of(llvm::seq(0u, op->numResults()),
                      [&](unsigned i) { return op->result(i)->users().empty(); });
}

void eraseDead(Op* op) {
  // Each op on the list is unread, and gets there once: when its last reader goes.
  llvm::SmallVector<Op*, 8> work;
  if (!op->def().terminator && isUnread(op)) work.push_back(op);
  while (!work.empty()) {
    Op* dead = work.pop_back_val();
    llvm::SmallVector<Op*, 4> sources;
    for (Value* operand : dead->operands()) {
      Op* source = operand->definingOp();
      if (source && !llvm::is_contained(sources, source)) sources.push_back(source);
    }
    dead->erase();
    for (Op* source : sources) {
      if (isUnread(source)) work.push_back(source);
    }
  }
}

void replaceOp(Op* op, Value* value) {
  if (Op* source = value->definingOp(); source && !isConstant(value))
    source->addLocation(op->location());
  op->result()->replaceAllUsesWith(value);
  eraseDead(op);
}

absl::StatusOr<bool> rewriteOps(ir::Function& function, RewriteRule rule) {
  bool changed = false;
  for (Op& op : llvm::make_early_inc_range(function.body().ops())) {
    IR_ASSIGN_OR_RETURN(Value * value, rule(op));
    if (!value) continue;
    op.result()->replaceAllUsesWith(value);
    eraseDead(&op);
    changed = true;
  }
  if (changed) eraseUnusedConstants(*function.module());
  return changed;
}

ir::Location locationOf(llvm::ArrayRef<const Op*> ops) {
  ir::Location location;
  for (const Op* op : ops) {
    for (const std::string& node : op->location()) {
      if (!llvm::is_contained(location, node)) location.push_back(node);
    }
  }
  return location;
}

void eraseUnusedConstants(ir::Module& module) {
  llvm::StringSet<> used;
  for (const auto& function : module.functions()) {
    ir::walk(function->body(), [&](Op* op) {
      for (const auto& [name, attribute] : op->attributes()) {
        if (const auto* symbol = std::get_if<ir::Symbol>(&attribute)) used.insert(symbol->name);
      }
    });
  }
  module.constants().keepOnly(used);
}

}  // namespace lindero::passes
