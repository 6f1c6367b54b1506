#include "compiler/onnx_import/contrib_ops.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/onnx_import/contrib_attention.h"
#include "compiler/onnx_import/function_text.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using Ints = std::vector<int64_t>;

absl::Status biasGelu(FunctionText& b) {
  b.add("x = Add (i0, i1)");
  b.add("o0 = Gelu (x)");
  return absl::OkStatus();
}

absl::Status fastGelu(FunctionText& b) {
  b.add(b.has(1) ? "x = Add (i0, i1)" : "x = Identity (i0)");
  b.add("o0 = Gelu <approximate = \"tanh\"> (x)");
  return absl::OkStatus();
}

absl::Status gelu(FunctionText& b) {
  b.add("o0 = Gelu (i0)");
  return absl::OkStatus();
}

absl::Status quickGelu(FunctionText& b) {
  b.add("o0 = Swish <alpha = ", FunctionText::real(b.floatAttr("alpha", 1.702f)), "> (i0)");
  return absl::OkStatus();
}

std::string normAttributes(const FunctionText& b, double epsilon) {
  return absl::StrCat("<axis = ", b.intAttr("axis", -1),
                      ", epsilon = ", FunctionText::real(b.floatAttr("epsilon", epsilon)), ">");
}

absl::Status layerNormalization(FunctionText& b) {
  b.add("o0 = LayerNormalization ", normAttributes(b, 1e-5f),
        b.has(2) ? " (i0, i1, i2)" : " (i0, i1)");
  return absl::OkStatus();
}

absl::Status simplifiedLayerNormalization(FunctionText& b) {
  b.add("o0 = RMSNormalization ", normAttributes(b, 1e-5f), " (i0, i1)");
  return absl::OkStatus();
}

// The fourth result is the sum that is normalized.
void addSkip(FunctionText& b, size_t bias) {
  b.add(b.has(bias) ? "s" : "o3", " = Add (i0, i1)");
  if (b.has(bias)) b.add("o3 = Add (s, i", bias, ")");
}

absl::Status skipLayerNormalization(FunctionText& b) {
  addSkip(b, 4);
  b.add("o0 = LayerNormalization ", normAttributes(b, 1e-12f),
        b.has(3) ? " (o3, i2, i3)" : " (o3, i2)");
  return absl::OkStatus();
}

absl::Status skipSimplifiedLayerNormalization(FunctionText& b) {
  addSkip(b, 3);
  b.add("o0 = RMSNormalization ", normAttributes(b, 1e-12f), " (o3, i2)");
  return absl::OkStatus();
}

absl::Status fusedMatMul(FunctionText& b) {
  if (b.intAttr("transBatchA", 0) || b.intAttr("transBatchB", 0))
    return unsupported("transBatchA or transBatchB");
  const char* const flags[] = {"transA", "transB"};
  for (size_t i = 0; i < 2; ++i) {
    if (!b.intAttr(flags[i], 0)) {
      b.add("m", i, " = Identity (i", i, ")");
      continue;
    }
    if (b.rank(i) < 2) return unsupported(absl::StrCat(flags[i], " of a vector"));
    Ints perm;
    for (size_t axis = 0; axis < b.rank(i); ++axis) perm.push_back(int64_t(axis));
    std::swap(perm.back(), perm[perm.size() - 2]);
    b.add("m", i, " = Transpose <perm = [", absl::StrJoin(perm, ", "), "]> (i", i, ")");
  }
  const double alpha = b.floatAttr("alpha", 1);
  b.add(alpha == 1 ? "o0" : "product", " = MatMul (m0, m1)");
  if (alpha == 1) return absl::OkStatus();
  b.scalar("alpha", alpha);
  b.add("o0 = Mul (product, alpha)");
  return absl::OkStatus();
}

// The second result counts the ones of a mask's row.
absl::Status embedLayerNormalization(FunctionText& b) {
  if (b.rank(0) != 2) return absl::InvalidArgumentError("input_ids is not a matrix");
  b.add("word = Gather (i2, i0)");
  if (b.has(8)) {
    b.add("position = Gather (i3, i8)");
  } else {
    b.ints("first", {0});
    b.ints("last", {b.shape(0)[1]});
    b.add("position = Slice (i3, first, last, first)");
  }
  b.add(b.has(1) ? "words" : "o2", " = Add (word, position)");
  if (b.has(1)) {
    if (!b.has(4)) return absl::InvalidArgumentError("it has segment_ids without their embedding");
    b.add("segment = Gather (i4, i1)");
    b.add("o2 = Add (words, segment)");
  }
  b.add("o0 = LayerNormalization ", normAttributes(b, 1e-12f), " (o2, i5, i6)");
  if (!b.has(7)) {
    b.ints("sentences", {b.shape(0)[0]});
    b.add("o1 = ConstantOfShape <value = int64[1] {0}> (sentences)");
    return absl::OkStatus();
  }
  b.ints("one", {1});
  b.add("is_one = Equal (i7, one)");
  b.add("ones = Cast <to = 7> (is_one)");
  b.add("o1 = ReduceSum <keepdims = 0> (ones, one)");
  return absl::OkStatus();
}

// Positions are given per token, or as that of the first.
absl::Status rotaryEmbedding(FunctionText& b) {
  if (b.intAttr("is_packed_batching", 0)) return unsupported("is_packed_batching");
  if (b.floatAttr("scale", 1) != 1) return unsupported("a scale");
  if ((b.rank(0) != 3 && b.rank(0) != 4) || b.rank(2) != 2 || b.shape(2)[1] < 1)
    return absl::InvalidArgumentError("its input or caches are of another rank");
  const int64_t partial = b.intAttr("rotary_embedding_dim", 0);
  const int64_t batch = b.shape(0)[0], length = b.shape(0)[b.rank(0) - 2];
  int64_t heads = b.intAttr("num_heads", 0);
  if (b.rank(0) == 3 && heads == 0) {
    if (partial > 0) return absl::InvalidArgumentError("rotary_embedding_dim needs num_heads");
    heads = b.shape(0)[2] / (2 * b.shape(2)[1]);
  }
  if (b.rank(1) == 2) {
    b.add("positions = Identity (i1)");
  } else {
    b.counting("counting", length);
    b.ints("shape", {batch, length});
    b.add("sequence = Add (i1, counting)");
    b.add("positions = Expand (sequence, shape)");
  }
  b.add("o0 = RotaryEmbedding <interleaved = ", b.intAttr("interleaved", 0),
        ", rotary_embedding_dim = ", partial, ", num_heads = ", heads, "> (i0, i2, i3, positions)");
  return absl::OkStatus();
}

using Write = absl::Status (*)(FunctionText& b);

const std::map<std::string, Write>& writers() {
  static const auto* map = new std::map<std::string, Write>{
      {"Attention", writeAttention},
      {"BiasGelu", biasGelu},
      {"EmbedLayerNormalization", embedLayerNormalization},
      {"FastGelu", fastGelu},
      {"FusedMatMul", fusedMatMul},
      {"Gelu", gelu},
      {"GroupQueryAttention", writeGroupQueryAttention},
      {"LayerNormalization", layerNormalization},
      {"MultiHeadAttention", writeMultiHeadAttention},
      {"QuickGelu", quickGelu},
      {"RotaryEmbedding", rotaryEmbedding},
      {"SimplifiedLayerNormalization", simplifiedLayerNormalization},
      {"SkipLayerNormalization", skipLayerNormalization},
      {"SkipSimplifiedLayerNormalization", skipSimplifiedLayerNormalization},
  };
  return *map;
}

}  // namespace

std::vector<std::string> contribOps() {
  std::vector<std::string> names;
  for (const auto& [name, write] : writers())
    names.push_back(absl::StrCat(kContribDomain, ".", name));
  return names;
}

absl::StatusOr<onnx::FunctionProto> contribBody(const onnx::NodeProto& node,
                                                llvm::ArrayRef<ir::Value*> inputs) {
  auto writer = writers().find(node.op_type());
  if (writer == writers().end()) return absl::UnimplementedError("the op is not supported");
  FunctionText body(node, inputs);
  IR_RETURN_IF_ERROR(writer->second(body));
  return body.finish();
}

}  // namespace lindero::compiler
