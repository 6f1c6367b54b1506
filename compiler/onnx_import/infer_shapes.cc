#include "compiler/onnx_import/infer_shapes.h"

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

// The library's schemas, which follow short vectors only.
class ShortVectors final : public onnx::ISchemaRegistry {
 public:
  const onnx::OpSchema* GetSchema(const std::string& key, const int version,
                                  const std::string& domain) const override {
    const onnx::OpSchema* schema =
        onnx::OpSchemaRegistry::Instance()->GetSchema(key, version, domain);
    if (!schema || !schema->has_data_propagation_function()) return schema;
    std::unique_ptr<onnx::OpSchema>& own = own_[schema];
    if (own) return own.get();
    own = std::make_unique<onnx::OpSchema>(*schema);
    own->PartialDataPropagationFunction(
        [follow = schema->GetDataPropagationFunction()](onnx::DataPropagationContext& context) {
          for (size_t i = 0; i < context.getNumInputs(); ++i)
            if (isLong(context.getInputType(i))) return;
          follow(context);
        });
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
  const ShortVectors schemas;
  const onnx::ShapeInferenceOptions options(/*check_type_val=*/true, /*strict_mode_val=*/1,
                                            /*data_prop_val=*/true);
  onnx::shape_inference::InferShapes(model, &schemas, options);
}

}  // namespace lindero::compiler
