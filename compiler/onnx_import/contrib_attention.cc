#include "compiler/onnx_import/contrib_attention.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::compiler {
namespace {

using Ints = std::vector<int64_t>;

constexpr double kLowest = std::numeric_limits<float>::lowest();

// What is added to the scores for a mask of integers: 0 where it is above 0, else the filter value.
// The mask is [batch, keys], [batch, queries, keys], or the number of keys of each sentence.
absl::Status intMask(FunctionText& b, size_t input, int64_t batch, int64_t queries, int64_t keys) {
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

// Which keys each query sees, of more keys than queries: onnxruntime counts both from the first
// one, but the last query sees all keys. So a lone query, after keys of a past, sees all of them.
void lookBack(FunctionText& b, int64_t queries, int64_t keys) {
  Ints seen;
  for (int64_t query = 1; query < queries; ++query) seen.push_back(query);
  seen.push_back(keys);
  b.ints("seen", seen);
  b.ints("seen_shape", {queries, 1});
  b.add("seen_rows = Reshape (seen, seen_shape)");
  b.counting("key", keys);
  b.add("before = Less (key, seen_rows)");
}

// Attention of q, k and v [batch, tokens, columns], with a mask of integers and addends to the
// scores.
absl::Status attend(FunctionText& b, size_t int_mask, size_t bias, int64_t batch, int64_t queries,
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
  const bool causal = b.intAttr("unidirectional", 0) != 0;
  if (causal && keys > queries) {
    lookBack(b, queries, keys);
    if (addend.empty()) {
      addend = ", before";
    } else {
      b.add("ahead = Constant <value_float = ", FunctionText::real(kLowest), "> ()");
      b.add("addend_before = Where (before, addend, ahead)");
      addend = ", addend_before";
    }
  }
  const double scale = b.floatAttr("scale", 0);
  b.add(b.results(), " = Attention <q_num_heads = ", heads, ", kv_num_heads = ", heads,
        ", is_causal = ", causal && keys <= queries ? 1 : 0,
        scale == 0 ? "" : absl::StrCat(", scale = ", FunctionText::real(scale)), "> (q, k, v",
        addend, ")");
  return absl::OkStatus();
}

// A past without elements is none.
bool hasPast(const FunctionText& b, size_t i) {
  return b.has(i) && !llvm::is_contained(b.shape(i), 0);
}

// Columns of q, k and v [batch, tokens, heads x size], which may come as one operand.
absl::Status splitHeads(FunctionText& b, int64_t heads, int64_t kv_heads, int64_t& size) {
  const bool packed = !b.has(1) && !b.has(2);
  if (b.has(1) != b.has(2) || b.rank(0) != 3 || heads < 1 || kv_heads < 1 || heads % kv_heads != 0)
    return absl::InvalidArgumentError("its operands or numbers of heads do not fit one another");
  size = b.shape(0)[2] / (packed ? heads + 2 * kv_heads : heads);
  if (size < 1) return absl::InvalidArgumentError("its heads have no columns");
  if (packed) {
    b.columns("q", "i0", 0, heads * size);
    b.columns("k", "i0", heads * size, kv_heads * size);
    b.columns("v", "i0", (heads + kv_heads) * size, kv_heads * size);
    return absl::OkStatus();
  }
  if (b.rank(1) != 3 || b.shape(1)[1] != b.shape(0)[1])
    return absl::InvalidArgumentError("its keys are not as many as its queries");
  for (const char* line : {"q = Identity (i0)", "k = Identity (i1)", "v = Identity (i2)"})
    b.add(line);
  return absl::OkStatus();
}

// q and k turned by their positions.
absl::Status turnHeads(FunctionText& b, int64_t heads, int64_t kv_heads, int64_t size) {
  if (!b.has(7) || !b.has(8) || b.rank(7) != 2)
    return absl::InvalidArgumentError("do_rotary without caches of cosines and sines");
  const int64_t turned = 2 * b.shape(7)[1];
  if (b.has(9)) {
    b.add("positions = Identity (i9)");
  } else {
    b.counting("counting", b.shape(0)[1]);
    b.ints("positions_shape", {b.shape(0)[0], b.shape(0)[1]});
    b.add("positions = Expand (counting, positions_shape)");
  }
  const std::string shared =
      absl::StrCat("<interleaved = ", b.intAttr("rotary_interleaved", 0),
                   ", rotary_embedding_dim = ", turned < size ? turned : 0, ", num_heads = ");
  b.add("turned_q = RotaryEmbedding ", shared, heads, "> (q, i7, i8, positions)");
  b.add("turned_k = RotaryEmbedding ", shared, kv_heads, "> (k, i7, i8, positions)");
  return absl::OkStatus();
}

}  // namespace

absl::Status writeAttention(FunctionText& b) {
  if (hasPast(b, 4) || b.has(6) || b.intAttr("past_present_share_buffer", 0))
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

absl::Status writeMultiHeadAttention(FunctionText& b) {
  for (size_t i : {6, 7}) {
    if (hasPast(b, i)) return unsupported("a past");
  }
  for (size_t i : {8, 9}) {
    if (b.has(i)) return unsupported("a past in a buffer");
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

// Causal, over as many keys as queries. seqlens_k says which of the last rows are padding: what
// these hold is nowhere defined, and the others do not see them.
absl::Status writeGroupQueryAttention(FunctionText& b) {
  if (hasPast(b, 3) || hasPast(b, 4)) return unsupported("a past");
  if (b.has(10)) return unsupported("an attention_bias");
  if (b.has(11) || b.intAttr("smooth_softmax", 0) > 0) return unsupported("an attention sink");
  if (b.intAttr("qk_output", 0)) return unsupported("qk_output");
  const int64_t heads = b.intAttr("num_heads", 0), kv_heads = b.intAttr("kv_num_heads", 0);
  int64_t size = 0;
  IR_RETURN_IF_ERROR(splitHeads(b, heads, kv_heads, size));
  const bool rotary = b.intAttr("do_rotary", 0) != 0;
  if (rotary) IR_RETURN_IF_ERROR(turnHeads(b, heads, kv_heads, size));
  std::string operands = rotary ? "turned_q, turned_k, v" : "q, k, v";
  const int64_t tokens = b.shape(0)[1], window = b.intAttr("local_window_size", -1);
  if (window > 0 && window < tokens) {
    b.counting("key", tokens);
    b.ints("column", {1});
    b.add("query = Unsqueeze (key, column)");
    b.add("distance = Sub (query, key)");
    b.ints("window", {window});
    b.add("near = Less (distance, window)");
    operands += ", near";
  }
  const double scale = b.floatAttr("scale", 0), softcap = b.floatAttr("softcap", 0);
  b.add(b.results(), " = Attention <q_num_heads = ", heads, ", kv_num_heads = ", kv_heads,
        ", is_causal = 1", scale == 0 ? "" : absl::StrCat(", scale = ", FunctionText::real(scale)),
        softcap == 0 ? "" : absl::StrCat(", softcap = ", FunctionText::real(softcap)), "> (",
        operands, ")");
  return absl::OkStatus();
}

}  // namespace lindero::compiler
