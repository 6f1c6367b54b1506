// Random points over F_p at which expressions of the air dialect are compared: two polynomials are
// equal if they are at a few points that nobody knew when the circuit was written. An expression is
// a polynomial in its variables: columns at an offset, the selectors of the first and last row, and
// challenges. (A challenge lies in the extension field; the coefficients are in F_p, so points of
// F_p tell polynomials apart.)
//
// Different polynomials of degree d agree at a point with probability d / p, at kPoints of them,
// with degrees up to kMaxTotalDegree, below 2^-175. (Without a bound they might agree at all: c^p
// and c do, though not in the extension field.) Values are SHA-256 of the seed, the point's number
// and the variable's: the same circuit has the same points, and another circuit others.
//
// Cost: a hash per variable and point; a visit per value that is evaluated.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "ir/core/ir.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::ir::air {

inline constexpr int kPoints = 16;
// Of an expression in all that it reads. An argmax over n tokens takes 2 n.
inline constexpr uint32_t kMaxTotalDegree = 1 << 20;
// Points tried for one at which no operand of an air.inverse is zero.
inline constexpr int kAttempts = 64;

uint32_t addResidues(uint32_t a, uint32_t b);
uint32_t subtractResidues(uint32_t a, uint32_t b);
uint32_t multiplyResidues(uint32_t a, uint32_t b);
uint32_t inverseResidue(uint32_t a);  // of a residue that is not zero

// A column (offset -1, 0, 1), a challenge (offset 0), or a selector of a table.
struct Variable {
  enum Selector { kNone, kFirst, kLast };
  const void* of = nullptr;  // the Value, or the table's Block
  int64_t offset = 0;
  Selector selector = kNone;
  auto operator<=>(const Variable&) const = default;

  static Variable column(const Value* column, int64_t offset = 0) { return {column, offset}; }
  static Variable challenge(const Value* challenge) { return {challenge}; }
  static Variable first(const Block* table) { return {table, 0, kFirst}; }
  static Variable last(const Block* table) { return {table, 0, kLast}; }
};

// Of a rational function: in all variables, numerator and denominator, not cancelled. Beyond
// kMaxTotalDegree they stay one above it.
struct TotalDegree {
  uint32_t above = 0, below = 0;

  TotalDegree plus(const TotalDegree& other) const;
  TotalDegree times(const TotalDegree& other) const;
  bool isTooHigh() const { return above + below > kMaxTotalDegree; }
};

class TotalDegrees {
 public:
  const TotalDegree& of(const Value* expression);
  // Of the constraint that an air.constrain, expression, scan or fraction stands for, or the
  // highest of what another op reads.
  TotalDegree ofOp(const Op& op);

 private:
  llvm::DenseMap<const Value*, TotalDegree> degrees_;
};

// The variable that the op's result is; nothing for constants and arithmetic.
std::optional<Variable> variableOf(const Op& op);

// Numbers the variables, so that all points of a circuit give one by its number.
class PointSource {
 public:
  explicit PointSource(std::string seed) : seed_(std::move(seed)) {}
  uint32_t value(int point, const Variable& variable);

 private:
  std::string seed_;
  std::map<Variable, uint32_t> numbers_;
  std::unordered_map<uint64_t, uint32_t> values_;
};

// One point: random, but where it is set.
class Point {
 public:
  Point(PointSource& source, int number) : source_(&source), number_(number) {}

  // The same point with another value there.
  Point with(const Variable& variable, uint32_t value) const;
  uint32_t at(const Variable& variable) const;
  // Nothing where an air.inverse divides by zero.
  std::optional<uint32_t> evaluate(const Value* value);

 private:
  PointSource* source_;
  int number_;
  std::map<Variable, uint32_t> given_;
  llvm::DenseMap<const Value*, uint32_t> memo_;
};

}  // namespace lindero::ir::air
