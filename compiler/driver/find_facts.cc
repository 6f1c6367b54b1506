#include "compiler/driver/find_facts.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/Parallel.h"
#include "passes/import_cleanup/support/positions.h"

namespace lindero::compiler {
namespace {

TensorFacts tensorFacts(std::string name, const ir::Type& type) {
  return {.name = std::move(name),
          .integer = type.element != ir::Element::kFloat,
          .shape = {type.shape.begin(), type.shape.end()}};
}

void addOutputs(const ir::Op& terminator, ModelFacts& facts) {
  const ir::Attribute* names = terminator.find("names");
  const auto* list = names ? std::get_if<std::vector<std::string>>(names) : nullptr;
  for (unsigned i = 0; i < terminator.numOperands(); ++i) {
    std::string name = list && i < list->size() ? (*list)[i] : absl::StrCat("output", i);
    facts.outputs.push_back(tensorFacts(std::move(name), terminator.operand(i)->type()));
  }
}

// A tied head is stored twice, the second time transposed.
bool isTransposed(const ir::Constant& a, const ir::Constant& b) {
  if (a.scalar != ir::Scalar::kF32 || b.scalar != a.scalar || a.shape.size() != 2 ||
      b.shape.size() != 2 || a.shape[0] != b.shape[1] || a.shape[1] != b.shape[0] ||
      a.declaredOnly() || b.declaredOnly()) {
    return false;
  }
  llvm::ArrayRef<float> x = a.as<float>(), y = b.as<float>();
  const int64_t rows = a.shape[0], columns = a.shape[1];
  // Tiles, so that the elements of both are neighbours.
  constexpr int64_t kTile = 64;
  std::atomic<bool> same = true;
  llvm::parallelFor(0, (rows + kTile - 1) / kTile, [&](size_t tile) {
    const int64_t first = static_cast<int64_t>(tile) * kTile, end = std::min(first + kTile, rows);
    for (int64_t column = 0; same && column < columns; column += kTile) {
      for (int64_t j = column; j < std::min(column + kTile, columns); ++j) {
        for (int64_t i = first; i < end; ++i)
          if (x[i * columns + j] != y[j * rows + i]) same = false;
      }
    }
  });
  return same;
}

// Elements of the distinct constants.
int64_t countParameters(llvm::ArrayRef<const ir::Constant*> constants) {
  int64_t count = 0;
  for (size_t i = 0; i < constants.size(); ++i) {
    bool tied = llvm::any_of(constants.take_front(i), [&](const ir::Constant* other) {
      return isTransposed(*constants[i], *other);
    });
    if (!tied) count += constants[i]->elements();
  }
  return count;
}

}  // namespace

ModelFacts modelFacts(const ir::Function& function) {
  ModelFacts facts;
  for (const auto& argument : function.body().arguments()) {
    facts.inputs.push_back(tensorFacts(argument->name().str(), argument->type()));
    facts.inputs.back().unread = argument->users().empty();
    for (const ir::Op* op : argument->users()) {
      if (!op->is("tensor.embedding") || op->operand(0) != argument.get()) continue;
      const int64_t rows = op->operand(1)->type().shape[0];
      int64_t& values = facts.inputs.back().values;
      values = values == 0 ? rows : std::min(values, rows);
    }
    facts.vocabulary = std::max(facts.vocabulary, facts.inputs.back().values);
  }
  facts.causal = passes::Positions(function).causal();
  llvm::SmallSetVector<const ir::Constant*, 32> constants;  // one that two ops share is one
  for (const ir::Op& op : function.body().ops()) {
    if (op.is("tensor.constant")) {
      const ir::Constant* constant = function.module()->constants().find(op.symbolAttr("value"));
      if (constant) constants.insert(constant);
    } else if (op.def().terminator) {
      addOutputs(op, facts);
    }
  }
  facts.parameters = countParameters(constants.getArrayRef());
  return facts;
}

}  // namespace lindero::compiler
