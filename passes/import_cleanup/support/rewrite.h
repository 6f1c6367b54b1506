// What the import cleanup passes share: constants as arrays, and replacing ops so that nothing dead
// stays behind (a dead reader would make a value look shared). All tensor ops are pure.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace lindero::passes {

bool isOp(const ir::Value* value, llvm::StringRef name);  // the value's defining op has that name
bool isConstant(const ir::Value* value);
// The pool's entry of a tensor.constant; null for any other value.
const ir::Constant* constantOf(const ir::Value* value);
// Its elements; nothing if the value is no constant, or one whose bytes are not at hand.
std::optional<ir::tensor::Array> arrayOf(const ir::Value* value);
// The number that a constant of one element holds, whatever its rank.
std::optional<double> scalarOf(const ir::Value* value);

// Does single precision hold every element to within its relative rounding error? Not what
// overflows it, and not what it would round to zero or to a few bits: folding such factors into a
// constant would change what the model computes.
bool fitsSingle(const ir::tensor::Array& array);

// A new constant, named after another one (or after the node, if there is none).
ir::Value* makeConstant(ir::Builder& builder, const ir::tensor::Array& array, llvm::StringRef name);

// Does the op only put elements, of any type, in other places?
bool movesElements(const ir::Op& op);

// For a binary op with exactly one constant operand: the other operand, and the constant.
struct WithConstant {
  ir::Value* value;
  ir::Value* constant;
  bool constant_first;
};
std::optional<WithConstant> splitConstant(const ir::Op& op);

// A constant seen as one value per column of a [..., columns] tensor: [columns], [1, columns] or a
// scalar. Nothing if it varies along other axes.
std::optional<ir::tensor::Array> columnVector(const ir::Value* constant, int64_t columns);

// Erases the op if nobody reads it, then what only it read.
void eraseDead(ir::Op* op);
// `value` takes the place of the op's result, and its defining op (if any) the op's nodes.
void replaceOp(ir::Op* op, ir::Value* value);

// Asks the rule about each op of the function, in order; where it gives a value, this value takes
// the place of the op's result. True if that happened; what nothing reads any more is erased.
using RewriteRule = llvm::function_ref<absl::StatusOr<ir::Value*>(ir::Op&)>;
absl::StatusOr<bool> rewriteOps(ir::Function& function, RewriteRule rule);

// All nodes of several ops, in the order given.
ir::Location locationOf(llvm::ArrayRef<const ir::Op*> ops);

// Frees constants that no op reads any more.
void eraseUnusedConstants(ir::Module& module);

}  // namespace lindero::passes
