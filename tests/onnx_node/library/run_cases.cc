// onnx_library_cases FOLDER CASE…: for each of the ONNX library's tests of operators in FOLDER, a
// line of JSON:
//   "case"     its name
//   "float"    what the float interpreter lacks: empty where it computes what is expected
//   "integer"  what the integer program lacks: empty where its outputs are within their bounds of
//              the float model, no bound is infinite, and it has a circuit; "constant" where
//              the outputs do not depend on inputs
//   "bound", "error"  of the outputs, the largest over the largest magnitude
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/driver/compilation.h"
#include "ir/core/status_macros.h"
#include "ir/dialects.h"
#include "nlohmann/json.hpp"
#include "tests/onnx_node/library/example.h"

namespace lindero {
namespace {

struct Errors {
  double bound = 0, error = 0;
};

absl::StatusOr<Errors> errorsOf(const passes::BoundedRun& run) {
  Errors errors;
  for (const passes::BoundedTensor& output : run.outputs) {
    if (const int64_t beyond = output.firstBeyond(); beyond >= 0) {
      return absl::InternalError(
          absl::StrCat(output.node, "[", beyond, "] is ", output.actual[beyond], ", not ",
                       output.expected[beyond], " +- ", output.bounds[beyond]));
    }
    double largest = 1e-30;
    for (double value : output.expected)
      if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
    for (size_t i = 0; i < output.actual.size(); ++i) {
      if (!std::isfinite(output.expected[i])) continue;
      if (!std::isfinite(output.bounds[i]))
        return absl::InternalError(absl::StrCat(output.node, "[", i, "] has no bound"));
      errors.bound = std::max(errors.bound, output.bounds[i] / largest);
      errors.error =
          std::max(errors.error, std::abs(output.actual[i] - output.expected[i]) / largest);
    }
  }
  return errors;
}

// Calibrated on the example's own inputs.
absl::StatusOr<Errors> runIntegers(const testing::Example& example, const std::string& file) {
  IR_ASSIGN_OR_RETURN(compiler::Compilation compilation, compiler::Compilation::load(file, {}));
  IR_RETURN_IF_ERROR(compilation.selectOutputs({}));
  IR_ASSIGN_OR_RETURN(const passes::Sample inputs,
                      testing::argumentsOf(compilation.floatFunction(), example));
  IR_ASSIGN_OR_RETURN(const passes::Exponents exponents, compilation.calibrate({inputs}, {}));
  IR_RETURN_IF_ERROR(compilation.quantize(exponents));
  IR_ASSIGN_OR_RETURN(const passes::BoundedRun run, compilation.boundErrors(inputs));
  IR_ASSIGN_OR_RETURN(const Errors errors, errorsOf(run));
  IR_RETURN_IF_ERROR(compilation.selectValues("all", false));
  IR_RETURN_IF_ERROR(compilation.lower({}));
  return errors;
}

nlohmann::ordered_json runCase(const std::string& folder, const std::string& name,
                               const std::string& file) {
  nlohmann::ordered_json line = {{"case", name}};
  const auto example = testing::readExample(folder + "/" + name);
  const absl::Status floats =
      example ? testing::runFloat(*example, file) : absl::NotFoundError("no such test");
  line["float"] = std::string(floats.message());
  if (!floats.ok()) return line;
  const absl::StatusOr<Errors> errors = runIntegers(*example, file);
  if (absl::StrContains(errors.status().message(), "there is nothing to prove about it")) {
    line["integer"] = "constant";
  } else {
    line["integer"] = std::string(errors.status().message());
  }
  if (errors.ok()) line.update({{"bound", errors->bound}, {"error", errors->error}});
  return line;
}

}  // namespace
}  // namespace lindero

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: onnx_library_cases FOLDER CASE…\n";
    return 2;
  }
  lindero::ir::registerAllDialects();
  std::string folder = std::filesystem::temp_directory_path() / "lindero_XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return 1;
  const auto replace = nlohmann::ordered_json::error_handler_t::replace;
  for (int i = 2; i < argc; ++i) {
    const auto line = lindero::runCase(argv[1], argv[i], folder + "/model.onnx");
    std::cout << line.dump(-1, ' ', false, replace) << std::endl;
  }
  std::filesystem::remove_all(folder);
}
