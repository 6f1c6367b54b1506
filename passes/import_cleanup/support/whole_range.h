// Which values are whole numbers whatever the inputs are, and between which: integers, truth values
// and what arithmetic and copies make of them, reals included.
//
// An integer input that is looked up in tables lies within the smallest of them; one that says what
// is open is 0 or 1; any other one is a position along its last axis. The circuit refuses others.
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

inline int64_t mostOf(const WholeRange& range) { return std::max(-range.low, range.high); }

class WholeRanges {
 public:
  // Nothing if the value may be something else, or beyond 2^53. Cost: linear in what it is computed
  // from, once.
  std::optional<WholeRange> of(const ir::Value* value);

 private:
  std::optional<WholeRange> compute(const ir::Value* value);
  std::optional<WholeRange> ofOperation(const ir::Op& op);

  llvm::DenseMap<const ir::Value*, std::optional<WholeRange>> known_;
};

}  // namespace lindero::passes
