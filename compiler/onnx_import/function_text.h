// The body of a function, written in ONNX's text form.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/core/ir.h"
#include "llvm/ADT/ArrayRef.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

// Lines of a function that stands for a node. Operands are i0, i1, ..., results o0, o1, ...; the
// rest are names that the lines give.
class FunctionText {
 public:
  using Ints = std::vector<int64_t>;

  // Operands are null where the node leaves one out.
  FunctionText(const onnx::NodeProto& node, llvm::ArrayRef<ir::Value*> inputs)
      : node_(node), inputs_(inputs) {}

  bool has(size_t i) const { return i < inputs_.size() && inputs_[i]; }
  const ir::Type& type(size_t i) const { return inputs_[i]->type(); }
  llvm::ArrayRef<int64_t> shape(size_t i) const { return type(i).shape; }
  size_t rank(size_t i) const { return shape(i).size(); }
  int numResults() const { return node_.output_size(); }
  bool hasResult(int i) const { return i < numResults() && !node_.output(i).empty(); }

  int64_t intAttr(const char* name, int64_t fallback) const;
  double floatAttr(const char* name, double fallback) const;
  Ints intsAttr(const char* name) const;
  std::vector<double> floatsAttr(const char* name) const;
  std::string stringAttr(const char* name, const std::string& fallback) const;
  // "<group = 2, pads = [0, 1]>": those of the node that have these names, integers and words; ""
  // if it has none.
  absl::StatusOr<std::string> attributes(llvm::ArrayRef<const char*> names) const;

  // "o0, o1, ...": all results of the node.
  std::string results() const;
  // One line, in parts.
  template <typename... Parts>
  void add(const Parts&... parts) {
    absl::StrAppend(&lines_, "  ", parts..., "\n");
  }
  // All digits of a real that is an attribute of a line.
  static std::string real(double value);
  // Lines that make a constant of that name.
  void ints(const std::string& name, const Ints& values) {
    add(name, " = Constant <value_ints = [", absl::StrJoin(values, ", "), "]> ()");
  }
  void scalar(const std::string& name, double value) {
    add(name, " = Constant <value_float = ", real(value), "> ()");
  }
  void scalarInt(const std::string& name, int64_t value) {
    add(name, " = Constant <value_int = ", value, "> ()");
  }
  void reals(const std::string& name, llvm::ArrayRef<double> values);
  // 0, 1, ..., count - 1.
  void counting(const std::string& name, int64_t count);
  // Elements [start, start + size) of the last axis.
  void columns(const std::string& name, const std::string& of, int64_t start, int64_t size);

  // The function, in ONNX ops of opset 24.
  absl::StatusOr<onnx::FunctionProto> finish() const;

 private:
  const onnx::AttributeProto* attribute(const char* name) const;

  const onnx::NodeProto& node_;
  llvm::ArrayRef<ir::Value*> inputs_;
  std::string lines_;
};

}  // namespace lindero::compiler
