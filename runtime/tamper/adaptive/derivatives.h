// Exact partial derivatives of a circuit's expressions, as further nodes of its DAG.
//
// A reverse sweep over an expression's nodes makes one node for each leaf's derivative, so that a
// derivative is evaluated like any other node: by RowProgram, on every row of a table, in the
// field. The nodes of the circuit keep their numbers; what is added comes after them. Cost: a few
// nodes for each node that depends on a wanted leaf.
#ifndef LINDERO_RUNTIME_TAMPER_ADAPTIVE_DERIVATIVES_H_
#define LINDERO_RUNTIME_TAMPER_ADAPTIVE_DERIVATIVES_H_

#include <compare>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "absl/functional/function_ref.h"
#include "runtime/package/circuit.pb.h"
#include "runtime/package/circuit_info.h"

namespace lindero::runtime {

// What an expression is a polynomial in: a column at an offset, a claimed sum or a challenge.
struct Leaf {
  enum class Kind : uint8_t { kColumn, kClaimedSum, kChallenge };
  Kind kind = Kind::kColumn;
  uint32_t index = 0;
  int32_t offset = 0;

  friend auto operator<=>(const Leaf&, const Leaf&) = default;
};

class Derivatives {
 public:
  Derivatives(const Circuit& circuit, const CircuitInfo& info);

  // With the nodes that were added so far. References into both stay valid, and programs and
  // scalars are made when all nodes are there.
  const Circuit& circuit() const { return circuit_; }
  const CircuitInfo& info() const { return info_; }

  // The node's derivative by each wanted leaf that it depends on; none that is the constant zero.
  std::map<Leaf, uint32_t> of(uint32_t root, absl::FunctionRef<bool(const Leaf&)> wanted);

  // Leaves that the node reads, below inverses too.
  std::vector<Leaf> leaves(uint32_t root) const;
  bool reads(uint32_t root, const Leaf& leaf) const;
  // Whether the node is the constant.
  bool isConstant(uint32_t node, uint32_t value) const;

 private:
  uint32_t constant(uint32_t value);
  uint32_t make(Node::Op op, uint32_t a, uint32_t b);
  uint32_t add(uint32_t a, uint32_t b);
  uint32_t multiply(uint32_t a, uint32_t b);
  uint32_t negate(uint32_t a);
  const Node& node(uint32_t index) const { return circuit_.nodes(static_cast<int>(index)); }
  // Ascending; operands of row-independent nodes included.
  std::vector<uint32_t> cone(uint32_t root) const;

  Circuit circuit_;
  CircuitInfo info_;
  std::map<std::tuple<int, uint32_t, uint32_t, int32_t>, uint32_t> known_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_ADAPTIVE_DERIVATIVES_H_
