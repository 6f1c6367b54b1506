#include "compiler/onnx_import/value_types.h"

#include "compiler/onnx_import/weights.h"
#include "ir/tensor/infer.h"

namespace lindero::compiler {
namespace {

constexpr int64_t kMostStated = 32;  // bits

}  // namespace

llvm::StringMap<int> typesOf(const ModelFile& file) {
  llvm::StringMap<int> types;
  const onnx::GraphProto& graph = file.model.graph();
  for (const auto& infos : {graph.value_info(), graph.input(), graph.output()})
    for (const onnx::ValueInfoProto& info : infos)
      types[info.name()] = info.type().tensor_type().elem_type();
  for (const auto& [name, initializer] : file.initializers)
    types[name] = initializer.tensor->data_type();
  return types;
}

absl::StatusOr<ir::Value*> withType(ir::Builder& builder, ir::Value* input, int onnx_type) {
  const std::optional<IntegerType> type = integerTypeOf(onnx_type);
  if (!type || type->bits > kMostStated || (type->is_signed && type->bits == kMostStated))
    return input;
  return ir::tensor::create(builder, "tensor.wrap", {input},
                            {{"bits", type->bits}, {"signed", type->is_signed}});
}

}  // namespace lindero::compiler
