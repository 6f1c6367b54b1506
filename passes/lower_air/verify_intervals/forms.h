// Expressions of a table as polynomials in its cells, with coefficients in the challenges, on the
// rows of one class (rows.h): fixed columns that are constant there are numbers.
//
// Cost: one visit per value of the table and class.
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "ir/core/ir.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "passes/lower_air/verify_intervals/interval.h"

namespace lindero::passes {

// A column of the table, at this row or at the row before.
struct Cell {
  int column = 0;
  bool before = false;
  auto operator<=>(const Cell&) const = default;
};

// Coefficients are the symmetric representatives of field elements; none is zero.
using Monomial = std::vector<Cell>;  // ascending
using Polynomial = std::map<Monomial, int64_t>;

void addTo(Polynomial& sum, const Polynomial& p, int64_t factor = 1);
Polynomial product(const Polynomial& a, const Polynomial& b);
// The constant term and, for a polynomial that is linear, the coefficient of a cell.
int64_t coefficient(const Polynomial& p, const Monomial& monomial);
bool isLinear(const Polynomial& p);

// (challenge - lane)^exponent, or challenge^exponent without a lane.
struct Factor {
  const ir::Value* challenge = nullptr;  // or any value of challenges that is not of this form
  int64_t lane = 0;
  int64_t exponent = 0;
  auto operator<=>(const Factor&) const = default;
};
using Weight = std::vector<Factor>;  // ascending
using Form = std::map<Weight, Polynomial>;

// The form's polynomial without challenges, if it has no other.
const Polynomial* plain(const Form& form);

class FormEvaluator {
 public:
  // What a column is on the rows of the class at hand.
  using ReadCell = llvm::function_ref<Polynomial(ir::Value* column, bool before)>;

  // The form of the value; nullptr if it reads the row after or is no expression. `memo` belongs to
  // the class. Valid until an expression that reads the value is evaluated.
  using Memo = std::unordered_map<ir::Value*, Form>;
  const Form* evaluate(ir::Value* value, Memo& memo, ReadCell cell);

 private:
  Form take(ir::Value* operand, Memo& memo) const;
  bool step(ir::Value* value, Memo& memo, ReadCell cell, Form& out);
  Form inverse(ir::Value* value, const Form& form) const;
};

}  // namespace lindero::passes
