#include "compiler/onnx_import/infer_shapes.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "compiler/onnx_import/prepare.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "onnx/defs/schema.h"
#include "onnx/shape_inference/implementation.h"

namespace lindero::compiler {
namespace {

// Of a vector that is followed: more than any shape, and than what shapes are computed from.
constexpr int64_t kMostFollowed = 256;

bool isLong(const onnx::TypeProto* type) {
  if (!type || !type->has_tensor_type() || !type->tensor_type().has_shape()) return false;
  const onnx::TensorShapeProto& shape = type->tensor_type().shape();
  return shape.dim_size() == 1 && shape.dim(0).dim_value() > kMostFollowed;
}

std::vector<int64_t> intsOf(const onnx::InferenceContext& context, const char* name) {
  const onnx::AttributeProto* attribute = context.getAttribute(name);
  if (attribute == nullptr) return {};
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::string padding(const onnx::InferenceContext& context) {
  const onnx::AttributeProto* attribute = context.getAttribute("auto_pad");
  return attribute == nullptr ? "NOTSET" : attribute->s();
}

// The spatial axes of each output beside those of the input, where both are known.
template <typename Change>
void changeSizes(onnx::InferenceContext& context, Change change) {
  const onnx::TypeProto* input = context.getInputType(0);
  if (input == nullptr || !input->tensor_type().has_shape()) return;
  const onnx::TensorShapeProto& from = input->tensor_type().shape();
  for (size_t i = 0; i < context.getNumOutputs(); ++i) {
    onnx::TypeProto* output = context.getOutputType(i);
    if (output == nullptr || !output->tensor_type().has_shape()) continue;
    onnx::TensorShapeProto& to = *output->mutable_tensor_type()->mutable_shape();
    for (int axis = 2; axis < std::min(from.dim_size(), to.dim_size()); ++axis) {
      if (!from.dim(axis).has_dim_value() || !to.dim(axis).has_dim_value()) continue;
      to.mutable_dim(axis)->set_dim_value(
          change(axis - 2, from.dim(axis).dim_value(), to.dim(axis).dim_value()));
    }
  }
}

// Runtimes leave out a last window that begins in the padding at the end, as the operator says from
// version 19 on.
void dropWindows(onnx::InferenceContext& context) {
  const onnx::AttributeProto* rounds_up = context.getAttribute("ceil_mode");
  if (rounds_up == nullptr || rounds_up->i() == 0 || padding(context) != "NOTSET") return;
  const std::vector<int64_t> strides = intsOf(context, "strides"), pads = intsOf(context, "pads");
  changeSizes(context, [&](size_t axis, int64_t size, int64_t places) {
    const int64_t stride = axis < strides.size() ? strides[axis] : 1;
    const int64_t before = axis < pads.size() ? pads[axis] : 0;
    return places - (places > 1 && (places - 1) * stride >= size + before);
  });
}

bool isPool(const onnx::OpSchema& schema) {
  const std::string& name = schema.Name();
  return schema.domain().empty() &&
         (name == "AveragePool" || name == "MaxPool" || name == "LpPool");
}

// The library's schemas, which follow short vectors only and infer what runtimes compute.
class OwnSchemas final : public onnx::ISchemaRegistry {
 public:
  const onnx::OpSchema* GetSchema(const std::string& key, const int version,
                                  const std::string& domain) const override {
    const onnx::OpSchema* schema =
        onnx::OpSchemaRegistry::Instance()->GetSchema(key, version, domain);
    if (!schema) return schema;
    const bool pool = isPool(*schema);
    if (!schema->has_data_propagation_function() && !pool) return schema;
    std::unique_ptr<onnx::OpSchema>& own = own_[schema];
    if (own) return own.get();
    own = std::make_unique<onnx::OpSchema>(*schema);
    if (pool) {
      own->TypeAndShapeInferenceFunction(
          [infer = schema->GetTypeAndShapeInferenceFunction()](onnx::InferenceContext& context) {
            infer(context);
            dropWindows(context);
          });
    }
    if (schema->has_data_propagation_function()) {
      own->PartialDataPropagationFunction(
          [follow = schema->GetDataPropagationFunction()](onnx::DataPropagationContext& context) {
            for (size_t i = 0; i < context.getNumInputs(); ++i)
              if (isLong(context.getInputType(i))) return;
            follow(context);
          });
    }
    return own.get();
  }

 private:
  mutable std::map<const onnx::OpSchema*, std::unique_ptr<onnx::OpSchema>> own_;
};

// Is it letters, with one ellipsis at most?
bool isTerm(std::string term) {
  if (const size_t ellipsis = term.find("..."); ellipsis != std::string::npos)
    term.erase(ellipsis, 3);
  return llvm::all_of(term, [](char c) { return llvm::isAlpha(c); });
}

// Takes the blanks out of equations, and refuses other characters: the library's inference stands
// still at both.
void tidyEquations(onnx::GraphProto& graph) {
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    for (onnx::GraphProto* branch : branchesOf(node)) tidyEquations(*branch);
    if (qualifiedOp(node) != "Einsum") continue;
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.name() != "equation") continue;
      llvm::erase(*attribute.mutable_s(), ' ');
      const std::vector<std::string> sides = absl::StrSplit(attribute.s(), "->");
      const std::vector<std::string> terms = absl::StrSplit(sides[0], ',');
      if (sides.size() > 2 || !llvm::all_of(terms, isTerm) ||
          (sides.size() == 2 && !isTerm(sides[1])))
        fail_shape_inference("node '", node.name(), "' (Einsum): its equation is '", attribute.s(),
                             "'");
    }
  }
}

}  // namespace

void inferShapes(onnx::ModelProto& model) {
  tidyEquations(*model.mutable_graph());
  const OwnSchemas schemas;
  const onnx::ShapeInferenceOptions options(/*check_type_val=*/true, /*strict_mode_val=*/1,
                                            /*data_prop_val=*/true);
  onnx::shape_inference::InferShapes(model, &schemas, options);
}

}  // namespace lindero::compiler
