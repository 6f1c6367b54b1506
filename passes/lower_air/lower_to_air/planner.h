// Analysis: the items of all tables, listed by walking the integer function once, and how they are
// tied together (gadgets/wiring.h). The same walk writes the trace program.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "passes/lower_air/gadgets/gadget.h"

namespace lindero::passes {

// Fails if the elements of a constant are not at hand: text names it by its digest only, but tables
// are built from them, and sizes depend on them.
absl::Status checkConstants(const ir::Function& main);

class Planner {
 public:
  Planner(const ir::Function& main, const LowerToAirOptions& options, LinkEnds links = {});

  // Fails, naming the ONNX node, on an op or a use of a value that no gadget encodes.
  absl::Status plan();
  const Wiring& wiring() const { return wiring_; }
  // In the order in which they stand in the circuit.
  llvm::ArrayRef<const TableKind*> tables() const { return tables_; }

  // What the circuit has besides tables: that of gadgets, and inputs and outputs that are stored
  // tensors.
  void publish(AirLowering& l) const;
  void publishTensors(AirLowering& l) const;
  // The steps that compute all values; the tables are built.
  void trace(TraceWriter& t) const;

 private:
  struct Output {
    const ir::Value* value;
    std::string name;
    const Gadget* gadget;  // null: a stored tensor
  };
  absl::Status walk(const ir::Block& block, const std::string& region);
  absl::Status look(const ir::Op& op);
  absl::Status visit(const Origin& origin);
  absl::Status visitOutputs(const Origin& origin);
  void traceOutputs(TraceWriter& t) const;

  const ir::Function& main_;
  Wiring wiring_;
  const std::vector<std::unique_ptr<Gadget>> gadgets_;
  std::vector<const TableKind*> tables_;
  std::map<llvm::StringRef, std::vector<Gadget*>> gadgets_of_;  // by the names of ops
  llvm::DenseMap<const ir::Op*, Gadget*> gadget_of_;
  std::vector<Origin> program_;  // integer ops in program order, regions flattened
  std::vector<Output> outputs_;
};

}  // namespace lindero::passes
