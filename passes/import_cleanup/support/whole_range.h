// Which values are whole numbers whatever the inputs are, and between which: integers, truth values
// and what arithmetic and copies make of them, reals included.
//
// An integer input that is looked up in tables lies within the smallest of them; one that picks
// elements of what is computed lies within the axis, counted from its start or end; one that is
// compared with constants goes no farther than next to them; one that says what is open is 0 or 1;
// one that integer arithmetic reads, or that is only held against single constants, is a number, as
// large as its type and `most` allow; any other one is a position along its last axis. The circuit
// refuses others.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "ir/core/ir.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::passes {

struct WholeRange {
  int64_t low, high;
};

// Whole reals whose bounds are not known are within these.
inline constexpr int64_t kMostRounded = int64_t{1} << 52;

inline int64_t mostOf(const WholeRange& range) { return std::max(-range.low, range.high); }

class WholeRanges {
 public:
  // Of inputs that are numbers.
  explicit WholeRanges(int64_t most = int64_t{1} << 24) : most_(most) {}

  // Nothing if the value may be something else, or beyond 2^53. Cost: linear in what it is computed
  // from, once.
  std::optional<WholeRange> of(const ir::Value* value);

 private:
  std::optional<WholeRange> compute(const ir::Value* value);
  WholeRange ofArgument(const ir::Value* argument) const;
  std::optional<WholeRange> ofOperation(const ir::Op& op);

  int64_t most_;
  llvm::DenseMap<const ir::Value*, std::optional<WholeRange>> known_;
};

// Does the op make one element of each element of its operands?
bool isElementwise(const ir::Op& op);

// The same of ops that are no functions of numbers: masks, and what states bounds.
bool staysInPlace(const ir::Op& op);

// Are there truth values in the function of an activation?
bool decides(llvm::StringRef function);

// Is the integer input one whose values are computed with as they are? It is in no table.
bool isNumber(const ir::Value* argument);

}  // namespace lindero::passes
