// The ONNX library's own tests of operators (onnx/backend/test/data/node, with the Python package):
// each that is made of supported ops is imported and computes what is expected, or is refused for a
// reason that is listed here.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include "compiler/onnx_import/import.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/status_macros.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "ir/tensor/interpreter.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero {
namespace {

namespace fs = std::filesystem;
using ir::tensor::Array;

// What messages say of tests that do not pass. First what is no op's fault, then parts of ops.
constexpr const char* kRefusals[] = {
    "must be finite",                // an example with other numbers
    "of domain",                     // an op that is not supported
    "is not supported: export",      // an old opset
    "the model imports no opset",    // of the ONNX domain
    "is not a tensor with a shape",  // sequences and optionals
    "is not a tensor",
    "data type",            // strings, complex numbers, 8 bits and fewer
    "wraps around",         // casts to integers of few bits
    "depends on the data",  // shapes, axes and bounds that are computed
    "training mode",
    "ceil_mode",
    "reduction '",
    "the remainder of real numbers",
    "an integer raised to a real power",
    "x is of f32 or i64",  // the greatest of booleans
    "the extreme of no elements",
    "'z' is an output that the importer does not compute",  // where MaxPool found its results
    "a soft cap with",
    "tf_crop_and_resize",
    "smaller with antialias",
    "scales that make no whole sizes",
};

std::string bytesOf(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

absl::StatusOr<Array> arrayOf(const onnx::TensorProto& tensor) {
  IR_ASSIGN_OR_RETURN(const ir::Constant constant, compiler::makeConstant({.tensor = &tensor}));
  return ir::tensor::readConstant(constant);
}

// tensor `name`_0.pb and so on, one per value; nothing if one is not a tensor.
std::vector<onnx::TensorProto> tensorsOf(const fs::path& folder, const char* name, int count) {
  std::vector<onnx::TensorProto> tensors(count);
  for (int i = 0; i < count; ++i) {
    const std::string file = std::string(name) + "_" + std::to_string(i) + ".pb";
    if (!tensors[i].ParseFromString(bytesOf(folder / file))) return {};
  }
  return tensors;
}

struct Example {
  onnx::ModelProto model;
  std::vector<onnx::TensorProto> inputs, outputs;
};

// What the tests give as inputs an exporter writes as constants: shapes, axes, bounds. Tried in
// turn are none of them, all integers, and all but the first.
std::vector<onnx::ModelProto> withConstants(const Example& example) {
  std::vector<onnx::ModelProto> models;
  for (int choice = 0; choice < 3; ++choice) {
    onnx::ModelProto model = example.model;
    for (int i = 0; i < model.graph().input_size(); ++i) {
      onnx::TensorProto tensor = example.inputs[i];
      const bool integer = tensor.data_type() == onnx::TensorProto::INT64 ||
                           tensor.data_type() == onnx::TensorProto::INT32;
      if (choice == 0 || (choice == 1 ? !integer : i == 0)) continue;
      tensor.set_name(model.graph().input(i).name());
      *model.mutable_graph()->add_initializer() = tensor;
    }
    models.push_back(std::move(model));
  }
  return models;
}

bool near(double value, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(value);
  return value == expected || std::abs(value - expected) <= tolerance * (1 + std::abs(expected));
}

absl::Status compare(const Array& result, const onnx::TensorProto& expected) {
  IR_ASSIGN_OR_RETURN(const Array array, arrayOf(expected));
  if (result.shape != array.shape) return absl::InternalError("another shape");
  const bool half = expected.data_type() == onnx::TensorProto::FLOAT16 ||
                    expected.data_type() == onnx::TensorProto::BFLOAT16;
  for (int64_t i = 0; i < array.elements(); ++i) {
    const auto at = [&](const Array& a) { return a.isReal() ? a.reals[i] : double(a.integers[i]); };
    if (near(at(result), at(array), half ? 1e-2 : 1e-4)) continue;
    return absl::InternalError("element " + std::to_string(i) + ": " + std::to_string(at(result)) +
                               " instead of " + std::to_string(at(array)));
  }
  return absl::OkStatus();
}

absl::Status run(const ir::Module& module, const Example& example) {
  IR_RETURN_IF_ERROR(ir::verify(module));
  const ir::Function& main = *module.findFunction("main");
  std::vector<Array> inputs;
  for (const auto& argument : main.body().arguments()) {
    for (int i = 0; i < example.model.graph().input_size(); ++i) {
      if (example.model.graph().input(i).name() != argument->name()) continue;
      IR_ASSIGN_OR_RETURN(Array input, arrayOf(example.inputs[i]));
      // Truth values come as integers.
      if (input.element == ir::Element::kBool) input.element = ir::Element::kInt;
      inputs.push_back(std::move(input));
    }
  }
  IR_ASSIGN_OR_RETURN(const std::vector<Array> results, ir::tensor::interpret(main, inputs));
  for (size_t i = 0; i < results.size(); ++i)
    IR_RETURN_IF_ERROR(compare(results[i], example.outputs[i]));
  return absl::OkStatus();
}

absl::Status attempt(const Example& example) {
  testing::ScratchFolder folder;
  absl::Status last;
  for (const onnx::ModelProto& model : withConstants(example)) {
    auto module = compiler::importOnnx(folder.write("model.onnx", model.SerializeAsString()));
    if (module.ok()) return run(**module, example);
    last = module.status();
  }
  return last;
}

TEST(LibraryTest, EverySupportedOpPasses) {
  ir::registerAllDialects();
  int passed = 0;
  std::set<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(LINDERO_ONNX_NODE_TESTS))
    folders.insert(entry.path());
  for (const fs::path& folder : folders) {
    Example example;
    if (!example.model.ParseFromString(bytesOf(folder / "model.onnx"))) continue;
    const onnx::GraphProto& graph = example.model.graph();
    example.inputs = tensorsOf(folder / "test_data_set_0", "input", graph.input_size());
    example.outputs = tensorsOf(folder / "test_data_set_0", "output", graph.output_size());
    if (int(example.inputs.size()) != graph.input_size() || example.outputs.empty()) continue;
    const absl::Status status = attempt(example);
    passed += status.ok();
    const bool listed = std::any_of(
        std::begin(kRefusals), std::end(kRefusals),
        [&](const char* text) { return status.message().find(text) != std::string::npos; });
    EXPECT_TRUE(status.ok() || listed) << folder.filename() << ": " << status;
  }
  EXPECT_GE(passed, 900);
}

}  // namespace
}  // namespace lindero
