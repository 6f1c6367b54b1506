// bounds MODEL EXPONENTS INPUT: runs the integer program that these exponents make of an ONNX model
// of static shapes, and prints as JSON how far each value is from the float model's and how far
// analysis lets it be (passes/quantize/error_bound.h). Elements of infinite bounds are null.
#include <algorithm>
#include <iostream>

#include "compiler/driver/compilation.h"
#include "nlohmann/json.hpp"
#include "runtime/package/status_macros.h"
#include "tests/general/program.h"

namespace lindero {
namespace {

nlohmann::ordered_json toJson(const passes::BoundedTensor& tensor) {
  return {
      {"role", tensor.role},         {"node", tensor.node},     {"beyond", tensor.firstBeyond()},
      {"expected", tensor.expected}, {"actual", tensor.actual}, {"bounds", tensor.bounds}};
}

absl::Status run(compiler::Compilation& compilation, const passes::Sample& sample) {
  LINDERO_ASSIGN_OR_RETURN(passes::BoundedRun found, compilation.boundErrors(sample));
  nlohmann::ordered_json json = {{"outputs", nlohmann::ordered_json::array()},
                                 {"tensors", nlohmann::ordered_json::array()},
                                 {"steps", nlohmann::ordered_json::array()}};
  for (const passes::BoundedTensor& output : found.outputs)
    json["outputs"].push_back(toJson(output));
  for (const passes::BoundedTensor& tensor : found.tensors)
    json["tensors"].push_back(toJson(tensor));
  for (const passes::BoundedTensor& step : found.steps) json["steps"].push_back(toJson(step));
  std::cout << json.dump() << '\n';
  return absl::OkStatus();
}

}  // namespace
}  // namespace lindero

int main(int argc, char** argv) { return lindero::general::mainOf(argc, argv, lindero::run); }
