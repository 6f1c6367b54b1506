// Analysis: what the rules R1 to R7 of verify-air ask of a circuit. It mutates nothing.
//
// A single fraction num / den is that of an air.term, or of an air.fraction: where its denominator
// is d1 d2 and its numerator n1 d2 + n2 d1, of the same values, it stands for n1 / d1 + n2 / d2,
// and so on: kMaxFractions of them at most, as values are shared. Cost: one visit per value and op
// that reads it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "ir/air/points.h"
#include "ir/core/ir.h"

namespace lindero::passes {

// What stands in an expression: columns with their offsets, challenges, selectors.
struct Reads {
  std::set<ir::air::Variable> variables;
  std::vector<const ir::Value*> columns;     // each once, in order of the walk
  std::vector<const ir::Value*> challenges;  // likewise
  bool selectors = false;

  bool column(const ir::Value* v) const { return llvm::is_contained(columns, v); }
  bool challenge(const ir::Value* v) const { return llvm::is_contained(challenges, v); }
};

struct SingleFraction {
  const ir::Op* op = nullptr;  // air.term or air.fraction
  const ir::Value* num = nullptr;
  const ir::Value* den = nullptr;
};

// An expression that something uses: an operand of a generator, constraint, lookup or term.
struct Use {
  const ir::Op* op = nullptr;
  unsigned operand = 0;
};

struct CircuitTable {
  const ir::Op* op = nullptr;
  std::vector<const ir::Op*> columns;
  std::vector<const ir::Op*> constraints;
  std::vector<SingleFraction> fractions;
  std::vector<Use> uses;

  const std::string& name() const { return op->stringAttr("name"); }
};

class CircuitFacts {
 public:
  explicit CircuitFacts(ir::Function& circuit);

  static constexpr size_t kMaxFractions = 1024;

  const std::vector<CircuitTable>& tables() const { return tables_; }
  // The first op that sums more than kMaxFractions, of which some are missing; null: none does.
  const ir::Op* crowded() const { return crowded_; }
  const Reads& reads(const ir::Value* expression);
  // Columns that the column's generator reads; of a gathered one, its sources.
  std::vector<const ir::Value*> generatorReads(const ir::Op& column);
  // Whether the column is gathered, or its generator reads one that depends on one that is.
  bool dependsOnGathered(const ir::Value* column);
  // Whether the challenge stands in the generator of the column, or of one that it depends on.
  bool dependsOn(const ir::Value* column, const ir::Value* challenge);
  // The phase after which the column is a function of what is committed and drawn. `bound`: the
  // gathered columns that are what their sources are.
  int64_t determined(const ir::Value* column, const std::set<const ir::Value*>& bound);
  // Whether a gather has this column as its source.
  bool isSource(const ir::Op& column) const;
  // Groups whose sum goes on in another circuit or block.
  bool isLinkedGroup(const std::string& group) const { return linked_groups_.count(group) > 0; }
  // Those, and groups with a public tensor.
  bool isOpenGroup(const std::string& group) const {
    return isLinkedGroup(group) || public_groups_.count(group) > 0;
  }
  // Whether a public tensor's term has this challenge.
  bool isPublicChallenge(const ir::Value* challenge) const {
    return public_challenges_.count(challenge->definingOp()->stringAttr("name")) > 0;
  }

 private:
  void readTable(const ir::Op& table);
  void split(const ir::Op& op, std::vector<SingleFraction>& out);

  std::vector<CircuitTable> tables_;
  const ir::Op* crowded_ = nullptr;
  std::map<std::pair<std::string, std::string>, const ir::Op*> columns_;  // by table and name
  std::set<std::pair<std::string, std::string>> sources_;
  std::set<std::string> linked_groups_, public_groups_, public_challenges_;
  std::map<const ir::Value*, Reads> reads_;
  std::map<const ir::Value*, int64_t> determined_;  // -1: being computed
};

}  // namespace lindero::passes
