// Analysis: where the integer function @main may be cut into proofs.
//
// An *atom* is what one proof must hold: ops between which a value goes that may not leave a proof
// (ir/integer/crossing.h), with all that stands between two ops of it. A product and its rounding
// are one, and so are scores, softmax, mix and the rounding of the mix. A *crossing* is a tensor
// that one atom makes and others read: a cut between them lets it cross. Each atom stands after
// those that it reads from, so that any sequence of cuts between neighbours is legal.
//
// Constants belong to no atom (each proof has those that it reads), nor do arguments. Linear in the
// number of uses, but for the merging of atoms on a cycle, which is rare.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::passes {

struct Atom {
  std::vector<const ir::Op*> ops;  // in program order, regions flattened
  // Of the outermost region that its first op stands in, "layer0/attention"; without regions the
  // op's name.
  std::string label;
  int64_t layer = -1;  // of the label; -1: in no layer
  // Elements looked up, by bus of the lookup tables ("function", "exponential", ...). What is
  // looked up once a row of a norm or softmax is not counted.
  std::map<std::string, int64_t> lookups;
};

struct Crossing {
  const ir::Value* value;       // the result of the op that makes it; its type is what crosses
  size_t maker;                 // an atom
  std::vector<size_t> readers;  // other atoms, ascending
  int64_t elements() const { return value->type().elements(); }
};

class PlacementGraph {
 public:
  static absl::StatusOr<PlacementGraph> of(const ir::Function& main);

  const ir::Function& function() const { return *function_; }
  llvm::ArrayRef<Atom> atoms() const { return atoms_; }
  llvm::ArrayRef<Crossing> crossings() const { return crossings_; }
  // An op of the integer dialect that is neither constant nor return.
  size_t atomOf(const ir::Op& op) const { return atom_of_.at(&op); }
  // Elements that cross if the atoms before `cut` and the others are apart, 0 < cut < atoms.
  int64_t elementsAt(size_t cut) const;
  // "integer.linear (/h.0/mlp/MatMul)": the atom's first op.
  std::string describe(size_t atom) const;

 private:
  const ir::Function* function_ = nullptr;
  std::vector<Atom> atoms_;
  std::vector<Crossing> crossings_;
  llvm::DenseMap<const ir::Op*, size_t> atom_of_;
};

// The ops of a function that do work: all but constants, regions and what ends a block, in order.
std::vector<const ir::Op*> workOf(const ir::Function& function);

// A value that one op makes and another reads, neither being a constant.
struct Flow {
  const ir::Op *maker, *reader;
  unsigned operand;        // of the reader
  const ir::Value* value;  // the maker's result
};
std::vector<Flow> flowsInto(const ir::Op& reader);

// Why the two ends of a flow must be in one proof; empty if they may be apart.
std::string whyTogether(const Flow& flow);

}  // namespace lindero::passes
