#include "compiler/onnx_import/infer_shapes.h"

#include <map>
#include <memory>
#include <string>

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

}  // namespace

void inferShapes(onnx::ModelProto& model) {
  const ShortVectors schemas;
  const onnx::ShapeInferenceOptions options(/*check_type_val=*/true, /*strict_mode_val=*/1,
                                            /*data_prop_val=*/true);
  onnx::shape_inference::InferShapes(model, &schemas, options);
}

}  // namespace lindero::compiler
