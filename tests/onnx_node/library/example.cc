#include "tests/onnx_node/library/example.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/import.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/status_macros.h"
#include "ir/core/verifier.h"
#include "ir/tensor/interpreter.h"

namespace lindero::testing {
namespace {

namespace fs = std::filesystem;
using ir::tensor::Array;

std::string bytesOf(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

// Of 16 bits, `mantissa` of them and the sign apart from the exponent.
double decode(uint16_t bits, int mantissa) {
  const int most = (1 << (15 - mantissa)) - 1, exponent = (bits >> mantissa) & most;
  const int fraction = bits & ((1 << mantissa) - 1);
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == most && fraction != 0) return std::nan("");
  if (exponent == most) return sign * INFINITY;
  const int whole = exponent > 0 ? fraction + (1 << mantissa) : fraction;
  return sign * std::ldexp(whole, std::max(exponent, 1) - most / 2 - mantissa);
}

template <typename T, typename Decode>
std::vector<double> decodeAll(const std::string& bytes, Decode decode) {
  std::vector<double> values;
  for (size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + i, sizeof(T));
    values.push_back(decode(value));
  }
  return values;
}

// Reals that need not be finite, as weights must be.
std::vector<double> realsOf(const onnx::TensorProto& tensor) {
  const std::string& bytes = tensor.raw_data();
  switch (tensor.data_type()) {
    case onnx::TensorProto::FLOAT:
      return decodeAll<float>(bytes, [](float value) { return double(value); });
    case onnx::TensorProto::DOUBLE:
      return decodeAll<double>(bytes, [](double value) { return value; });
    case onnx::TensorProto::FLOAT16:
      return decodeAll<uint16_t>(bytes, [](uint16_t value) { return decode(value, 10); });
    case onnx::TensorProto::BFLOAT16:
      return decodeAll<uint16_t>(bytes, [](uint16_t value) { return decode(value, 7); });
    default:
      return {};
  }
}

absl::StatusOr<Array> arrayOf(const onnx::TensorProto& tensor) {
  const std::vector<int64_t> shape(tensor.dims().begin(), tensor.dims().end());
  if (const std::vector<double> reals = realsOf(tensor); !reals.empty())
    return Array::real(shape, reals);
  IR_ASSIGN_OR_RETURN(const ir::Constant constant, compiler::makeConstant({.tensor = &tensor}));
  return ir::tensor::readConstant(constant);
}

// tensor `name`_0.pb and so on, one per value; nothing if one is not a tensor.
std::vector<onnx::TensorProto> tensorsOf(const fs::path& folder, const char* name, int count) {
  std::vector<onnx::TensorProto> tensors(count);
  for (int i = 0; i < count; ++i) {
    if (!tensors[i].ParseFromString(bytesOf(folder / absl::StrCat(name, "_", i, ".pb")))) return {};
  }
  return tensors;
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
    return absl::InternalError(
        absl::StrCat("element ", i, ": ", at(result), " instead of ", at(array)));
  }
  return absl::OkStatus();
}

constexpr int kChoices = 4;

}  // namespace

std::optional<Example> readExample(const fs::path& folder) {
  Example example;
  if (!example.model.ParseFromString(bytesOf(folder / "model.onnx"))) return std::nullopt;
  const onnx::GraphProto& graph = example.model.graph();
  example.inputs = tensorsOf(folder / "test_data_set_0", "input", graph.input_size());
  example.outputs = tensorsOf(folder / "test_data_set_0", "output", graph.output_size());
  if (int(example.inputs.size()) != graph.input_size() || example.outputs.empty())
    return std::nullopt;
  return example;
}

std::vector<onnx::ModelProto> withConstants(const Example& example) {
  std::vector<onnx::ModelProto> models;
  for (int choice = 0; choice < kChoices; ++choice) {
    onnx::ModelProto model = example.model;
    for (int i = 0; i < model.graph().input_size(); ++i) {
      onnx::TensorProto tensor = example.inputs[i];
      const bool integer = tensor.data_type() == onnx::TensorProto::INT64 ||
                           tensor.data_type() == onnx::TensorProto::INT32;
      if (choice == 0 || (choice == 1 && !integer) || (choice == 2 && i == 0)) continue;
      tensor.set_name(model.graph().input(i).name());
      *model.mutable_graph()->add_initializer() = tensor;
    }
    models.push_back(std::move(model));
  }
  return models;
}

absl::StatusOr<std::vector<Array>> argumentsOf(const ir::Function& function,
                                               const Example& example) {
  std::vector<Array> inputs;
  for (const auto& argument : function.body().arguments()) {
    for (int i = 0; i < example.model.graph().input_size(); ++i) {
      if (example.model.graph().input(i).name() != argument->name()) continue;
      IR_ASSIGN_OR_RETURN(Array input, arrayOf(example.inputs[i]));
      // Truth values come as integers.
      if (input.element == ir::Element::kBool) input.element = ir::Element::kInt;
      // Batches and other axes of one may be gone.
      input.shape = argument->type().shape;
      inputs.push_back(std::move(input));
    }
  }
  return inputs;
}

absl::Status compareOutputs(const std::vector<Array>& results, const Example& example) {
  for (size_t i = 0; i < results.size(); ++i)
    IR_RETURN_IF_ERROR(compare(results[i], example.outputs[i]));
  return absl::OkStatus();
}

namespace {

absl::Status compareWithFloat(const Example& example, const ir::Module& module) {
  IR_RETURN_IF_ERROR(ir::verify(module));
  const ir::Function& main = *module.findFunction("main");
  IR_ASSIGN_OR_RETURN(const std::vector<Array> inputs, argumentsOf(main, example));
  IR_ASSIGN_OR_RETURN(const std::vector<Array> results, ir::tensor::interpret(main, inputs));
  return compareOutputs(results, example);
}

}  // namespace

FloatRun runFloat(const Example& example, const onnx::ModelProto& model, const std::string& file) {
  std::ofstream(file, std::ios::binary) << model.SerializeAsString();
  auto module = compiler::importOnnx(file);
  if (!module.ok()) return {false, module.status()};
  return {true, compareWithFloat(example, **module)};
}

absl::Status runFloat(const Example& example, const std::string& file) {
  absl::Status last;
  for (const onnx::ModelProto& model : withConstants(example)) {
    const FloatRun run = runFloat(example, model, file);
    if (run.taken) return run.status;
    last = run.status;
  }
  return last;
}

}  // namespace lindero::testing
