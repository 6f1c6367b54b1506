// Lowering of whole numbers that are exact: integer inputs and quotients.
#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "ir/core/field.h"
#include "ir/core/status_macros.h"
#include "passes/quantize/lowering.h"

namespace lindero::passes {

using ir::Op;
using ir::Type;
using ir::Value;

namespace {

constexpr int kMostFiner = 14;          // of a factor of 16 bits
constexpr double kMostFactor = 0x7fff;  // of 16 bits
constexpr char kTooLarge[] = "its whole numbers are too large for an exact quotient";

int64_t magnitude(const Type& type) { return std::max(-type.low, type.high); }

int64_t bitsFor(int64_t bound) {
  int64_t bits = 2;
  while (bound >= int64_t{1} << (bits - 1)) ++bits;
  return bits;
}

}  // namespace

// Ids, or numbers of the range that their readers hold.
absl::Status Lowering::lowerIntegers(const Value& argument) {
  Type type = argument.type();
  for (const Op* reader : argument.users()) {
    if (!isNumber(*reader)) continue;
    IR_ASSIGN_OR_RETURN(const int exponent, this->exponent(*reader->result(), "exponent"));
    IR_ASSIGN_OR_RETURN(const int bits, this->exponent(*reader->result(), "bits"));
    const int64_t limit = int64_t{1} << std::clamp(bits - 1 - exponent, 1, kMostWholeBits - 1);
    type = Type::fixed(type.shape, 0, std::max(-limit, reader->intAttr("low")),
                       std::min(limit - 1, reader->intAttr("high")));
  }
  Stored stored;
  stored.value = target_.body().addArgument(type, argument.name());
  keep(argument, std::move(stored), "index");
  return absl::OkStatus();
}

Value* Lowering::finer(Value* x, int exponent) {
  const int shift = std::clamp(exponent - x->type().exponent, 0, kMostFiner);
  if (shift == 0) return x;
  const int unit = x->type().exponent + shift;
  const int64_t bound = magnitude(x->type()) << shift;
  return builder_.value("integer.affine",
                        {x, narrowConstant("unit", {1}, {int32_t{1} << shift}, shift, kExact),
                         narrowConstant("zero", {1}, {0}, unit, kExact)},
                        Type::fixed(x->type().shape, unit, -bound, bound),
                        {{"shift", int64_t{0}}, {"bits", std::max<int64_t>(17, bitsFor(bound))}});
}

// The input, in the unit that its readers want.
absl::Status Lowering::lowerNumber(const Op& op) {
  IR_ASSIGN_OR_RETURN(const int exponent, this->exponent(*op.result(), "exponent"));
  inexact_ |= exponent < 0;
  keep(*op.result(), storedAs(finer(stored(*op.operand(0)).value, exponent)), "number");
  return absl::OkStatus();
}

// floor(a / b) = floor((2 a - b) / (2 b) + 1/2).
absl::Status Lowering::lowerWholeQuotient(const Op& op) {
  IR_ASSIGN_OR_RETURN(const int exponent, this->exponent(*op.result(), "exponent"));
  const auto& shape = op.result()->type().shape;
  Value* values[2];
  for (unsigned i : {0u, 1u}) {
    const ir::Constant* constant = constantOf(*op.operand(i));
    Value* value = nullptr;
    if (constant != nullptr) {
      IR_ASSIGN_OR_RETURN(const ir::tensor::Array array, ir::tensor::readConstant(*constant));
      std::vector<int32_t> numbers;
      for (double x : array.reals) {
        if (!(std::abs(x) <= kMostFactor)) return absl::UnimplementedError(kTooLarge);
        numbers.push_back(static_cast<int32_t>(std::lround(x)));
      }
      value = narrowConstant(constant->name, constant->shape, numbers, 0, kExact);
    } else {
      IR_ASSIGN_OR_RETURN(value, form(*op.operand(i)));
    }
    if (!whole_.contains(op.result()) || value->type().exponent < 0 || exponent < 0) {
      inexact_ = true;
      return absl::OkStatus();
    }
    // A constant that stands as it is read is given by a copy, too.
    values[i] = copied({narrowed(value, value->type().exponent)}, shape,
                       ir::tensor::broadcastElements(value->type().shape, shape),
                       /*always=*/constant != nullptr);
  }
  const int64_t most = magnitude(values[0]->type()), divisor = magnitude(values[1]->type()),
                bits = bitsFor(most + 1);
  if (bits > 16 || divisor > int64_t{1} << 14 ||
      4 * most + ((int64_t{1} << bits) + 3) * 2 * divisor + (1 << 16) >= ir::kFieldModulus)
    return absl::UnimplementedError(kTooLarge);
  const auto exact = [&](llvm::ArrayRef<Value*> operands, int64_t bound) {
    return builder_.value("integer.affine", operands, Type::fixed(shape, 0, -bound, bound),
                          {{"shift", int64_t{0}}, {"bits", std::max<int64_t>(17, bitsFor(bound))}});
  };
  const auto number = [&](int32_t value) {
    return narrowConstant("factor", {1}, {value}, 0, kExact);
  };
  Value* above =
      exact({values[0], number(2), number(0), values[1], number(-1)}, 2 * most + divisor);
  Value* below = exact({values[1], number(2), number(0)}, 2 * divisor);
  const int64_t limit = int64_t{1} << (bits - 1);
  Value* quotient =
      builder_.value("integer.divide", {above, below}, Type::fixed(shape, 0, -limit, limit - 1),
                     {{"shift", int64_t{0}}, {"bits", bits}});
  keep(*op.result(), storedAs(finer(quotient, exponent)), "quotient");
  return absl::OkStatus();
}

}  // namespace lindero::passes
