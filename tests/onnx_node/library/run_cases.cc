// onnx_library_cases FOLDER CASE…: for each of the ONNX library's tests of operators in FOLDER, a
// line of JSON:
//   "case"     its name
//   "float"    what the float interpreter lacks: empty where it computes what is expected
//   "integer"  what the integer program lacks: empty where its outputs are within their bounds of
//              the float model, or equal where they are truth values or integers of integers, no
//              bound is infinite, and it has a circuit; "constant" where the outputs do not depend
//              on inputs
//   "constants"  how many of the inputs are: none (0), all integers (1), all but the first (2), all
//              (3): the fewest that pass, or that the importer takes
//   "bound", "error"  of the outputs, the largest over the largest magnitude
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/driver/compilation.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/status_macros.h"
#include "ir/dialects.h"
#include "llvm/ADT/STLExtras.h"
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
  IR_ASSIGN_OR_RETURN(passes::BoundedRun run, compilation.boundErrors(inputs));
  // Truth values, and integers that depend on no reals, are those of the model, whatever the
  // analysis allows.
  const bool real = llvm::any_of(inputs, [](const ir::tensor::Array& x) { return x.isReal(); });
  for (auto [output, expected] : llvm::zip_equal(run.outputs, example.outputs)) {
    IR_ASSIGN_OR_RETURN(const ir::Element element, compiler::elementOf(expected.data_type()));
    if (element == ir::Element::kBool || (element == ir::Element::kInt && !real))
      output.bounds.assign(output.bounds.size(), 0);
  }
  IR_ASSIGN_OR_RETURN(const Errors errors, errorsOf(run));
  IR_RETURN_IF_ERROR(compilation.selectValues("all", false));
  IR_RETURN_IF_ERROR(compilation.lower({}));
  return errors;
}

bool isConstant(const absl::Status& status) {
  return absl::StrContains(status.message(), "there is nothing to prove about it");
}

// Models that the importer takes and the float interpreter computes: those with more constants
// where those with fewer have no integer program. With constants alone nothing is left to prove.
void runCase(const testing::Example& example, const std::string& file,
             nlohmann::ordered_json& line) {
  const std::vector<onnx::ModelProto> models = testing::withConstants(example);
  bool taken = false;
  for (size_t choice = 0; choice < models.size(); ++choice) {
    const testing::FloatRun floats = testing::runFloat(example, models[choice], file);
    if (!taken) line["float"] = std::string(floats.status.message());
    if (!floats.taken) continue;
    if (!floats.status.ok() || (taken && choice + 1 == models.size())) return;
    const absl::StatusOr<Errors> errors = runIntegers(example, file);
    const bool constant = isConstant(errors.status());
    if (!taken || errors.ok())
      line["integer"] = constant ? "constant" : std::string(errors.status().message());
    taken = true;
    if (!errors.ok() && !constant) continue;
    if (constant && line["integer"] != "constant") return;
    line["constants"] = choice;
    if (errors.ok()) line.update({{"bound", errors->bound}, {"error", errors->error}});
    return;
  }
}

nlohmann::ordered_json runCase(const std::string& folder, const std::string& name,
                               const std::string& file) {
  nlohmann::ordered_json line = {{"case", name}};
  const auto example = testing::readExample(folder + "/" + name);
  line["float"] = "no such test";
  if (example) runCase(*example, file, line);
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
