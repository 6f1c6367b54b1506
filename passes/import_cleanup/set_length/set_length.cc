#include "passes/import_cleanup/set_length/set_length.h"

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/core/text.h"
#include "ir/tensor/infer.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

absl::Status refuse(absl::string_view why) { return absl::InvalidArgumentError(why); }

// The number of tokens that all inputs have.
absl::StatusOr<int64_t> lengthOf(const ir::Function& main) {
  int64_t length = 0;
  for (const auto& argument : main.body().arguments()) {
    const ir::Type& type = argument->type();
    if (type.element != ir::Element::kInt || type.shape.size() != 1 ||
        (length != 0 && type.shape[0] != length)) {
      return refuse(absl::StrCat("input '", argument->name().str(), "' is of ", ir::toText(type),
                                 "; all inputs must be as many tokens"));
    }
    length = type.shape[0];
  }
  if (length == 0) return refuse("the function has no inputs");
  return length;
}

absl::Status checkCausal(const ir::Function& main) {
  for (const Op& op : main.body().ops()) {
    if (op.is("tensor.attention") && !op.boolAttr("causal")) {
      return refuse(absl::StrCat(ir::describe(op), " is not causal: a position depends on all"));
    }
    if (op.is("tensor.select_rows")) {
      return refuse(absl::StrCat(ir::describe(op), " picks rows already"));
    }
  }
  return absl::OkStatus();
}

// The first rows of an embedding's addend.
absl::Status cutPositions(Op& embedding, int64_t length) {
  if (embedding.numOperands() < 3) return absl::OkStatus();
  std::optional<Array> rows = arrayOf(embedding.operand(2));
  if (!rows) {
    return refuse(absl::StrCat(ir::describe(embedding), ": its positions are not at hand"));
  }
  rows->shape[0] = length;
  rows->reals.resize(rows->elements());
  ir::Builder builder = ir::Builder::before(&embedding);
  builder.setLocation(embedding.location());
  Value* positions = embedding.operand(2);
  embedding.setOperand(2, makeConstant(builder, *rows, constantOf(positions)->name));
  eraseDead(positions->definingOp());
  return absl::OkStatus();
}

absl::Status updateType(Op& op) {
  llvm::SmallVector<ir::Type, 4> operands;
  for (const Value* operand : op.operands()) operands.push_back(operand->type());
  IR_ASSIGN_OR_RETURN(const ir::Type type,
                      ir::tensor::inferType(op.name(), operands, op.attributes()));
  op.result()->setType(type);
  return absl::OkStatus();
}

class SetLength : public Pass {
 public:
  explicit SetLength(int64_t length) : length_(length) {}
  llvm::StringRef name() const override { return "set-length"; }
  llvm::StringRef summary() const override { return "Make a causal model one for fewer tokens"; }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* main = module.findFunction("main");
    if (!main) return refuse("the module has no function @main");
    IR_ASSIGN_OR_RETURN(const int64_t from, lengthOf(*main));
    if (length_ == from) return false;
    if (length_ < 1 || length_ > from) {
      return refuse(absl::StrCat("the model has ", from, " tokens; length is ", length_));
    }
    IR_RETURN_IF_ERROR(checkCausal(*main));
    for (const auto& argument : main->body().arguments()) {
      ir::Type type = argument->type();
      type.shape[0] = length_;
      argument->setType(type);
    }
    for (Op& op : llvm::make_early_inc_range(main->body().ops())) {
      if (op.is("tensor.constant") || op.is("tensor.return")) continue;
      if (op.is("tensor.embedding")) IR_RETURN_IF_ERROR(cutPositions(op, length_));
      IR_RETURN_IF_ERROR(updateType(op));
    }
    eraseUnusedConstants(module);
    return true;
  }

 private:
  int64_t length_;
};

}  // namespace

std::unique_ptr<Pass> createSetLength(int64_t length) {
  return std::make_unique<SetLength>(length);
}

absl::Status registerSetLength() {
  return registerPass("set-length", SetLength(0).summary(),
                      [](const PassOptions& given) -> absl::StatusOr<std::unique_ptr<Pass>> {
                        int64_t length = 0;
                        OptionReader reader("set-length", given);
                        reader.read("length", length);
                        if (absl::Status s = reader.finish(); !s.ok()) return s;
                        return createSetLength(length);
                      });
}

}  // namespace lindero::passes
