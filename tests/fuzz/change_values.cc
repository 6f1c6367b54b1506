#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>

#include "tests/fuzz/changer.h"

namespace lindero::fuzz {
namespace {

using onnx::AttributeProto;
using onnx::NodeProto;
using onnx::OpSchema;
using onnx::TensorProto;

// The attribute becomes one that the op knows, with its default value or any other.
void fillAttribute(const OpSchema::Attribute& known, AttributeProto& attribute, Random& random) {
  attribute = known.default_value;
  attribute.set_name(known.name);
  attribute.set_type(known.type);
  const int count = below(5, random);
  switch (known.type) {
    case AttributeProto::INT:
      return attribute.set_i(anyInteger(attribute.i(), random));
    case AttributeProto::FLOAT:
      return attribute.set_f(static_cast<float>(anyReal(random)));
    case AttributeProto::STRING:
      return attribute.set_s(anyText(attribute.s(), random));
    case AttributeProto::INTS:
      for (int i = 0; i < count; ++i) attribute.add_ints(anyInteger(i, random));
      return;
    case AttributeProto::FLOATS:
      for (int i = 0; i < count; ++i) attribute.add_floats(static_cast<float>(anyReal(random)));
      return;
    default:
      return;
  }
}

void changeAttribute(Changer& c) {
  if (!c.hasNodes()) return;
  NodeProto& node = *c.graph.mutable_node(c.node());
  if (node.attribute_size() == 0 || once(3, c.random)) return addAttribute(c.model, node, c.random);
  const int i = c.some(node.attribute_size());
  AttributeProto& attribute = *node.mutable_attribute(i);
  if (once(8, c.random)) return node.mutable_attribute()->DeleteSubrange(i, 1);
  if (attribute.ints_size() > 1 && once(2, c.random)) {
    return attribute.mutable_ints()->SwapElements(c.some(attribute.ints_size()),
                                                  c.some(attribute.ints_size()));
  }
  changeAnywhere(attribute, c.random);
}

void changeShape(Changer& c) {
  onnx::ValueInfoProto* value = c.declared();
  if (!value) return;
  auto& shape = *value->mutable_type()->mutable_tensor_type()->mutable_shape();
  if (shape.dim_size() == 0 || once(5, c.random)) {
    shape.add_dim()->set_dim_value(once(2, c.random) ? 1 : anyInteger(1, c.random));
    shape.mutable_dim()->SwapElements(0, shape.dim_size() - 1);
  } else if (once(5, c.random)) {
    shape.mutable_dim()->DeleteSubrange(c.some(shape.dim_size()), 1);
  } else if (once(5, c.random)) {
    shape.mutable_dim(c.some(shape.dim_size()))
        ->set_dim_param(once(2, c.random) ? "n" : anyText("past", c.random));
  } else {
    auto& dim = *shape.mutable_dim(c.some(shape.dim_size()));
    dim.set_dim_value(anyInteger(dim.dim_value(), c.random));
  }
}

void changeType(Changer& c) {
  const int type = once(8, c.random) ? static_cast<int>(anyInteger(0, c.random))
                                     : c.some(TensorProto::DataType_ARRAYSIZE);
  TensorProto* tensor = c.tensor();
  onnx::ValueInfoProto* value = c.declared();
  if (tensor && once(2, c.random)) {
    tensor->set_data_type(type);
  } else if (value) {
    value->mutable_type()->mutable_tensor_type()->set_elem_type(type);
  }
}

// Weights.

template <typename T>
void setElement(std::string& bytes, Random& random, T value) {
  if (bytes.size() < sizeof(T)) return;
  const size_t i =
      static_cast<size_t>(below(static_cast<int64_t>(bytes.size() / sizeof(T)), random));
  std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
}

void changeElements(Changer& c) {
  TensorProto* tensor = c.tensor();
  if (!tensor) return;
  if (!tensor->has_raw_data()) return changeAnywhere(*tensor, c.random);
  std::string& raw = *tensor->mutable_raw_data();
  const bool all = once(4, c.random);
  const double real = anyReal(c.random);
  const int64_t integer = anyInteger(1, c.random);
  for (size_t i = all ? raw.size() : 1; i > 0; --i) {
    switch (tensor->data_type()) {
      case TensorProto::FLOAT:
        setElement(raw, c.random, static_cast<float>(real));
        break;
      case TensorProto::DOUBLE:
        setElement(raw, c.random, real);
        break;
      case TensorProto::INT64:
        setElement(raw, c.random, integer);
        break;
      default:
        setElement(raw, c.random, static_cast<char>(integer));
    }
  }
}

void changeSize(Changer& c) {
  TensorProto* tensor = c.tensor();
  if (!tensor) return;
  if (tensor->dims_size() > 1 && once(2, c.random)) {
    tensor->mutable_dims()->SwapElements(0, c.some(tensor->dims_size()));
  } else if (tensor->dims_size() > 0 && once(2, c.random)) {
    const int i = c.some(tensor->dims_size());
    tensor->set_dims(i, anyInteger(tensor->dims(i), c.random));
  } else if (once(2, c.random)) {
    tensor->add_dims(once(2, c.random) ? 1 : anyInteger(0, c.random));
  } else {
    tensor->mutable_raw_data()->resize(tensor->raw_data().size() / 4 * c.some(6));
  }
}

// Of any shape, for a wire to be rewired to.
void addWeight(Changer& c) {
  TensorProto& tensor = *c.graph.add_initializer();
  tensor.set_name(c.fresh("w"));
  const bool real = once(2, c.random);
  tensor.set_data_type(real ? TensorProto::FLOAT : TensorProto::INT64);
  int64_t elements = 1;
  for (int i = c.some(4); i > 0; --i) {
    tensor.add_dims(1 + c.some(8));
    elements *= tensor.dims(tensor.dims_size() - 1);
  }
  for (int64_t i = 0; i < elements; ++i) {
    if (real) tensor.add_float_data(static_cast<float>(anyReal(c.random)));
    if (!real) tensor.add_int64_data(anyInteger(i, c.random));
  }
  if (!c.hasNodes()) return;
  NodeProto& node = *c.graph.mutable_node(c.node());
  if (node.input_size() > 0) *node.mutable_input(node.input_size() - 1) = tensor.name();
}

void dropWeight(Changer& c) {
  if (c.graph.initializer_size() == 0) return;
  const int i = c.some(c.graph.initializer_size());
  if (once(4, c.random)) {
    *c.graph.add_initializer() = TensorProto(c.graph.initializer(i));
  } else {
    c.graph.mutable_initializer()->DeleteSubrange(i, 1);
  }
}

void externalize(Changer& c) {
  TensorProto* tensor = c.tensor();
  if (!tensor) return;
  const auto add = [&](const char* key, const std::string& value) {
    auto& entry = *tensor->add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  };
  tensor->set_data_location(TensorProto::EXTERNAL);
  if (!once(4, c.random)) tensor->clear_external_data();
  if (!once(4, c.random)) tensor->clear_raw_data();
  const auto count = static_cast<int64_t>(c.locations.size());
  add("location",
      once(8, c.random) ? anyText("weights.bin", c.random) : c.locations[below(count, c.random)]);
  if (once(2, c.random)) add("offset", absl::StrCat(anyInteger(0, c.random)));
  if (!once(3, c.random)) {
    int64_t bytes = 4;
    for (int64_t size : tensor->dims()) bytes = bytes > 0 && size < 4096 ? bytes * size : 0;
    add("length", absl::StrCat(once(3, c.random) ? anyInteger(bytes, c.random) : bytes));
  }
}

}  // namespace

void addAttribute(const onnx::ModelProto& model, NodeProto& node, Random& random) {
  const OpSchema* schema = schemaOf(model, node.op_type());
  if (!schema || schema->attributes().empty()) return;
  std::map<std::string, OpSchema::Attribute> known(schema->attributes().begin(),
                                                   schema->attributes().end());
  auto chosen = known.begin();
  std::advance(chosen, below(static_cast<int64_t>(known.size()), random));
  AttributeProto* attribute = nullptr;
  for (AttributeProto& one : *node.mutable_attribute())
    if (one.name() == chosen->first && !once(20, random)) attribute = &one;
  fillAttribute(chosen->second, attribute ? *attribute : *node.add_attribute(), random);
}

// Those named twice leave models that compile more often than others do.
const std::vector<Change>& valueChanges() {
  static const std::vector<Change> all = {
      changeShape,    changeAttribute, changeAttribute, changeType, changeElements,
      changeElements, changeSize,      addWeight,       dropWeight, externalize};
  return all;
}

}  // namespace lindero::fuzz
