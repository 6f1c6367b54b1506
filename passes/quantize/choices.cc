#include "passes/quantize/choices.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "ir/core/op_table.h"
#include "passes/quantize/row_figures.h"

namespace lindero::passes {
namespace {

constexpr double kAsGood = 0.01;  // of the size of the row that is no mask

// How far apart the numbers are of which one is chosen: the best quarter of the row, three at the
// least. What is far from all of them, a mask or an offset of all, makes no two of them alike.
double sizeOf(llvm::ArrayRef<double> values) {
  const double level = maskLevel(values);
  std::vector<double> open;
  for (double x : values)
    if (std::abs(x) < level) open.push_back(x);
  if (open.empty()) return 0;
  const size_t best = std::min(open.size(), std::max<size_t>(3, (open.size() + 3) / 4));
  std::nth_element(open.begin(), open.begin() + (best - 1), open.end(), std::greater<>());
  const double least = open[best - 1], largest = *std::max_element(open.begin(), open.end());
  return std::min(largest - least, largestBelowMasks(values));
}

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
  const llvm::ArrayRef<double> all = differences.reals;
  if (element >= static_cast<int64_t>(all.size())) return false;
  const int64_t width = rowWidth(differences.shape);
  const llvm::ArrayRef<double> row = width > 1 ? all.slice(element / width * width, width) : all;
  return std::abs(all[element]) <= kAsGood * largestBelowMasks(row);
}

bool asGood(const ir::tensor::Array& scores, int64_t row, int64_t chosen) {
  if (scores.shape.empty()) return false;
  const int64_t width = scores.shape.back();
  if (chosen < 0 || chosen >= width || (row + 1) * width > scores.elements()) return false;
  const llvm::ArrayRef<double> values(scores.reals.data() + row * width, width);
  const double largest = *std::max_element(values.begin(), values.end());
  return largest - values[chosen] <= kAsGood * sizeOf(values);
}

}  // namespace lindero::passes
