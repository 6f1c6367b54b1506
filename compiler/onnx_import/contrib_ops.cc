#include "compiler/onnx_import/contrib_ops.h"

#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "compiler/onnx_import/onnx_guard.h"
#include "ir/core/status_macros.h"
#include "onnx/defs/parser.h"

namespace lindero::compiler {
namespace {

using Ints = std::vector<int64_t>;

// An ONNX function in text form. Operands are i0, i1, ..., results o0, o1, ...; the rest are names
// of the lines.
class Body {
 public:
  Body(const onnx::NodeProto& node, llvm::ArrayRef<ir::Value*> inputs)
      : node_(node), inputs_(inputs) {}

  bool has(size_t i) const { return i < inputs_.size() && inputs_[i]; }
  llvm::ArrayRef<int64_t> shape(size_t i) const { return inputs_[i]->type().shape; }
  size_t rank(size_t i) const { return shape(i).size(); }

  int64_t intAttr(const char* name, int64_t fallback) const {
    const onnx::AttributeProto* found = attribute(name);
    return found ? found->i() : fallback;
  }
  double floatAttr(const char* name, double fallback) const {
    const onnx::AttributeProto* found = attribute(name);
    return found ? found->f() : fallback;
  }
  Ints intsAttr(const char* name) const {
    const onnx::AttributeProto* found = attribute(name);
    return found ? Ints(found->ints().begin(), found->ints().end()) : Ints();
  }

  template <typename... Parts>
  void add(const Parts&... parts) {
    absl::StrAppend(&lines_, "  ", parts..., "\n");
  }
  // All digits of a real that is an attribute of a line.
  static std::string real(double value) { return absl::StrFormat("%.17e", value); }
  // Lines that make a constant of that name.
  void ints(const std::string& name, const Ints& values) {
    add(name, " = Constant <value_ints = [", absl::StrJoin(values, ", "), "]> ()");
  }
  void scalar(const std::string& name, double value) {
    add(name, " = Constant <value_float = ", real(value), "> ()");
  }
  // 0, 1, ..., count - 1.
  void counting(const std::string& name, int64_t count) {
    add(name, "_first = Constant <value_int = 0> ()");
    add(name, "_step = Constant <value_int = 1> ()");
    add(name, "_count = Constant <value_int = ", count, "> ()");
    add(name, " = Range (", name, "_first, ", name, "_count, ", name, "_step)");
  }
  // Columns [start, start + size) of the last axis.
  void columns(const std::string& name, const std::string& of, int64_t start, int64_t size) {
    ints(name + "_start", {start});
    ints(name + "_end", {start + size});
    ints(name + "_axis", {-1});
    add(name, " = Slice (", of, ", ", name, "_start, ", name, "_end, ", name, "_axis)");
  }

  absl::StatusOr<onnx::FunctionProto> finish() const {
    std::vector<std::string> operands, results;
    for (size_t i = 0; i < inputs_.size(); ++i) operands.push_back(absl::StrCat("i", i));
    for (int i = 0; i < node_.output_size(); ++i) results.push_back(absl::StrCat("o", i));
    const std::string text =
        absl::StrCat("<domain: \"", kContribDomain, "\", opset_import: [\"\" : 24]>\nbody (",
                     absl::StrJoin(operands, ", "), ") => (", absl::StrJoin(results, ", "), ") {\n",
                     lines_, "}");
    onnx::FunctionProto function;
    const onnx::Common::Status parsed = onnx::OnnxParser::Parse(function, text.c_str());
    if (parsed.IsOK()) return function;
    return absl::InternalError(oneLine(parsed.ErrorMessage().c_str()));
  }

 private:
  const onnx::AttributeProto* attribute(const char* name) const {
    for (const onnx::AttributeProto& attribute : node_.attribute()) {
      if (attribute.name() == name) return &attribute;
    }
    return nullptr;
  }

  const onnx::NodeProto& node_;
  llvm::ArrayRef<ir::Value*> inputs_;
  std::string lines_;
};

absl::Status unsupported(const std::string& what) {
  return absl::UnimplementedError(absl::StrCat(what, " is not supported"));
}

absl::Status biasGelu(Body& b) {
  b.add("x = Add (i0, i1)");
  b.add("o0 = Gelu (x)");
  return absl::OkStatus();
}

absl::Status fastGelu(Body& b) {
  b.add(b.has(1) ? "x = Add (i0, i1)" : "x = Identity (i0)");
  b.add("o0 = Gelu <approximate = \"tanh\"> (x)");
  return absl::OkStatus();
}

absl::Status gelu(Body& b) {
  b.add("o0 = Gelu (i0)");
  return absl::OkStatus();
}

absl::Status quickGelu(Body& b) {
  b.add("o0 = Swish <alpha = ", Body::real(b.floatAttr("alpha", 1.702f)), "> (i0)");
  return absl::OkStatus();
}

std::string normAttributes(const Body& b, double epsilon) {
  return absl::StrCat("<axis = ", b.intAttr("axis", -1),
                      ", epsilon = ", Body::real(b.floatAttr("epsilon", epsilon)), ">");
}

absl::Status layerNormalization(Body& b) {
  b.add("o0 = LayerNormalization ", normAttributes(b, 1e-5f),
        b.has(2) ? " (i0, i1, i2)" : " (i0, i1)");
  return absl::OkStatus();
}

absl::Status simplifiedLayerNormalization(Body& b) {
  b.add("o0 = RMSNormalization ", normAttributes(b, 1e-5f), " (i0, i1)");
  return absl::OkStatus();
}

// The fourth result is the sum that is normalized.
void addSkip(Body& b, size_t bias) {
  b.add(b.has(bias) ? "s" : "o3", " = Add (i0, i1)");
  if (b.has(bias)) b.add("o3 = Add (s, i", bias, ")");
}

absl::Status skipLayerNormalization(Body& b) {
  addSkip(b, 4);
  b.add("o0 = LayerNormalization ", normAttributes(b, 1e-12f),
        b.has(3) ? " (o3, i2, i3)" : " (o3, i2)");
  return absl::OkStatus();
}

absl::Status skipSimplifiedLayerNormalization(Body& b) {
  addSkip(b, 3);
  b.add("o0 = RMSNormalization ", normAttributes(b, 1e-12f), " (o3, i2)");
  return absl::OkStatus();
}

absl::Status fusedMatMul(Body& b) {
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
absl::Status embedLayerNormalization(Body& b) {
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
absl::Status rotaryEmbedding(Body& b) {
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

// What is added to the scores for a mask of integers: 0 where it is above 0, else the filter value.
// The mask is [batch, keys], [batch, queries, keys], or the number of keys of each sentence.
absl::Status intMask(Body& b, size_t input, int64_t batch, int64_t queries, int64_t keys) {
  const Ints shape = b.shape(input).vec();
  Ints spread;
  if (shape == Ints{batch, keys}) {
    spread = {batch, 1, 1, keys};
  } else if (shape == Ints{batch, queries, keys}) {
    spread = {batch, 1, queries, keys};
  } else if (shape == Ints{batch}) {
    spread = {batch, 1, 1, 1};
  } else {
    return unsupported("a mask of that shape");
  }
  b.ints("mask_shape", spread);
  b.add("mask = Reshape (i", input, ", mask_shape)");
  if (shape.size() == 1) {
    b.counting("counting", keys);
    b.add("open = Greater (mask, counting)");
  } else {
    b.ints("nothing", {0});
    b.add("open = Greater (mask, nothing)");
  }
  b.scalar("free", 0);
  b.scalar("closed", b.floatAttr("mask_filter_value", -10000));
  b.add("added_mask = Where (open, free, closed)");
  return absl::OkStatus();
}

// Attention of q, k and v [batch, tokens, columns], with a mask of integers and addends to the
// scores.
absl::Status attend(Body& b, size_t int_mask, size_t bias, int64_t batch, int64_t queries,
                    int64_t keys) {
  const int64_t heads = b.intAttr("num_heads", 0);
  if (heads < 1) return absl::InvalidArgumentError(absl::StrCat("num_heads is ", heads));
  std::string addend;
  if (b.has(int_mask)) {
    IR_RETURN_IF_ERROR(intMask(b, int_mask, batch, queries, keys));
    addend = "added_mask";
  }
  if (b.has(bias)) {
    if (b.rank(bias) != 4) return unsupported("an attention_bias that is not of rank 4");
    b.add("bias = ", addend.empty() ? absl::StrCat("Identity (i", bias, ")")
                                    : absl::StrCat("Add (i", bias, ", added_mask)"));
    addend = "bias";
  }
  // The standard's op wants an addend per query and key.
  if (!addend.empty()) {
    b.ints("addend_shape", {1, 1, queries, keys});
    b.add("addend = Expand (", addend, ", addend_shape)");
    addend = ", addend";
  }
  const double scale = b.floatAttr("scale", 0);
  b.add("o0 = Attention <q_num_heads = ", heads, ", kv_num_heads = ", heads,
        ", is_causal = ", b.intAttr("unidirectional", 0) != 0 ? 1 : 0,
        scale == 0 ? "" : absl::StrCat(", scale = ", Body::real(scale)), "> (q, k, v", addend, ")");
  return absl::OkStatus();
}

absl::Status attention(Body& b) {
  if (b.has(4) || b.has(6) || b.intAttr("past_present_share_buffer", 0))
    return unsupported("a past");
  if (b.intAttr("do_rotary", 0)) return unsupported("do_rotary");
  if (b.rank(0) != 3 || b.rank(1) != 2)
    return absl::InvalidArgumentError("its input or weights are of another rank");
  Ints sizes = b.intsAttr("qkv_hidden_sizes");
  const int64_t all = b.shape(1)[1];
  if (sizes.empty()) sizes = {all / 3, all / 3, all / 3};
  if (sizes.size() != 3 || sizes[0] < 1 || sizes[2] < 1 || sizes[0] != sizes[1] || sizes[0] > all ||
      sizes[2] > all || 2 * sizes[0] + sizes[2] != all)
    return absl::InvalidArgumentError("its weights are not those of q, k and v");
  b.add(b.has(2) ? "product" : "qkv", " = MatMul (i0, i1)");
  if (b.has(2)) b.add("qkv = Add (product, i2)");
  b.columns("q", "qkv", 0, sizes[0]);
  b.columns("k", "qkv", sizes[0], sizes[0]);
  b.columns("v", "qkv", 2 * sizes[0], sizes[2]);
  return attend(b, 3, 5, b.shape(0)[0], b.shape(0)[1], b.shape(0)[1]);
}

absl::Status multiHeadAttention(Body& b) {
  for (size_t i : {6, 7, 8, 9}) {
    if (b.has(i)) return unsupported("a past");
  }
  if (!b.has(1) || !b.has(2)) return unsupported("a packed query, key or value");
  if (b.rank(0) != 3 || b.rank(1) != b.rank(2) || (b.rank(1) != 3 && b.rank(1) != 4))
    return unsupported("a query, key or value of that rank");
  const bool split = b.rank(1) == 4;  // keys and values [batch, heads, keys, columns]
  if (split && b.has(3)) return unsupported("a bias beside keys in heads");
  const int64_t batch = b.shape(0)[0], width = b.shape(0)[2];
  const char* const names[] = {"q", "k", "v"};
  int64_t start = 0;
  for (size_t i = 0; i < 3; ++i) {
    const std::string name = names[i];
    if (i > 0 && split) {
      b.add(name, "_turned = Transpose <perm = [0, 2, 1, 3]> (i", i, ")");
      b.ints(name + "_shape", {0, 0, b.shape(i)[1] * b.shape(i)[3]});
      b.add(name, " = Reshape (", name, "_turned, ", name, "_shape)");
    } else if (b.has(3)) {
      b.columns(name + "_bias", "i3", start, b.shape(i)[2]);
      b.add(name, " = Add (i", i, ", ", name, "_bias)");
    } else {
      b.add(name, " = Identity (i", i, ")");
    }
    start += b.shape(i).back();
  }
  if (!split && b.shape(1)[2] != width)
    return absl::InvalidArgumentError("its query and key differ in width");
  if (b.has(3) && b.shape(3) != llvm::ArrayRef<int64_t>{start})
    return absl::InvalidArgumentError("its bias is not that of q, k and v");
  return attend(b, 4, 5, batch, b.shape(0)[1], split ? b.shape(1)[2] : b.shape(1)[1]);
}

using Write = absl::Status (*)(Body& b);

const std::map<std::string, Write>& writers() {
  static const auto* map = new std::map<std::string, Write>{
      {"Attention", attention},
      {"BiasGelu", biasGelu},
      {"EmbedLayerNormalization", embedLayerNormalization},
      {"FastGelu", fastGelu},
      {"FusedMatMul", fusedMatMul},
      {"Gelu", gelu},
      {"LayerNormalization", layerNormalization},
      {"MultiHeadAttention", multiHeadAttention},
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
  Body body(node, inputs);
  IR_RETURN_IF_ERROR(writer->second(body));
  return body.finish();
}

}  // namespace lindero::compiler
