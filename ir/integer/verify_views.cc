// Constraints of views, constants and outputs.
#include "absl/strings/str_cat.h"
#include "ir/core/text.h"
#include "ir/integer/verify_shared.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::ir::integer {
namespace {

bool sameRange(const Type& a, const Type& b) { return a.low == b.low && a.high == b.high; }

absl::Status verifyCopy(const Op& op) {
  const Type& y = op.result()->type();
  const Constant& indices =
      *op.parent()->function()->module()->constants().find(op.symbolAttr("indices"));
  int64_t given = 0;
  bool fits = op.numOperands() > 0 && isFixed(y, y.shape) && indices.elements() == y.elements() &&
              (indices.scalar == Scalar::kI32 || indices.scalar == Scalar::kI64);
  for (const Value* x : op.operands()) {
    fits = fits && isFixed(x->type(), x->type().shape);
    given += x->type().elements();
  }
  absl::Status status = shapesAs(op, fits);
  if (!status.ok()) return status;
  if (const IntegerFacts* facts = indices.integerFacts()) {
    status.Update(require(
        op, 1, y.elements() == 0 || (facts->low >= 0 && facts->high < given),
        absl::StrCat("indices ", rangeText(facts->low, facts->high), " of ", given, " elements")));
  }
  for (const Value* x : op.operands()) {
    status.Update(exponentIs(op, 2, x, y.exponent));
    status.Update(holds(op, 3, y, x->type().low, x->type().high));
  }
  return status;
}

absl::Status verifySlice(const Op& op) {
  const Type &x = op.operand(0)->type(), &y = op.result()->type();
  const int64_t start = op.intAttr("start"), size = op.intAttr("size");
  absl::Status status =
      shapesAs(op, x.shape.size() == 2 && isFixed(x, x.shape) && isFixed(y, {x.shape[0], size}));
  if (!status.ok()) return status;
  const int64_t width = x.shape[1];
  status.Update(require(op, 2, start >= 0 && size >= 1 && size <= width && start <= width - size,
                        absl::StrCat("start = ", start, ", size = ", size, ", n = ", width)));
  status.Update(require(op, 3, sameRange(x, y), toText(x) + " and " + toText(y)));
  return status;
}

absl::Status verifySelectRows(const Op& op) {
  const Type &x = op.operand(0)->type(), &y = op.result()->type();
  const llvm::ArrayRef<int64_t> rows = op.intsAttr("rows");
  absl::Status status =
      shapesAs(op, x.shape.size() == 2 && isFixed(x, x.shape) &&
                       isFixed(y, {static_cast<int64_t>(rows.size()), x.shape[1]}));
  if (!status.ok()) return status;
  for (int64_t row : rows) {
    status.Update(require(op, 2, row >= 0 && row < x.shape[0], absl::StrCat("row ", row)));
  }
  status.Update(
      require(op, 3, sameRange(x, y) && x.exponent == y.exponent, toText(x) + " and " + toText(y)));
  return status;
}

absl::Status verifyAppendRows(const Op& op) {
  const Type &x = op.operand(0)->type(), &y = op.operand(1)->type(), &z = op.result()->type();
  const bool fits = x.shape.size() == 2 && y.shape.size() == 2 && isFixed(x, x.shape) &&
                    isFixed(y, {y.shape[0], x.shape[1]}) &&
                    isFixed(z, {x.shape[0] + y.shape[0], x.shape[1]});
  absl::Status status = shapesAs(op, fits);
  if (!status.ok()) return status;
  for (const Type* type : {&x, &y}) {
    status.Update(require(op, 2, sameRange(*type, z) && type->exponent == z.exponent,
                          toText(*type) + " and " + toText(z)));
  }
  return status;
}

absl::Status verifyConstant(const Op& op) {
  const Constant& constant = poolConstant(op);
  const Type& type = op.result()->type();
  const bool integers = visitIntegers(constant, [](auto) {});
  absl::Status status =
      require(op, 1, integers,
              absl::StrCat("@", constant.name, " is of ", scalarName(constant.scalar).str()));
  status.Update(require(op, 2, isFixed(type, constant.shape), toText(type)));
  if (const IntegerFacts* facts = constant.integerFacts()) {
    status.Update(holds(op, 3, type, facts->low, facts->high));
  }
  return status;
}

absl::Status verifyReturn(const Op& op) {
  const Attribute* names = op.find("names");
  if (names == nullptr) return absl::OkStatus();
  const size_t count = std::get<std::vector<std::string>>(*names).size();
  return require(op, 1, count == op.numOperands(),
                 absl::StrCat(count, " names of ", op.numOperands(), " outputs"));
}

}  // namespace

Verifier verifierOfViews(llvm::StringRef name) {
  return llvm::StringSwitch<Verifier>(name)
      .Case("integer.copy", verifyCopy)
      .Case("integer.slice", verifySlice)
      .Case("integer.select_rows", verifySelectRows)
      .Case("integer.append_rows", verifyAppendRows)
      .Case("integer.constant", verifyConstant)
      .Case("integer.return", verifyReturn)
      .Default(nullptr);
}

}  // namespace lindero::ir::integer
