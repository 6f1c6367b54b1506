#include <map>
#include <mutex>
#include <set>

#include "compiler/onnx_import/contrib_ops.h"
#include "compiler/onnx_import/prepare.h"
#include "onnx/defs/schema.h"
#include "onnx/defs/shape_inference.h"

namespace lindero::compiler {
namespace {

using onnx::AttributeProto;
using onnx::OpSchema;

// "x" is an operand or result that must be there, "x?" one that may be left out; "#x" holds
// integers. "i", "f" and "is" say that an attribute is an integer, a real, or integers.
struct Spec {
  const char* name;
  std::vector<const char*> inputs, outputs;
  std::map<const char*, const char*> attributes;
  int typed_like = 0;    // the input whose element type the results have
  int shaped_like = -1;  // the input whose shape the first result has
};

const std::vector<Spec>& specs() {
  static const auto* list = new std::vector<Spec>{
      {"Attention",
       {"input", "weights", "bias?", "#mask_index?", "past?", "attention_bias?", "#past_length?"},
       {"output", "present?"},
       {{"num_heads", "i"},
        {"unidirectional", "i"},
        {"qkv_hidden_sizes", "is"},
        {"scale", "f"},
        {"mask_filter_value", "f"},
        {"do_rotary", "i"},
        {"rotary_embedding_dim", "i"},
        {"past_present_share_buffer", "i"}}},
      {"BiasGelu", {"A", "B"}, {"C"}, {}, 0, 0},
      {"EmbedLayerNormalization",
       {"#input_ids", "#segment_ids?", "word_embedding", "position_embedding", "segment_embedding?",
        "gamma", "beta", "#mask?", "#position_ids?"},
       {"output", "#mask_index?", "embedding_sum?"},
       {{"epsilon", "f"}, {"mask_index_type", "i"}},
       2},
      {"FastGelu", {"X", "bias?"}, {"Y"}, {}, 0, 0},
      {"FusedMatMul",
       {"A", "B"},
       {"Y"},
       {{"alpha", "f"},
        {"transA", "i"},
        {"transB", "i"},
        {"transBatchA", "i"},
        {"transBatchB", "i"}}},
      {"Gelu", {"X"}, {"Y"}, {}, 0, 0},
      {"GroupQueryAttention",
       {"query", "key?", "value?", "past_key?", "past_value?", "#seqlens_k", "#total_length",
        "cos_cache?", "sin_cache?", "#position_ids?", "attention_bias?", "head_sink?"},
       {"output", "present_key?", "present_value?"},
       {{"num_heads", "i"},
        {"kv_num_heads", "i"},
        {"scale", "f"},
        {"softcap", "f"},
        {"do_rotary", "i"},
        {"rotary_interleaved", "i"},
        {"local_window_size", "i"},
        {"smooth_softmax", "i"},
        {"qk_output", "i"}}},
      {"LayerNormalization",
       {"X", "Scale", "B?"},
       {"Y", "Mean?", "InvStdDev?"},
       {{"axis", "i"}, {"epsilon", "f"}, {"stash_type", "i"}},
       0,
       0},
      {"MultiHeadAttention",
       {"query", "key?", "value?", "bias?", "#key_padding_mask?", "attention_bias?", "past_key?",
        "past_value?", "#past_length?", "#cache_indirection?"},
       {"output", "present_key?", "present_value?", "qk?"},
       {{"num_heads", "i"}, {"unidirectional", "i"}, {"scale", "f"}, {"mask_filter_value", "f"}}},
      {"QuickGelu", {"X"}, {"Y"}, {{"alpha", "f"}}, 0, 0},
      {"RotaryEmbedding",
       {"input", "#position_ids", "cos_cache", "sin_cache"},
       {"output"},
       {{"num_heads", "i"},
        {"rotary_embedding_dim", "i"},
        {"interleaved", "i"},
        {"is_packed_batching", "i"},
        {"scale", "f"}},
       0,
       0},
      {"SimplifiedLayerNormalization",
       {"X", "scale"},
       {"Y", "InvStdDev?"},
       {{"axis", "i"}, {"epsilon", "f"}, {"stash_type", "i"}},
       0,
       0},
      {"SkipLayerNormalization",
       {"input", "skip", "gamma", "beta?", "bias?"},
       {"output", "mean?", "inv_std_var?", "sum?"},
       {{"epsilon", "f"}},
       0,
       0},
      {"SkipSimplifiedLayerNormalization",
       {"input", "skip", "gamma", "bias?"},
       {"output", "mean?", "inv_std_var?", "sum?"},
       {{"epsilon", "f"}},
       0,
       0},
  };
  return *list;
}

struct Formal {
  std::string name, type;
  OpSchema::FormalParameterOption option;
};

Formal formalOf(std::string name) {
  Formal formal = {"", "T", OpSchema::Single};
  if (name.back() == '?') {
    formal.option = OpSchema::Optional;
    name.pop_back();
  }
  if (name.front() == '#') {
    formal.type = "M";
    name.erase(0, 1);
  }
  formal.name = name;
  return formal;
}

AttributeProto::AttributeType attributeType(const std::string& kind) {
  return kind == "i"   ? AttributeProto::INT
         : kind == "f" ? AttributeProto::FLOAT
                       : AttributeProto::INTS;
}

void infer(onnx::InferenceContext& context, const Spec& spec) {
  for (size_t i = 0; i < context.getNumOutputs() && i < spec.outputs.size(); ++i) {
    if (spec.outputs[i][0] == '#') {
      onnx::updateOutputElemType(context, i, onnx::TensorProto::INT32);
    } else {
      onnx::propagateElemTypeFromInputToOutput(context, spec.typed_like, i);
    }
  }
  if (spec.shaped_like >= 0 && onnx::hasInputShape(context, spec.shaped_like))
    onnx::propagateShapeFromInputToOutput(context, spec.shaped_like, 0);
}

OpSchema schemaOf(const Spec& spec) {
  OpSchema schema(spec.name, __FILE__, __LINE__);
  schema.SetDomain(kContribDomain).SinceVersion(1);
  for (size_t i = 0; i < spec.inputs.size(); ++i) {
    const Formal formal = formalOf(spec.inputs[i]);
    schema.Input(int(i), formal.name, "", formal.type, formal.option);
  }
  for (size_t i = 0; i < spec.outputs.size(); ++i) {
    const Formal formal = formalOf(spec.outputs[i]);
    schema.Output(int(i), formal.name, "", formal.type, formal.option);
  }
  for (const auto& [name, kind] : spec.attributes)
    schema.Attr(name, "", attributeType(kind), /*required=*/false);
  schema.TypeConstraint(
      "T", {"tensor(float)", "tensor(float16)", "tensor(double)", "tensor(bfloat16)"}, "");
  schema.TypeConstraint("M", {"tensor(int32)", "tensor(int64)"}, "");
  schema.TypeAndShapeInferenceFunction(
      [&spec](onnx::InferenceContext& context) { infer(context, spec); });
  return schema;
}

// The opset from which the ONNX domain has an op of the name.
const std::map<std::string, int64_t>& alsoInDefaultDomain() {
  static const auto* ops = new std::map<std::string, int64_t>{
      {"LayerNormalization", 17}, {"SimplifiedLayerNormalization", INT64_MAX}};
  return *ops;
}

template <typename Graph, typename Opsets>
void moveNodes(Graph& graph, Opsets& opsets, int64_t opset) {
  bool moved = false;
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    auto found = alsoInDefaultDomain().find(node.op_type());
    if (!isDefaultDomain(node.domain()) || found == alsoInDefaultDomain().end()) continue;
    if (opset >= found->second) continue;
    node.set_domain(kContribDomain);
    moved = true;
  }
  for (const onnx::OperatorSetIdProto& known : opsets) moved &= known.domain() != kContribDomain;
  if (!moved) return;
  onnx::OperatorSetIdProto& added = *opsets.Add();
  added.set_domain(kContribDomain);
  added.set_version(1);
}

}  // namespace

void registerContribSchemas() {
  static std::once_flag once;
  std::call_once(once, [] {
    onnx::OpSchemaRegistry::DomainToVersionRange::Instance().AddDomainToVersion(kContribDomain, 1,
                                                                                1);
    for (const Spec& spec : specs()) onnx::RegisterSchema(schemaOf(spec));
  });
}

void moveContribNodes(onnx::ModelProto& model, int64_t opset) {
  moveNodes(*model.mutable_graph(), *model.mutable_opset_import(), opset);
  for (onnx::FunctionProto& function : *model.mutable_functions())
    moveNodes(function, *function.mutable_opset_import(), opset);
}

}  // namespace lindero::compiler
