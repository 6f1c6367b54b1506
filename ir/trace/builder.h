// Makes the ops of @trace by the names of runtime/program/program.proto:
//
//   Step softmax = trace.step("softmax", {{"scores", scores}}, {{"heads", heads}, ...});
//   Value* sums = softmax["probability_sums"];
//
// A name that is unknown or missing, or an attribute of another kind, ends the program with a
// message: it is a bug of the caller. Sizes of results follow from the definition of the step.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ir/core/ir.h"

namespace lindero::ir::trace {

class CircuitIndex;

class MadeStep {
 public:
  explicit MadeStep(Op* op) : op_(op) {}
  Value* operator[](llvm::StringRef result) const;
  Op* op() const { return op_; }

 private:
  Op* op_;
};

class TraceBuilder {
 public:
  using Buffers = llvm::ArrayRef<std::pair<llvm::StringRef, Value*>>;
  using Attributes = llvm::ArrayRef<NamedAttribute>;
  using Sizes = llvm::ArrayRef<std::pair<llvm::StringRef, int64_t>>;

  // At the end of @trace. @circuit is complete: it is read here, once.
  explicit TraceBuilder(Function* trace);
  ~TraceBuilder();

  void setLocation(Location location) { builder_.setLocation(std::move(location)); }
  void setRegion(std::string region) { region_ = std::move(region); }

  // An optional buffer may be left out, or null. `sizes` are of the results that may have any.
  MadeStep step(llvm::StringRef name, Buffers reads, Attributes attributes = {}, Sizes sizes = {});
  void finish() { builder_.create("trace.return", {}, {}); }

 private:
  Builder builder_;
  std::unique_ptr<const CircuitIndex> circuit_;
  std::string region_;
};

// The list that stands for a Strides message: each of batch, row, column, offset once.
std::vector<int64_t> strides(llvm::ArrayRef<std::pair<llvm::StringRef, int64_t>> fields);

}  // namespace lindero::ir::trace
