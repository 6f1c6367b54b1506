// Graphs of one op or a few against onnxruntime: the float graph that the importer makes computes
// what operators/cases.json holds. operators/make.py made it.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>

#include "compiler/onnx_import/import.h"
#include "ir/core/text.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "ir/tensor/interpreter.h"
#include "nlohmann/json.hpp"
#include "tests/onnx_node/onnx_text.h"

namespace lindero {
namespace {

using ir::tensor::Array;
using Json = nlohmann::json;

constexpr int kDamages = 10;  // per case

const Json& allCases() {
  static const auto* cases =
      new Json(Json::parse(std::ifstream("tests/onnx_node/operators/cases.json")));
  return *cases;
}

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const auto& entry : allCases().items()) list.push_back(entry.key());
  return list;
}

// Numbers, also where they are written true and false.
std::vector<double> numbers(const Json& values) {
  std::vector<double> list;
  for (const Json& value : values)
    list.push_back(value.is_boolean() ? double(value.get<bool>()) : value.get<double>());
  return list;
}

void addConstant(onnx::GraphProto& graph, const std::string& name, const Json& tensor) {
  onnx::TensorProto& added = *graph.add_initializer();
  added.set_name(name);
  for (int64_t size : tensor["shape"]) added.add_dims(size);
  const std::string type = tensor["type"];
  if (type == "int64")  // more digits than a double has
    for (const Json& value : tensor["values"]) added.add_int64_data(value.get<int64_t>());
  for (double value : numbers(tensor["values"])) {
    if (type == "float") {
      added.add_float_data(float(value));
    } else if (type == "uint32" || type == "uint64") {
      added.add_uint64_data(uint64_t(value));
    } else if (type != "int64") {
      added.add_int32_data(int32_t(value));
    }
  }
  std::string name_of_type = type;
  for (char& c : name_of_type) c = static_cast<char>(std::toupper(c));
  onnx::TensorProto::DataType data_type;
  ASSERT_TRUE(onnx::TensorProto::DataType_Parse(name_of_type, &data_type)) << type;
  added.set_data_type(data_type);
}

onnx::ModelProto modelOf(const Json& example) {
  onnx::ModelProto model = testing::parseModel(example["graph"], example["opset"].get<int>());
  auto& opset = *model.add_opset_import();
  opset.set_domain("com.microsoft");
  opset.set_version(1);
  for (const auto& [name, tensor] : example["constants"].items())
    addConstant(*model.mutable_graph(), name, tensor);
  return model;
}

Array inputOf(const ir::Type& type, const std::vector<double>& values) {
  Array array = Array::zeros(type.element, type.shape);
  EXPECT_EQ(array.elements(), int64_t(values.size()));
  if (array.isReal()) {
    array.reals = values;
  } else {
    array.integers.assign(values.begin(), values.end());
  }
  return array;
}

// Single precision adds up a few roundings; integers and booleans are equal.
void expectEqual(const Array& result, const Json& expected, double tolerance,
                 const std::string& name) {
  EXPECT_EQ(std::vector<int64_t>(result.shape.begin(), result.shape.end()),
            expected["shape"].get<std::vector<int64_t>>())
      << name;
  const std::vector<double> values = numbers(expected["values"]);
  ASSERT_EQ(result.elements(), int64_t(values.size())) << name;
  double largest = 0;
  for (double value : values) largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < values.size(); ++i) {
    if (result.isReal()) {
      ASSERT_NEAR(result.reals[i], values[i], tolerance * largest) << name << ", element " << i;
    } else {
      ASSERT_EQ(double(result.integers[i]), values[i]) << name << ", element " << i;
    }
  }
}

class OperatorsTest : public ::testing::TestWithParam<std::string> {};

TEST_P(OperatorsTest, AgreesWithTheRuntime) {
  ir::registerAllDialects();
  const Json& example = allCases()[GetParam()];
  testing::ScratchFolder folder;
  auto module =
      compiler::importOnnx(folder.write("model.onnx", modelOf(example).SerializeAsString()));
  ASSERT_TRUE(module.ok()) << module.status();
  ASSERT_TRUE(ir::verify(**module).ok()) << ir::verify(**module);
  const ir::Function& main = *(*module)->findFunction("main");
  std::vector<Array> inputs;
  for (const auto& argument : main.body().arguments())
    inputs.push_back(inputOf(argument->type(), numbers(example["inputs"][argument->name().str()])));
  auto results = ir::tensor::interpret(main, inputs);
  ASSERT_TRUE(results.ok()) << results.status() << ir::toText(**module);
  const ir::Op& end = *main.body().ops().rbegin();
  const auto outputs = std::get<std::vector<std::string>>(*end.find("names"));
  ASSERT_EQ(outputs.size(), example["outputs"].size());
  for (size_t i = 0; i < outputs.size(); ++i)
    expectEqual((*results)[i], example["outputs"][outputs[i]], example["tolerance"], outputs[i]);
}

// An integer that a file may hold where a small one is expected.
int64_t extreme(std::mt19937& random) {
  constexpr int64_t kValues[] = {
      -1, 0, 1, 2, 3, 7, -3, 1 << 15, 1 << 20, 1 << 30, 1LL << 33, 1LL << 62, INT64_MAX, INT64_MIN};
  return kValues[random() % std::size(kValues)];
}

// Damages one thing: an attribute, a size, an index, or who reads what.
void damage(onnx::ModelProto& model, std::mt19937& random) {
  onnx::GraphProto& graph = *model.mutable_graph();
  onnx::NodeProto& node = *graph.mutable_node(int(random() % graph.node_size()));
  const auto one_of = [&](int size) { return int(random() % size); };
  switch (random() % 6) {
    case 0:
      if (node.attribute_size() == 0) break;
      if (auto& attribute = *node.mutable_attribute(one_of(node.attribute_size()));
          attribute.ints_size() > 0 && random() % 2) {
        attribute.set_ints(one_of(attribute.ints_size()), extreme(random));
      } else if (attribute.ints_size() > 0) {
        attribute.add_ints(extreme(random));
      } else if (random() % 4) {
        attribute.set_i(extreme(random));
        attribute.set_f(random() % 3 ? float(extreme(random)) : std::nanf(""));
      } else {
        attribute.set_type(onnx::AttributeProto::AttributeType(random() % 12));
      }
      break;
    case 1:
      if (graph.initializer_size() == 0) break;
      if (auto& tensor = *graph.mutable_initializer(one_of(graph.initializer_size()));
          tensor.int64_data_size() > 0) {
        tensor.set_int64_data(one_of(tensor.int64_data_size()), extreme(random));
      } else if (tensor.dims_size() > 0) {
        tensor.set_dims(one_of(tensor.dims_size()), extreme(random));
      }
      break;
    case 2:
      if (graph.input_size() == 0) break;
      if (auto& shape = *graph.mutable_input(one_of(graph.input_size()))
                             ->mutable_type()
                             ->mutable_tensor_type()
                             ->mutable_shape();
          shape.dim_size() > 0 && random() % 4) {
        shape.mutable_dim(one_of(shape.dim_size()))->set_dim_value(extreme(random));
      } else {
        shape.add_dim()->set_dim_value(2);
      }
      break;
    case 3:
      if (node.input_size() > 0)
        node.set_input(one_of(node.input_size()), node.input(one_of(node.input_size())));
      break;
    case 4:
      if (node.input_size() > 1) node.mutable_input()->RemoveLast();
      break;
    default:
      if (node.attribute_size() > 0) node.mutable_attribute()->RemoveLast();
  }
}

// A module that verifies, or an error in one line that comes soon.
TEST_P(OperatorsTest, SurvivesDamage) {
  ir::registerAllDialects();
  std::mt19937 random(1);
  testing::ScratchFolder folder;
  const onnx::ModelProto model = modelOf(allCases()[GetParam()]);
  for (int round = 0; round < kDamages; ++round) {
    onnx::ModelProto damaged = model;
    for (auto& output : *damaged.mutable_graph()->mutable_output())
      output.mutable_type()->mutable_tensor_type()->clear_shape();
    for (unsigned times = 1 + random() % 2; times > 0; --times) damage(damaged, random);
    const auto module =
        compiler::importOnnx(folder.write("model.onnx", damaged.SerializeAsString()));
    if (module.ok()) {
      EXPECT_TRUE(ir::verify(**module).ok()) << ir::verify(**module);
    } else {
      EXPECT_NE(module.status().code(), absl::StatusCode::kInternal) << module.status();
      EXPECT_EQ(module.status().message().find('\n'), std::string::npos) << module.status();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, OperatorsTest, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace lindero
