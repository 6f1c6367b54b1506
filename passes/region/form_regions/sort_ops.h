// Analysis: the kind of work of each integer op, and the layer that it belongs to.
//
// Kinds. An embedding, LayerNorm or activation lookup is a kind of its own. A linear layer comes
// with its rounding and the residual sum in it. Attention holds what makes Q, K and V of a
// projection (views), the scores (compare), the softmax (normalize) and the weighted sum with its
// rounding (mix). Decoding is what leads to the output: selected positions, the projection that is
// not rounded, argmax.
//
// Layers. Each attention begins one: from the projections that it reads, and from the LayerNorm in
// front of them unless that one closes the layer before (then the residual stream passes through
// it). What comes before the first attention, and a LayerNorm that only decoding reads, is in no
// layer. Linear in the number of uses.
#pragma once

#include <string>

#include "ir/core/ir.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::passes {

// Where an op belongs: the region ("layer0/attention") and, in attention, the region within
// ("layer0/attention/views").
struct RegionPath {
  std::string kind, label;
  std::string inner_kind;  // empty: none
  std::string innerLabel() const { return label + "/" + inner_kind; }
  bool operator==(const RegionPath&) const = default;
  bool sameOuter(const RegionPath& other) const {
    return kind == other.kind && label == other.label;
  }
};

// Of a function without regions. Without an entry: constants, the terminator, ops of other
// dialects.
llvm::DenseMap<const ir::Op*, RegionPath> sortOps(const ir::Function& function);

}  // namespace lindero::passes
