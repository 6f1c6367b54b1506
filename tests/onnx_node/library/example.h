// One of the ONNX library's own tests of operators, as generate.py writes them: a model of one op
// (or of those that define it), inputs, and the outputs that are expected.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "onnx/onnx_pb.h"

namespace lindero::testing {

struct Example {
  onnx::ModelProto model;
  std::vector<onnx::TensorProto> inputs, outputs;
};

// Nothing if a value is not a tensor.
std::optional<Example> readExample(const std::filesystem::path& folder);

// What the tests give as inputs an exporter writes as constants: shapes, axes, bounds. In turn none
// of them, all integers, all but the first, and all.
std::vector<onnx::ModelProto> withConstants(const Example& example);

// The example's values of these arguments, in their order.
absl::StatusOr<std::vector<ir::tensor::Array>> argumentsOf(const ir::Function& function,
                                                           const Example& example);

// That the values are those expected, to single precision.
absl::Status compareOutputs(const std::vector<ir::tensor::Array>& results, const Example& example);

// What the float interpreter makes of a model, by way of `file`: refused, where the importer does
// not take it; else an error where it computes something else than is expected.
struct FloatRun {
  bool taken = false;
  absl::Status status;
};
FloatRun runFloat(const Example& example, const onnx::ModelProto& model, const std::string& file);

// The first of withConstants that the importer takes.
absl::Status runFloat(const Example& example, const std::string& file);

}  // namespace lindero::testing
