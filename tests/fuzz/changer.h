// What the changes of a model (change_model.h) choose from.
#ifndef LINDERO_TESTS_FUZZ_CHANGER_H_
#define LINDERO_TESTS_FUZZ_CHANGER_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "onnx/defs/schema.h"
#include "onnx/onnx_pb.h"
#include "tests/fuzz/change_message.h"
#include "tests/fuzz/change_model.h"

namespace lindero::fuzz {

struct Changer {
  onnx::ModelProto& model;
  const Locations& locations;
  Random& random;
  onnx::GraphProto& graph = *model.mutable_graph();

  int some(int size) { return below(size, random); }
  int node() { return some(graph.node_size()); }
  bool hasNodes() const { return graph.node_size() > 0; }
  std::string fresh(const char* what) { return absl::StrCat(what, "_", some(1 << 30)); }

  onnx::TensorProto* tensor() {
    std::vector<onnx::TensorProto*> all;
    for (onnx::TensorProto& one : *graph.mutable_initializer()) all.push_back(&one);
    for (onnx::NodeProto& one : *graph.mutable_node())
      for (onnx::AttributeProto& attribute : *one.mutable_attribute())
        if (attribute.has_t()) all.push_back(attribute.mutable_t());
    return all.empty() ? nullptr : all[some(static_cast<int>(all.size()))];
  }

  onnx::ValueInfoProto* declared() {
    const int inputs = graph.input_size(), outputs = graph.output_size();
    if (inputs + outputs == 0) return nullptr;
    const int i = some(inputs + outputs);
    return i < inputs ? graph.mutable_input(i) : graph.mutable_output(i - inputs);
  }
};

// What the model's opset knows of an op; null if nothing.
const onnx::OpSchema* schemaOf(const onnx::ModelProto& model, const std::string& op);

// A value computed before node `end`; or any, or one that is not there.
std::string anyWire(const onnx::GraphProto& graph, int end, Random& random);

// One that the op knows, with its default value or any other: changed if it is there, else added.
void addAttribute(const onnx::ModelProto& model, onnx::NodeProto& node, Random& random);

using Change = void (*)(Changer&);

// Of attributes, shapes, types, weights and external data (change_values.cc).
const std::vector<Change>& valueChanges();

}  // namespace lindero::fuzz

#endif  // LINDERO_TESTS_FUZZ_CHANGER_H_
