#include "passes/boundary/carry_context/carry_context.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ir/core/ir.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/core/text.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

absl::Status refuse(absl::string_view why) { return absl::InvalidArgumentError(why); }

class CarryContext : public Pass {
 public:
  explicit CarryContext(int64_t block) : block_(block) {}
  llvm::StringRef name() const override { return "carry-context"; }
  llvm::StringRef summary() const override {
    return "Make a causal decoder one over blocks of steps that hand on keys and values";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* main = module.findFunction("main");
    if (!main) return refuse("the module has no function @main");
    carried_.clear(), appended_.clear();
    IR_RETURN_IF_ERROR(check(*main));
    ir::Block& body = main->body();
    cut(body);
    positions_ = body.addArgument(ir::Type::tensor(ir::Element::kInt, {block_}), "decode/position");
    number_ = body.addArgument(ir::Type::tensor(ir::Element::kInt, {1}), "decode/block");
    for (Op& op : llvm::make_early_inc_range(body.ops())) {
      if (op.is("integer.embedding")) fetchPositions(op);
      if (op.is("integer.scores") || op.is("integer.mix")) op.setOperand(1, append(body, op));
      if (op.is("integer.softmax")) {
        op.setOperands({op.operand(0), op.operand(1), number_});
      }
    }
    returnCarried(*body.terminator());
    return true;
  }

 private:
  absl::Status check(const ir::Function& main) {
    const auto arguments = main.body().arguments();
    const Op* end = main.body().terminator();
    if (arguments.size() != 1 || arguments[0]->type().element != ir::Element::kInt ||
        arguments[0]->type().shape.size() != 1) {
      return refuse("the one input must be tokens");
    }
    context_ = arguments[0]->type().shape[0];
    if (block_ < 1 || context_ % block_ != 0 || context_ < 2 * block_) {
      return refuse(absl::StrCat("blocks of ", block_, " steps do not divide a context of ",
                                 context_, " into two or more"));
    }
    const Op* choices =
        end != nullptr && end->numOperands() == 1 ? end->operand(0)->definingOp() : nullptr;
    if (choices == nullptr || !choices->is("integer.argmax") || !end->has("names")) {
      return refuse("the one output must be the argmax of every position");
    }
    int embeddings = 0;
    for (const Op& op : main.body().ops()) {
      if (op.is("integer.select_rows") || op.block() != nullptr) {
        return refuse(absl::StrCat(ir::describe(op), " picks rows, or holds a region"));
      }
      IR_RETURN_IF_ERROR(checkRows(op));
      if (op.is("integer.softmax") && !op.boolAttr("causal")) {
        return refuse(absl::StrCat(ir::describe(op), " is not causal"));
      }
      if (!op.is("integer.embedding")) continue;
      const Op* table = op.numOperands() > 2 ? op.operand(2)->definingOp() : nullptr;
      if (++embeddings > 1 || table == nullptr || !table->is("integer.constant")) {
        return refuse(absl::StrCat(ir::describe(op),
                                   ": there must be one embedding, to which rows "
                                   "of positions are added"));
      }
    }
    return embeddings == 1 ? absl::OkStatus() : refuse("there is no embedding");
  }

  // Of a result: positions, or queries.
  static size_t rowAxis(const ir::Type& type) { return type.shape.size() == 3 ? 1 : 0; }

  // Does the op compute each position's row from that position's rows, or as attention does?
  absl::Status checkRows(const Op& op) const {
    if (op.is("integer.constant") || op.numResults() == 0) return absl::OkStatus();
    const ir::Type& type = op.result()->type();
    const size_t axis = rowAxis(type);
    if (type.shape.size() <= axis || type.shape[axis] != context_)
      return refuse(absl::StrCat(ir::describe(op), " has no row per position"));
    if (op.is("integer.copy"))
      return refuse(
          absl::StrCat(ir::describe(op),
                       " copies elements, which blocks of steps cannot; give --context recompute"));
    if (!op.is("integer.affine")) return absl::OkStatus();
    for (const Value* operand : op.operands()) {
      const Op* constant = operand->definingOp();
      if (constant && constant->is("integer.constant") && operand->type().shape.size() > 1)
        return refuse(absl::StrCat(ir::describe(op), " has constants for each position"));
    }
    return absl::OkStatus();
  }

  // The positions of a block, or its queries, in place of all.
  void cut(ir::Block& body) {
    auto shorten = [&](Value& value, size_t axis) {
      ir::Type type = value.type();
      type.shape[axis] = block_;
      value.setType(type);
    };
    shorten(*body.arguments()[0], 0);
    for (Op& op : body.ops()) {
      if (op.is("integer.constant") || op.numResults() == 0) continue;
      shorten(*op.result(), rowAxis(op.result()->type()));
    }
  }

  void fetchPositions(Op& op) {
    ir::Builder builder = ir::Builder::before(&op);
    builder.setLocation(op.location());
    ir::Type type = op.operand(2)->type();
    type.shape[0] = block_;
    op.setOperand(2, builder.value("integer.embedding", {positions_, op.operand(2)}, type));
  }

  // The operand with the rows of the blocks before in front.
  Value* append(ir::Block& body, Op& op) {
    Value* own = op.operand(1);
    auto [it, made] = carried_.try_emplace(own);
    if (!made) return it->second;
    ir::Type before = own->type(), all = before;
    before.shape[0] = context_ - block_;
    all.shape[0] = context_;
    Value* argument = body.addArgument(before, absl::StrCat("link/", carried_.size() - 1));
    ir::Builder builder = ir::Builder::before(&op);
    builder.setLocation(op.location());
    it->second = builder.value("integer.append_rows", {argument, own}, all);
    appended_.push_back({argument->name().str(), it->second});
    return it->second;
  }

  void returnCarried(Op& end) {
    auto names = std::get<std::vector<std::string>>(*end.find("names"));
    llvm::SmallVector<Value*, 16> outputs(end.operands());
    for (auto& [name, value] : appended_) names.push_back(name), outputs.push_back(value);
    end.setOperands(outputs);
    end.set("names", names);
  }

  int64_t block_, context_ = 0;
  Value *positions_ = nullptr, *number_ = nullptr;
  std::map<Value*, Value*> carried_;
  std::vector<std::pair<std::string, Value*>> appended_;
};

}  // namespace

std::unique_ptr<Pass> createCarryContext(int64_t block) {
  return std::make_unique<CarryContext>(block);
}

absl::Status registerCarryContext() {
  return registerPass("carry-context", CarryContext(0).summary(),
                      [](const PassOptions& given) -> absl::StatusOr<std::unique_ptr<Pass>> {
                        int64_t block = 16;
                        OptionReader reader("carry-context", given);
                        reader.read("block", block);
                        if (absl::Status s = reader.finish(); !s.ok()) return s;
                        return createCarryContext(block);
                      });
}

}  // namespace lindero::passes
