// Error bounds of an integer program's values, op by op, as its interpreter computes them: what
// error_bound.h says. Internal.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ir/core/ir.h"
#include "ir/integer/interpreter.h"
#include "ir/tensor/array.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/quantize.h"

namespace lindero::passes {

// Zero times anything is zero: where a factor is none, no error passes.
inline double times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

// A value's integers, as doubles, and their bounds.
struct Bounded {
  std::vector<double> values, bounds;
  llvm::SmallVector<int64_t, 4> shape;

  int64_t width() const { return shape.empty() ? 1 : shape.back(); }
  int64_t rows() const {
    return static_cast<int64_t>(values.size()) / std::max<int64_t>(width(), 1);
  }
};

class BoundPropagation : public ir::integer::Observer {
 public:
  // With `alone`, what is stored counts as exact for the ops that read it.
  BoundPropagation(const ir::Function& source, const ir::Function& integer,
                   llvm::ArrayRef<TensorRecord> records, const Sample& inputs, bool alone);
  void observe(const ir::Value& value, const ir::integer::IntArray& array) override;
  // Its own, also where it counts as exact for its readers.
  const Bounded& of(const ir::Value* value);
  // Of an op that has no bound.
  const absl::Status& status() const { return status_; }

 private:
  // A constant's bounds are the same for all its entries.
  const Bounded& read(const ir::Value* value);
  bool roundsStored(const ir::Value& value) const;
  void setInput(const ir::Value& argument, Bounded& y);
  absl::Status setBounds(const ir::Op& op, Bounded& y);
  const Bounded& operand(const ir::Op& op, unsigned i) {
    return of_own_ ? of(op.operand(i)) : values_.find(op.operand(i))->second;
  }

  void embedding(const ir::Op& op, Bounded& y);
  void linear(const ir::Op& op, Bounded& y);
  void scores(const ir::Op& op, Bounded& y);
  void mix(const ir::Op& op, Bounded& y);
  void requantize(const ir::Op& op, Bounded& y);
  void multiply(const ir::Op& op, Bounded& y);
  void divide(const ir::Op& op, Bounded& y);
  void affine(const ir::Op& op, Bounded& y);
  absl::Status lookup(const ir::Op& op, Bounded& y);
  void norm(const ir::Op& op, Bounded& y);
  void softmax(const ir::Op& op, Bounded& y);

  // An index may be as far off as the farthest one whose score may be the largest.
  void argmax(const ir::Op& op, Bounded& y);
  void copy(const ir::Op& op, Bounded& y);
  void slice(const ir::Op& op, Bounded& y);
  void selectRows(const ir::Op& op, Bounded& y);
  static void forEachRow(const Bounded& x, int64_t width, llvm::function_ref<void(int64_t)> visit);

  absl::Status status_;
  bool of_own_ = false;  // operands count with their own bounds
  const ir::ConstantPool& constants_;
  llvm::DenseMap<const ir::Value*, double> roundings_;
  std::map<std::string, const ir::Op*> attentions_;
  llvm::DenseMap<const ir::Value*, const ir::tensor::Array*> inputs_;
  llvm::DenseSet<const ir::Value*> exact_;
  std::map<const ir::Value*, Bounded> values_, own_;
};

}  // namespace lindero::passes
