// Which axes of the values of a causal model of tokens count positions.
//
// A model is known to be causal if each position depends on itself and those before it alone:
// attention mixes a position with these, and all other ops work along other axes than that of the
// tokens.
// Attention is the op, causal, or what it is made of, in any spelling with constant masks: products
// of queries and keys, whose elements depend on the later one of two positions; terms that close
// those of later keys; a softmax over the keys; a product with values. So a run of a causal model
// may have fewer tokens than the model was made for: what fills the rest decides nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "ir/core/ir.h"
#include "llvm/ADT/SmallVector.h"

namespace lindero::passes {

class Positions {
 public:
  // Cost: one sweep, and the elements of the masks.
  explicit Positions(const ir::Function& function);

  bool causal() const { return obstacle_.empty(); }
  // Why it is not known to be causal; empty if it is.
  const std::string& obstacle() const { return obstacle_; }

  // The axes of a value that count positions: none, one, or those of queries and of keys. Those of
  // what depends on no token are none.
  llvm::SmallVector<int64_t, 2> axesOf(const ir::Value* value) const;

 private:
  struct State {
    // What an element depends on: i is its place on `own`, j on `keys`.
    enum Kind {
      kRows,           // what is at positions up to i; no keys
      kScores,         // at positions up to the later one of i and j
      kProbabilities,  // at positions up to i; it is zero for j > i
    } kind;
    int64_t own = 0, keys = -1;
  };

  bool has(const ir::Value* value) const { return states_.count(value) > 0; }
  std::optional<State> follow(const ir::Op& op) const;
  std::optional<State> move(const ir::Op& op, State from) const;
  std::optional<State> rows(const ir::Op& op, const State& from) const;
  std::optional<State> join(const ir::Op& op) const;
  std::optional<State> product(const ir::Op& op) const;
  std::optional<State> attention(const ir::Op& op) const;
  std::optional<State> elementwise(const ir::Op& op) const;
  std::optional<State> ofProbabilities(const ir::Op& op, const State& from) const;
  // The state that all operands with positions have, in the axes of the result.
  std::optional<State> common(const ir::Op& op) const;

  std::string obstacle_;
  std::map<const ir::Value*, State> states_;
};

}  // namespace lindero::passes
