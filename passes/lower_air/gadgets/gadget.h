// What a gadget is: how some ops of the integer program are encoded in tables.
//
// A gadget lists items (plan), says from where they copy what they read (connect), builds the
// tables in which they are stacked (TableKind::build), and writes the steps that compute their
// witnesses (trace). Its folder holds all of this, the equations with their interval and uniqueness
// arguments (README.md), and its tests; gadgets.cc lists all gadgets. Nothing that checks a circuit
// knows of gadgets.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "passes/lower_air/circuit/circuit_builder.h"
#include "passes/lower_air/circuit/copies.h"
#include "passes/lower_air/circuit/lookup_tables.h"
#include "passes/lower_air/gadgets/layout.h"
#include "passes/lower_air/gadgets/trace_writer.h"
#include "passes/lower_air/gadgets/wiring.h"

namespace lindero::passes {

// What tables are built with: the circuit that grows, and what planning decided. (Lowering, of
// passes/quantize/lowering.h, makes the integer program.)
struct AirLowering {
  CircuitBuilder& circuit;
  LookupTables& tables;
  const Wiring& wiring;
  const Layout& layout;
  // Where constants and other fixed cells stand, for the trace program.
  ConstantPlaces& constants;
};

// One kind of table: items of one shape of work, stacked in a table or in several: for each number
// of lanes, of falling height. Building reads the items and the layout and changes neither: a table
// is built once in earnest, and before that, with a counting builder, once per number of lanes that
// may be chosen.
class TableKind {
 public:
  virtual ~TableKind() = default;
  virtual std::string name() const = 0;
  virtual size_t items() const = 0;
  virtual LaneId lanes(size_t item) const = 0;
  // Of an item, with the layout's lanes.
  virtual int64_t rows(size_t item, const Layout& layout) const = 0;
  virtual void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const = 0;

 protected:
  // Of the rows of a table of these items.
  int64_t lanesOf(const AirLowering& l, llvm::ArrayRef<Placed> items) const {
    return l.layout.lanes(lanes(items.front().item));
  }
};

class Gadget {
 public:
  virtual ~Gadget() = default;
  // Names of the integer ops that it encodes; and whether it does this one, if several gadgets
  // encode ops of its name: the first one that says so.
  virtual llvm::ArrayRef<llvm::StringLiteral> ops() const = 0;
  virtual bool encodes(const ir::Op& op) const { return true; }
  // Lists the op's items, in program order.
  virtual absl::Status plan(const Origin& origin) = 0;
  // True: it takes this output of the program, which is no stored tensor, and publishes it.
  virtual absl::StatusOr<bool> planOutput(const Origin& origin, const ir::Value* value,
                                          const std::string& name) {
    return false;
  }
  // Once all items are listed: asks for copies.
  virtual absl::Status connect() { return absl::OkStatus(); }
  virtual std::vector<const TableKind*> tables() const = 0;
  // After all tables.
  virtual void publish(AirLowering& l) const {}

  // Steps before the first op's, an op's, and the buffer of an output that it took (null: none).
  virtual void traceInputs(TraceWriter& t) const {}
  virtual void trace(TraceWriter& t, const ir::Op& op) const = 0;
  virtual ir::Value* traceOutput(TraceWriter& t, const ir::Value* value) const { return nullptr; }
};

// All gadgets, in the order in which they connect and their tables stand in the circuit.
std::vector<std::unique_ptr<Gadget>> makeGadgets(Wiring& wiring);

}  // namespace lindero::passes
