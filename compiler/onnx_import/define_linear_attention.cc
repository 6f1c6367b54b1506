#include "compiler/onnx_import/define_linear_attention.h"

#include <cmath>

#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

// Each token has steps of its own.
constexpr int64_t kMostTokens = 256;

struct Heads {
  int64_t batch, tokens, queries, keys;  // heads of queries, and of keys and values
  int64_t key_width, value_width;
  bool gated, corrected;
  double scale;
};

absl::StatusOr<Heads> headsOf(const FunctionText& b) {
  const std::string rule = b.stringAttr("update_rule", "gated_delta");
  if (rule != "linear" && rule != "gated" && rule != "delta" && rule != "gated_delta")
    return absl::InvalidArgumentError(absl::StrCat("update_rule is ", rule));
  Heads h = {};
  h.gated = rule == "gated" || rule == "gated_delta";
  h.corrected = rule == "delta" || rule == "gated_delta";
  h.queries = b.intAttr("q_num_heads", 0), h.keys = b.intAttr("kv_num_heads", 0);
  const bool heads = h.queries >= 1 && h.keys >= 1 && h.queries % h.keys == 0;
  if (!heads || b.rank(0) != 3 || b.rank(1) != 3 || b.rank(2) != 3)
    return absl::InvalidArgumentError("its operands or numbers of heads do not fit");
  h.batch = b.shape(0)[0], h.tokens = b.shape(0)[1];
  h.key_width = b.shape(0)[2] / h.queries, h.value_width = b.shape(2)[2] / h.keys;
  const auto fits = [&](size_t i, int64_t width) {
    return b.shape(i)[0] == h.batch && b.shape(i)[1] == h.tokens && b.shape(i)[2] == width;
  };
  if (!fits(0, h.queries * h.key_width) || !fits(1, h.keys * h.key_width) ||
      !fits(2, h.keys * h.value_width) || h.gated != b.has(4) || h.corrected != b.has(5))
    return absl::InvalidArgumentError("its operands do not fit its heads and update_rule");
  if (h.tokens < 1 || h.tokens > kMostTokens) {
    return absl::UnimplementedError(
        absl::StrCat("it has ", h.tokens, " tokens: 1 to ", kMostTokens, " are supported"));
  }
  h.scale = b.floatAttr("scale", 0);
  if (h.scale == 0) h.scale = 1 / std::sqrt(double(h.key_width));
  return h;
}

// `name` = token t of operand i, in that shape.
void addToken(FunctionText& b, const std::string& name, size_t i, int64_t t,
              const FunctionText::Ints& shape) {
  b.scalarInt(name + "_index", t);
  b.add(name, "_row = Gather <axis = 1> (i", i, ", ", name, "_index)");
  b.ints(name + "_shape", shape);
  b.add(name, " = Reshape (", name, "_row, ", name, "_shape)");
}

// The state after token t, in place of `state`.
std::string addUpdate(FunctionText& b, const Heads& h, int64_t t, std::string state) {
  const std::string at = absl::StrCat("t", t, "_");
  addToken(b, at + "key", 1, t, {h.batch, h.keys, h.key_width, 1});
  addToken(b, at + "value", 2, t, {h.batch, h.keys, 1, h.value_width});
  if (h.gated) {
    addToken(b, at + "decay", 4, t, {h.batch, h.keys, b.shape(4)[2] / h.keys, 1});
    b.add(at, "factor = Exp (", at, "decay)");
    b.add(at, "kept = Mul (", state, ", ", at, "factor)");
    state = at + "kept";
  }
  std::string value = at + "value";
  if (h.corrected) {
    addToken(b, at + "rate", 5, t, {h.batch, b.shape(5)[2], 1, 1});
    b.add(at, "row = Transpose <perm = [0, 1, 3, 2]> (", at, "key)");
    b.add(at, "known = MatMul (", at, "row, ", state, ")");
    b.add(at, "new = Sub (", at, "value, ", at, "known)");
    b.add(at, "written = Mul (", at, "rate, ", at, "new)");
    value = at + "written";
  }
  b.add(at, "outer = Mul (", at, "key, ", value, ")");
  b.add(at, "state = Add (", state, ", ", at, "outer)");
  return at + "state";
}

}  // namespace

absl::Status writeLinearAttention(FunctionText& b) {
  IR_ASSIGN_OR_RETURN(const Heads h, headsOf(b));
  std::string state = "i3";
  if (!b.has(3)) {
    state = "empty";
    b.ints("state_shape", {h.batch, h.keys, h.key_width, h.value_width});
    b.add("empty = ConstantOfShape (state_shape)");
  }
  b.scalar("scale", h.scale);
  b.ints("row", {h.batch, 1, h.queries * h.value_width});
  std::vector<std::string> rows;
  for (int64_t t = 0; t < h.tokens; ++t) {
    state = addUpdate(b, h, t, state);
    const std::string at = absl::StrCat("t", t, "_");
    addToken(b, at + "query", 0, t, {h.batch, h.keys, h.queries / h.keys, h.key_width});
    b.add(at, "read = MatMul (", at, "query, ", state, ")");
    b.add(at, "scaled = Mul (", at, "read, scale)");
    b.add(at, "result = Reshape (", at, "scaled, row)");
    rows.push_back(at + "result");
  }
  b.add("o0 = Concat <axis = 1> (", absl::StrJoin(rows, ", "), ")");
  if (b.hasResult(1)) b.add("o1 = Identity (", state, ")");
  return absl::OkStatus();
}

}  // namespace lindero::compiler
