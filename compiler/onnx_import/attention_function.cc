#include "compiler/onnx_import/attention_function.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::compiler {
namespace {

using Ints = std::vector<int64_t>;

struct Sizes {
  int64_t batch, heads, kv_heads, queries, keys, width, value_width;
  bool rows;  // operands are [batch, tokens, heads x width], not [batch, heads, tokens, width]
};

absl::StatusOr<Sizes> sizesOf(const FunctionText& b) {
  for (size_t i : {4, 5, 6}) {
    if (b.has(i) && !llvm::is_contained(b.shape(i), 0))
      return absl::UnimplementedError("a soft cap with a past is not supported");
  }
  if (b.hasResult(3))
    return absl::UnimplementedError("a soft cap with scores as outputs is not supported");
  const auto q = b.shape(0), k = b.shape(1), v = b.shape(2);
  if (q.size() != k.size() || q.size() != v.size() || (q.size() != 3 && q.size() != 4))
    return absl::InvalidArgumentError("its query, key and value are not of one rank, 3 or 4");
  Sizes s = {};
  s.rows = q.size() == 3;
  s.batch = q[0];
  s.heads = s.rows ? b.intAttr("q_num_heads", 0) : q[1];
  s.kv_heads = s.rows ? b.intAttr("kv_num_heads", 0) : k[1];
  if (s.heads < 1 || s.kv_heads < 1 || s.heads % s.kv_heads != 0)
    return absl::InvalidArgumentError("its numbers of heads do not fit one another");
  s.queries = q[s.rows ? 1 : 2];
  s.keys = k[s.rows ? 1 : 2];
  s.width = s.rows ? q[2] / s.heads : q[3];
  s.value_width = s.rows ? v[2] / s.kv_heads : v[3];
  if (s.width < 1) return absl::InvalidArgumentError("its heads have no columns");
  return s;
}

// `name`, [batch, heads, tokens, width], of operand i; keys and values once per query head.
void addHeads(FunctionText& b, const std::string& name, int i, const Sizes& s) {
  const int64_t heads = i == 0 ? s.heads : s.kv_heads, tokens = i == 0 ? s.queries : s.keys;
  const int64_t width = i == 2 ? s.value_width : s.width;
  const bool repeated = i > 0 && s.kv_heads != s.heads;
  const std::string own = repeated || i > 0 ? name + "_own" : name;
  if (s.rows) {
    b.ints(name + "_split", {s.batch, tokens, heads, width});
    b.add(name, "_parts = Reshape (i", i, ", ", name, "_split)");
    b.add(own, " = Transpose <perm = [0, 2, 1, 3]> (", name, "_parts)");
  } else {
    b.add(own, " = Identity (i", i, ")");
  }
  if (i == 0) return;
  if (b.hasResult(i)) b.add("o", i, " = Identity (", own, ")");
  if (!repeated) {
    b.add(name, " = Identity (", own, ")");
    return;
  }
  b.ints(name + "_axis", {2});
  b.add(name, "_group = Unsqueeze (", own, ", ", name, "_axis)");
  b.ints(name + "_times", {s.batch, heads, s.heads / heads, tokens, width});
  b.add(name, "_copies = Expand (", name, "_group, ", name, "_times)");
  b.ints(name + "_joined", {s.batch, s.heads, tokens, width});
  b.add(name, " = Reshape (", name, "_copies, ", name, "_joined)");
}

// 0 where `open` is true, else what masks a score.
void addMask(FunctionText& b, const std::string& name, const std::string& open) {
  b.add(name, " = Where (", open, ", free, closed)");
}

// The scores `capped`, masked as the node says.
std::string maskedScores(FunctionText& b, const Sizes& s) {
  std::string scores = "capped";
  b.scalar("free", 0);
  b.add("closed = Constant <value = float {-inf}> ()");
  if (b.has(3)) {
    if (b.type(3).element == ir::Element::kBool) {
      addMask(b, "mask", "i3");
    } else {
      b.add("mask = Identity (i3)");
    }
    b.add("masked = Add (", scores, ", mask)");
    scores = "masked";
  }
  if (b.intAttr("is_causal", 0)) {
    b.counting("key", s.keys);
    b.counting("place", s.queries);
    b.ints("column", {1});
    b.add("query = Unsqueeze (place, column)");
    b.add("seen = LessOrEqual (key, query)");
    addMask(b, "future", "seen");
    b.add("causal = Add (", scores, ", future)");
    scores = "causal";
  }
  return scores;
}

}  // namespace

bool capsMaskedScores(const onnx::NodeProto& node) {
  bool caps = false, masks = node.input_size() > 3 && !node.input(3).empty();
  masks |= node.input_size() > 6 && !node.input(6).empty();
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    caps |= attribute.name() == "softcap" && attribute.f() != 0;
    masks |= attribute.name() == "is_causal" && attribute.i() != 0;
  }
  return caps && masks;
}

absl::StatusOr<onnx::FunctionProto> cappedAttention(const onnx::NodeProto& node,
                                                    llvm::ArrayRef<ir::Value*> inputs) {
  FunctionText b(node, inputs);
  IR_ASSIGN_OR_RETURN(const Sizes s, sizesOf(b));
  addHeads(b, "q", 0, s);
  addHeads(b, "k", 1, s);
  addHeads(b, "v", 2, s);
  const double scale = b.floatAttr("scale", 0);
  b.scalar("scale", scale == 0 ? 1 / std::sqrt(double(s.width)) : scale);
  b.scalar("cap", b.floatAttr("softcap", 0));
  b.add("turned = Transpose <perm = [0, 1, 3, 2]> (k)");
  b.add("products = MatMul (q, turned)");
  b.add("scores = Mul (products, scale)");
  b.add("parts = Div (scores, cap)");
  b.add("bent = Tanh (parts)");
  b.add("capped = Mul (bent, cap)");
  b.add("weights = Softmax <axis = -1> (", maskedScores(b, s), ")");
  b.add(s.rows ? "mixed" : "o0", " = MatMul (weights, v)");
  if (!s.rows) return b.finish();
  b.add("merged = Transpose <perm = [0, 2, 1, 3]> (mixed)");
  b.ints("shape", {s.batch, s.queries, s.heads * s.value_width});
  b.add("o0 = Reshape (merged, shape)");
  return b.finish();
}

}  // namespace lindero::compiler
