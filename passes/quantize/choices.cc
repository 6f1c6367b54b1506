#include "passes/quantize/choices.h"

#include <algorithm>
#include <cmath>

#include "ir/core/op_table.h"

namespace lindero::passes {
namespace {

constexpr double kAsGood = 0.01;  // of the largest magnitude

}  // namespace

const ir::Value* choiceOf(const ir::Value& output) {
  const ir::Op* op = output.definingOp();
  while (op != nullptr && op->is("tensor.reshape")) op = op->operand(0)->definingOp();
  if (op == nullptr) return nullptr;
  const bool compares = op->is("tensor.activation") &&
                        llvm::StringRef(op->stringAttr("function")).starts_with("where(") &&
                        op->result()->type().elements() == output.type().elements();
  return compares || op->is("tensor.argmax") ? op->operand(0) : nullptr;
}

bool isClose(const ir::tensor::Array& differences, int64_t element) {
  if (element >= static_cast<int64_t>(differences.reals.size())) return false;
  double size = 0;
  for (double x : differences.reals) size = std::max(size, std::abs(x));
  return std::abs(differences.reals[element]) <= kAsGood * size;
}

bool asGood(const ir::tensor::Array& scores, int64_t row, int64_t chosen) {
  if (scores.shape.empty()) return false;
  const int64_t width = scores.shape.back();
  if (chosen < 0 || chosen >= width || (row + 1) * width > scores.elements()) return false;
  const llvm::ArrayRef<double> values(scores.reals.data() + row * width, width);
  double largest = values[0], size = 0;
  for (double x : values) {
    largest = std::max(largest, x);
    size = std::max(size, std::abs(x));
  }
  return largest - values[chosen] <= kAsGood * size;
}

}  // namespace lindero::passes
