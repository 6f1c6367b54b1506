// bounds MODEL EXPONENTS INPUT: runs the integer program that these exponents make of an ONNX model
// of static shapes, and prints as JSON how far each value is from the float model's and how far
// analysis lets it be (passes/quantize/error_bound.h). Elements of infinite bounds are null.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>

#include "compiler/driver/compilation.h"
#include "compiler/driver/samples.h"
#include "nlohmann/json.hpp"
#include "passes/quantize/exponents.h"
#include "runtime/inputs/inputs.h"
#include "runtime/package/status_macros.h"

namespace lindero {
namespace {

nlohmann::ordered_json toJson(const passes::BoundedTensor& tensor) {
  return {
      {"role", tensor.role},         {"node", tensor.node},     {"beyond", tensor.firstBeyond()},
      {"expected", tensor.expected}, {"actual", tensor.actual}, {"bounds", tensor.bounds}};
}

absl::Status run(const std::string& model, const std::string& exponents_file,
                 const std::string& input) {
  LINDERO_ASSIGN_OR_RETURN(compiler::Compilation compilation,
                           compiler::Compilation::load(model, {}));
  std::stringstream text;
  text << std::ifstream(exponents_file).rdbuf();
  LINDERO_ASSIGN_OR_RETURN(passes::Exponents exponents, passes::exponentsFromJson(text.str()));
  LINDERO_RETURN_IF_ERROR(compilation.quantize(exponents));
  LINDERO_ASSIGN_OR_RETURN(std::vector<passes::Sample> samples,
                           compiler::readArraySamples(input, compilation.facts(), 1));
  LINDERO_ASSIGN_OR_RETURN(passes::BoundedRun found, compilation.boundErrors(samples.front()));
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

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: bounds MODEL EXPONENTS INPUT\n";
    return 2;
  }
  const absl::Status status = lindero::run(argv[1], argv[2], argv[3]);
  if (status.ok()) return 0;
  std::cerr << status.message() << '\n';
  return 1;
}
