// The steps of a decode run, a row each: state in, token in -> token out, state out.
//   active = 1 on the run's steps, 0 after them; chosen = 0 while tokens are given, then 1;
//   frontier_in, frontier_out: tokens consumed before and after; given_in, given_out: those of them
//   followed by a given token; shown = active * choice, and chosen (token_out - shown) = 0.
// The first token, every token_out and the state before the first row and after the last one are
// public; token_in is what the step's embedding reads, choice the argmax of its position. README.md
// has the rules D1 to D17.
#pragma once

#include <optional>
#include <vector>

#include "passes/lower_air/gadgets/argmax/argmax.h"
#include "passes/lower_air/gadgets/embeddings/embeddings.h"
#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/gadgets/results/results.h"
#include "passes/lower_air/gadgets/softmax/softmax.h"

namespace lindero::passes {

struct DecodeSteps {
  const Embedding* embedding = nullptr;
  const Embedding* positions = nullptr;  // of a window of steps: the embedding that reads them
  const Choice* choice = nullptr;
  int64_t rows = 0;
  int64_t context = 0;  // steps of the longest run
  int64_t vocabulary = 0;
  // Of the public tensors.
  CopyId tape = 0, lengths = 0, choices = 0;
};

class StepsTable : public TableKind {
 public:
  std::string name() const override { return "steps"; }
  size_t items() const override { return steps ? 1 : 0; }
  LaneId lanes(size_t item) const override { return kOneLane; }
  int64_t rows(size_t item, const Layout& layout) const override { return steps->rows; }
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override;

  std::optional<DecodeSteps> steps;
};

class Steps : public Gadget {
 public:
  Steps(Wiring& wiring, const Embeddings& embeddings, const Products& products,
        const Results& results, SoftmaxGadget& softmax, const Argmax& argmax);

  llvm::ArrayRef<llvm::StringLiteral> ops() const override { return {}; }
  absl::Status plan(const Origin& origin) override { return absl::OkStatus(); }
  absl::Status connect() override;
  std::vector<const TableKind*> tables() const override { return {&table_}; }
  void publish(AirLowering& l) const override;
  void traceInputs(TraceWriter& t) const override;
  void trace(TraceWriter& t, const ir::Op& op) const override {}

 private:
  // Rows beyond a run must not influence it, and every row's choice must be there.
  absl::Status check() const;

  Wiring& wiring_;
  const Embeddings& embeddings_;
  const Products& products_;
  const Results& results_;
  SoftmaxGadget& softmax_;
  const Argmax& argmax_;
  StepsTable table_;
};

}  // namespace lindero::passes
