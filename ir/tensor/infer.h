// The result type of every op of the tensor dialect, from its operands' types and its attributes.
//
// Importer and passes make ops through create(), so that a type is written down nowhere else; the
// dialect's verifier compares each op with this rule. Shapes broadcast as in ONNX (and NumPy).
// Errors cite the constraints of the op table by number. Cost: that of the shapes.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"

namespace lindero::ir::tensor {

// Has the op a type rule? All have one but the constant and the return.
bool hasTypeRule(llvm::StringRef name);

// The error names no op; the caller knows the node.
absl::StatusOr<Type> inferType(llvm::StringRef name, llvm::ArrayRef<Type> operands,
                               llvm::ArrayRef<NamedAttribute> attributes);

// Makes an op with the type that inferType gives; returns its result.
absl::StatusOr<Value*> create(Builder& builder, llvm::StringRef name,
                              llvm::ArrayRef<Value*> operands,
                              llvm::ArrayRef<NamedAttribute> attributes = {});

// Checks an existing op against its rule.
absl::Status verifyType(const Op& op);

// NumPy broadcasting; nothing if the shapes do not fit.
std::optional<llvm::SmallVector<int64_t, 4>> broadcast(llvm::ArrayRef<int64_t> a,
                                                       llvm::ArrayRef<int64_t> b);

}  // namespace lindero::ir::tensor
