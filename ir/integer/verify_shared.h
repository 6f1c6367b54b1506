// What the verifiers of the integer dialect's ops share: checks that cite the number of the
// constraint that an op breaks.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "ir/core/ir.h"
#include "ir/core/op_table.h"
#include "ir/integer/verify.h"

namespace lindero::ir::integer {

using Wide = __int128;  // sums and products of 64-bit ranges
using Shape = llvm::ArrayRef<int64_t>;

inline constexpr int64_t kAccumulator = int64_t{1} << 30;

// Null for ops of other groups; ir/integer/ops.cc has the same groups.
Verifier verifierOfProducts(llvm::StringRef name);
Verifier verifierOfRounding(llvm::StringRef name);
Verifier verifierOfRows(llvm::StringRef name);
Verifier verifierOfViews(llvm::StringRef name);

// For messages; beyond 64 bits the nearest.
int64_t narrow(Wide value);
std::string rangeText(Wide low, Wide high);

Wide magnitude(const Type& type);
bool isFixed(const Type& type, Shape shape);
bool isIds(const Type& type, Shape shape);
bool isConstant(const Value* value);
const Constant& poolConstant(const Op& constant);
// The op that computes the value, seen through the ops that hold and yield it.
const Op* producer(const Value* value);

// C1 of most ops: shapes, and which operands are constants.
absl::Status shapesAs(const Op& op, bool fits, llvm::ArrayRef<unsigned> constants = {});
absl::Status require(const Op& op, unsigned constraint, bool holds, const std::string& here);
absl::Status between(const Op& op, unsigned constraint, llvm::StringRef name, int64_t low,
                     int64_t high);
absl::Status exponentIs(const Op& op, unsigned constraint, const Value* value, int64_t expected);
absl::Status below(const Op& op, unsigned constraint, const Value* value, int64_t limit);
absl::Status holds(const Op& op, unsigned constraint, const Type& type, Wide low, Wide high);
// The result's range is that of `bits` signed bits.
absl::Status signedRange(const Op& op, unsigned constraint, int64_t bits);

}  // namespace lindero::ir::integer
