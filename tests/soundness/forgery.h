// A cheating prover: runs the trace program, changes what a step computed, and lets everything that
// follows, multiplicities included, be computed from that.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/check/recheck.h"
#include "runtime/trace/generate_trace.h"
#include "tests/soundness/toy_run.h"

namespace lindero::test {

using runtime::Buffers;

class Forgery {
 public:
  explicit Forgery(const ToyRun& run) : run_(run) {}

  // Changes what steps of this node and kind computed.
  void onStep(const std::string& node, Step::KindCase kind,
              std::function<void(const Step&, Buffers&)> revise) {
    revisions_.push_back({node, kind, std::move(revise)});
  }
  // Changes cells afterwards.
  void onCells(std::function<void(Forgery&)> edit) { edits_.push_back(std::move(edit)); }
  // Changes cells or the statement when multiplicities are filled.
  void atLast(std::function<void(Forgery&)> edit) { last_.push_back(std::move(edit)); }

  // The forged trace, in `cells` and `statement`. Every revision must have found its step.
  absl::Status forge();

  // What a checker says to it: "constraint T.N", "lookup T.N" (T and N where the tuple is looked up
  // or provided), and of the claimed sums that do not cancel "copies", the group of a public
  // tensor, or "edges" and "products": which sums change with the challenges for addresses and for
  // products. Lanes are cut off the names.
  absl::StatusOr<std::set<std::string>> failures() const;

  // Whether a circuit, the run's or one without a class, accepts it.
  absl::StatusOr<bool> acceptedBy(const runtime::Package& package) const;
  // The forged values of the public tensors that the circuit has.
  Statement statementOf(const Circuit& circuit) const;

  const ToyRun& run() const { return run_; }
  uint32_t& cell(const std::string& table, const std::string& column, uint64_t row);
  // Of the copy that a product of this node reads.
  uint32_t& operand(const std::string& node, uint64_t token, uint64_t feature);
  // First row of the instance of a node.
  uint64_t rowOf(const std::string& table, const std::string& node) const;

  std::vector<uint32_t> cells;
  Statement statement;

 private:
  struct Revision {
    std::string node;
    Step::KindCase kind;
    std::function<void(const Step&, Buffers&)> revise;
    bool done = false;
  };
  absl::StatusOr<runtime::QM31> tensorSum(const std::string& redrawn) const;

  const ToyRun& run_;
  std::vector<Revision> revisions_;
  std::vector<std::function<void(Forgery&)>> edits_, last_;
};

// Cell arithmetic.
void add(uint32_t& cell, int64_t delta);

}  // namespace lindero::test
