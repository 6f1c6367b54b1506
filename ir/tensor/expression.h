// A function of one real variable, as an exact expression: what tensor.activation computes on each
// element, and what its lookup table is made from.
//
// Text: `x`, numbers, and the elementwise ops of the dialect by name, in functional notation:
// "mul(x, sigmoid(mul(1.7020000219345093, x)))". Numbers are doubles, written with all their
// digits; `inf` is one. `float(c)` and `bool(v)` are casts, `pi()` is the constant; `gelu`,
// `gelu_tanh`, `relu` and `silu` of an argument are short for their definitions, and printed where
// the whole function is one of them.
//
// Spellings that are one function of the reals by the laws of algebra alone are one expression:
// terms, factors and what a maximum or minimum is of stand in one order, from left to right;
// 1 / x is a quotient, and a quotient by a power of two a product. No numbers are combined, so that
// nothing is rounded.
//
// In memory it is a DAG in which equal subexpressions are one node, so that evaluation is linear in
// the distinct ones: at most kMostNodes, and at most kMostText characters as text.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/tensor/scalar_functions.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

namespace lindero::ir::tensor {

class Expression {
 public:
  static constexpr size_t kMostNodes = 128, kMostText = 8192;

  struct Node {
    const ScalarFunction* function = nullptr;  // null: x, or a number
    bool is_variable = false;
    double number = 0;
    llvm::SmallVector<int, 3> operands;  // nodes before this one

    bool isNumber() const { return function == nullptr && !is_variable; }
    char kind() const { return function != nullptr ? function->result : 'r'; }
  };

  // x itself.
  Expression();
  static absl::StatusOr<Expression> parse(llvm::StringRef text);
  std::string text() const;

  // In order of evaluation; the last one is the function's value.
  llvm::ArrayRef<Node> nodes() const { return nodes_; }

  // In double precision.
  double operator()(double x) const;
  void evaluate(llvm::ArrayRef<double> x, llvm::MutableArrayRef<double> y) const;

 private:
  friend class ExpressionBuilder;
  std::vector<Node> nodes_;
};

// Makes an expression node by node. Nodes are numbers that it hands out.
class ExpressionBuilder {
 public:
  int variable();
  int number(double value);
  // Fails if there is no such function of such operands, or too many nodes.
  absl::StatusOr<int> apply(llvm::StringRef function, llvm::ArrayRef<int> operands);
  // The expression with `argument` for x.
  absl::StatusOr<int> substitute(const Expression& expression, int argument);

  const Expression::Node& node(int index) const { return nodes_[index]; }
  // What `root` depends on. Fails if that is a boolean, or its text too long.
  absl::StatusOr<Expression> finish(int root) const;

 private:
  static constexpr size_t kMostParts = 16, kMostMade = 2048;

  int add(Expression::Node node);
  absl::StatusOr<int> make(llvm::StringRef function, llvm::ArrayRef<int> operands);
  // Negative: `a` comes first.
  int order(int a, int b) const;
  // The operands of a chain of one associative function.
  void flatten(int node, const ScalarFunction* function, llvm::SmallVectorImpl<int>& parts) const;

  std::vector<Expression::Node> nodes_;
};

}  // namespace lindero::ir::tensor
