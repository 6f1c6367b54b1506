#include "ir/integer/verify_shared.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/text.h"
#include "llvm/ADT/StringExtras.h"

namespace lindero::ir::integer {

int64_t narrow(Wide value) {
  return static_cast<int64_t>(std::clamp<Wide>(value, std::numeric_limits<int64_t>::min(),
                                               std::numeric_limits<int64_t>::max()));
}

std::string rangeText(Wide low, Wide high) {
  return absl::StrCat("[", narrow(low), ", ", narrow(high), "]");
}

Wide magnitude(const Type& type) { return std::max(-Wide{type.low}, Wide{type.high}); }

bool isFixed(const Type& type, Shape shape) {
  return type.element == Element::kFixed && Shape(type.shape) == shape;
}

bool isIds(const Type& type, Shape shape) {
  return type.element == Element::kInt && Shape(type.shape) == shape;
}

bool isConstant(const Value* value) {
  return value->definingOp() != nullptr && value->definingOp()->is("integer.constant");
}

const Constant& poolConstant(const Op& constant) {
  return *constant.parent()->function()->module()->constants().find(constant.symbolAttr("value"));
}

const Op* producer(const Value* value) {
  const Op* op = value->definingOp();
  while (op != nullptr && op->block() != nullptr && op->block()->terminator() != nullptr) {
    value = op->block()->terminator()->operand(value->index());
    op = value->definingOp();
  }
  return op;
}

absl::Status shapesAs(const Op& op, bool fits, llvm::ArrayRef<unsigned> constants) {
  if (!fits) {
    std::vector<std::string> types;
    for (const Value* operand : op.operands()) types.push_back(toText(operand->type()));
    std::string text = "(" + llvm::join(types, ", ") + ")";
    if (op.numResults() > 0) text += " -> " + toText(op.result()->type());
    return violates(op, 1, text);
  }
  for (unsigned i : constants) {
    if (i >= op.numOperands() || isConstant(op.operand(i))) continue;
    return violates(op, 1, absl::StrCat("operand ", i, " is no integer.constant"));
  }
  return absl::OkStatus();
}

absl::Status require(const Op& op, unsigned constraint, bool holds, const std::string& here) {
  return holds ? absl::OkStatus() : violates(op, constraint, here);
}

absl::Status between(const Op& op, unsigned constraint, llvm::StringRef name, int64_t low,
                     int64_t high) {
  const int64_t value = op.intAttr(name);
  return require(op, constraint, value >= low && value <= high,
                 absl::StrCat(name.str(), " = ", value));
}

absl::Status exponentIs(const Op& op, unsigned constraint, const Value* value, int64_t expected) {
  return require(op, constraint, value->type().exponent == expected,
                 absl::StrCat(toText(value->type()), ", not 2^", -expected));
}

absl::Status below(const Op& op, unsigned constraint, const Value* value, int64_t limit) {
  return require(op, constraint, magnitude(value->type()) < limit, toText(value->type()));
}

absl::Status holds(const Op& op, unsigned constraint, const Type& type, Wide low, Wide high) {
  return require(op, constraint, type.low <= low && type.high >= high,
                 absl::StrCat(toText(type), " where values reach ", rangeText(low, high)));
}

absl::Status signedRange(const Op& op, unsigned constraint, int64_t bits) {
  const Type& type = op.result()->type();
  const int64_t limit = int64_t{1} << (bits - 1);
  return require(op, constraint, type.low == -limit && type.high == limit - 1, toText(type));
}

}  // namespace lindero::ir::integer
