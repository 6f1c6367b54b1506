#include "tests/soundness/toy_gpt.h"

#include <algorithm>

#include "passes/quantize/tables.h"

namespace lindero::test {
namespace {

using ir::Element;
using ir::Symbol;
using ir::Type;
using ir::Value;
using Attributes = std::vector<std::pair<llvm::StringRef, ir::Attribute>>;

constexpr int64_t kWidth = 8, kHeads = 2, kHidden = 32;
constexpr int kExponent = 8;  // of the residual stream and of LayerNorm's output
constexpr int kWeightExponent = 7;
// Small projections leave the residual stream room for wrong values of attention and of products.
constexpr int64_t kWeight = 100, kProjectionWeight = 5, kBias = 1000;

class ToyGpt {
 public:
  ToyGpt(ir::Module& module, const ToyOptions& options)
      : module_(module),
        options_(options),
        tokens_(options.decode ? kToySteps : kToyTokens),
        function_(module.addFunction("main")),
        b_(&function_->body()) {}

  absl::Status build() {
    if (absl::Status s = makeTables(); !s.ok()) return s;
    Value* x = options_.embedded ? embedding() : stream();
    for (int layer = 0; layer < options_.layers; ++layer) {
      layer_ = layer;
      absl::StatusOr<Value*> y = block(x);
      if (!y.ok()) return y.status();
      x = *y;
    }
    finish(norm("/lnf", x));
    return absl::OkStatus();
  }

 private:
  // A block's node names end in its number, but for the first.
  std::string named(const char* node) const {
    return layer_ == 0 || node == std::string("/lnf") ? node
                                                      : node + ("." + std::to_string(layer_));
  }

  void locate(const char* node) { b_.setLocation({named(node)}); }

  Value* embedding() {
    Value* ids = function_->body().addArgument(Type::tensor(Element::kInt, {tokens_}), "input_ids");
    b_.setLocation({"/wte/Gather"});
    if (options_.wide) {
      constexpr int64_t kLarge = (int64_t{1} << 22) + 300;
      return b_.value("integer.embedding",
                      {ids, rowsOfAnySize(), weights({tokens_, kWidth}, kExponent, 300)},
                      Type::fixed({tokens_, kWidth}, kExponent, -kLarge, kLarge));
    }
    return b_.value("integer.embedding",
                    {ids, weights({kToyVocabulary, kWidth}, kExponent, 1000),
                     weights({tokens_, kWidth}, kExponent, 300)},
                    Type::fixed({tokens_, kWidth}, kExponent, -1300, 1300));
  }

  Value* stream() {
    return function_->body().addArgument(Type::fixed({tokens_, kWidth}, kExponent, -1300, 1300),
                                         "x");
  }

  absl::StatusOr<Value*> block(Value* x) {
    absl::StatusOr<Value*> attended = attention(x);
    if (!attended.ok()) return attended.status();
    x = requantize("/add1", linear("/proj", *attended, kWidth, true, kProjectionWeight), 16, x);
    Value* z = norm("/ln2", options_.copied ? rotate("/rotate", x) : x);
    Value* hidden = linear("/fc", options_.copied ? join(z) : z, kHidden, true);
    locate("/gelu");
    Value* g = b_.value(
        "integer.lookup", {hidden, gelu_},
        Type::fixed({tokens_, kHidden}, gelu_->type().exponent, gelu_->type().low,
                    gelu_->type().high),
        Attributes{
            {"shift", int64_t{10}}, {"bits", int64_t{12}}, {"function", std::string("gelu")}});
    if (!options_.gated) return requantize("/add2", linear("/fc2", g, kWidth, true), 16, x);
    g = gate(g, requantize("/up", linear("/up", z, kHidden, false), 16, nullptr, 3));
    return requantize("/add2", linear("/fc2", g, kWidth, true, kProjectionWeight), 16, x);
  }

  Value* copy(const char* node, std::vector<Value*> xs, std::vector<int64_t> shape,
              std::vector<int64_t> indices) {
    locate(node);
    const auto& map = module_.constants().addOwned<int64_t>("map", shape, std::move(indices));
    const Type& type = xs[0]->type();
    return b_.value("integer.copy", xs, Type::fixed(shape, type.exponent, type.low, type.high),
                    Attributes{{"indices", Symbol{map.name}}});
  }

  // Columns moved by one.
  Value* rotate(const char* node, Value* x) {
    std::vector<int64_t> indices;
    for (int64_t t = 0; t < tokens_; ++t) {
      for (int64_t j = 0; j < kWidth; ++j) indices.push_back(t * kWidth + (j + 1) % kWidth);
    }
    return copy(node, {x}, {tokens_, kWidth}, indices);
  }

  // Transposed; then its transpose, reversed, with one column of constants, and one of its
  // elements for all tokens.
  Value* join(Value* z) {
    std::vector<int64_t> transposed, joined;
    for (int64_t j = 0; j < kWidth; ++j) {
      for (int64_t t = 0; t < tokens_; ++t) transposed.push_back(t * kWidth + j);
    }
    Value* turned = copy("/turn", {z}, {kWidth, tokens_}, transposed);
    for (int64_t t = 0; t < tokens_; ++t) {
      for (int64_t j = 0; j < kWidth; ++j) {
        joined.push_back(j == 0   ? kWidth * tokens_ + t
                         : j == 1 ? 5
                                  : (kWidth - 1 - j) * tokens_ + t);
      }
    }
    locate("/constant");
    return copy("/join", {turned, weights({tokens_}, kExponent, 500)}, {tokens_, kWidth}, joined);
  }

  Value* gate(Value* g, Value* up) {
    constexpr int kShift = 16;
    locate("/gate");
    return b_.value("integer.multiply", {g, up},
                    Type::fixed(g->type().shape, g->type().exponent + up->type().exponent - kShift,
                                -2048, 2047),
                    Attributes{{"shift", int64_t{kShift}}, {"bits", int64_t{12}}});
  }

  int64_t random(int64_t limit) {
    seed_ = seed_ * 1103515245u + 12345u;
    return static_cast<int64_t>((seed_ >> 8) % (2 * limit + 1)) - limit;
  }

  // Small rows, rows at which a shift begins, and large ones, by turns.
  Value* rowsOfAnySize() {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < kToyVocabulary; ++i) {
      constexpr int64_t kLimits[] = {1000, 1 << 15, 1 << 19, 1 << 22};
      for (int64_t j = 0; j < kWidth; ++j) values.push_back(random(kLimits[i % 4]));
    }
    const auto& c =
        module_.constants().addOwned<int64_t>("w", {kToyVocabulary, kWidth}, std::move(values));
    return b_.value("integer.constant", {},
                    Type::fixed({kToyVocabulary, kWidth}, kExponent, -(1 << 22), 1 << 22),
                    {{"value", Symbol{c.name}}});
  }

  // The branch, rounded, and the stream: exact, with a column whose unit is larger.
  Value* wideSum(const char* node, Value* acc, Value* x) {
    Value* branch = requantize("/branch", acc, 16, nullptr, acc->type().exponent - kExponent);
    auto constant = [&](const char* name, std::vector<int64_t> shape, int exponent,
                        std::vector<int64_t> values) {
      const auto [low, high] = std::minmax_element(values.begin(), values.end());
      const Type type = Type::fixed(shape, exponent, *low, *high);
      const auto& c = module_.constants().addOwned<int64_t>(name, shape, std::move(values));
      return b_.value("integer.constant", {}, type, {{"value", Symbol{c.name}}});
    };
    const int64_t reach = std::max(-x->type().low, x->type().high) + (int64_t{4} << 15);
    locate(node);
    return b_.value("integer.affine",
                    {x, constant("one", {1}, 0, {1}), constant("zero", {1}, kExponent, {0}), branch,
                     constant("units", {kWidth}, 0, {1, 1, 4, 1, 1, 1, 1, 1})},
                    Type::fixed(x->type().shape, kExponent, -reach, reach),
                    Attributes{{"shift", int64_t{0}}, {"bits", int64_t{24}}});
  }

  // `twice`: each column stands there twice, side by side.
  Value* weights(std::vector<int64_t> shape, int exponent, int64_t limit, bool twice = false) {
    std::vector<int64_t> values(Type::fixed(shape, 0, 0, 0).elements());
    for (int64_t& v : values) v = random(limit);
    if (twice) {
      int64_t columns = shape.back();
      for (size_t i = 0; i < values.size(); ++i) {
        int64_t column = static_cast<int64_t>(i) % columns;
        if (column % 2 == 1) values[i] = values[i - 1];
      }
    }
    const auto& c = module_.constants().addOwned<int64_t>("w", shape, std::move(values));
    return b_.value("integer.constant", {}, Type::fixed(shape, exponent, -limit, limit),
                    {{"value", Symbol{c.name}}});
  }

  Value* table(const char* name, std::vector<int64_t> shape, int exponent,
               std::vector<int32_t> values) {
    auto [low, high] = std::minmax_element(values.begin(), values.end());
    Type type = Type::fixed(shape, exponent, *low, *high);
    const auto& c = module_.constants().addOwned<int32_t>(name, shape, std::move(values));
    return b_.value("integer.constant", {}, type, {{"value", Symbol{c.name}}});
  }

  absl::Status makeTables() {
    square_shift_ = passes::squareShift(kWidth);
    auto root = passes::reciprocalRootTable(kWidth, square_shift_, kExponent, 12,
                                            options_.wide ? 7 : 5, options_.wide);
    if (!root.ok()) return root.status();
    root_ = table("root", {65536, 2}, 0, root->entries);
    const int bits = options_.gated ? 16 : 12, exponent = options_.gated ? 8 : 5;
    auto gelu =
        passes::functionTable(*ir::tensor::Expression::parse("gelu(x)"), 12, 5, bits, exponent);
    if (!gelu.ok()) return gelu.status();
    gelu_ = table("gelu", {4096}, exponent, gelu->entries);  // all keys
    return absl::OkStatus();
  }

  Value* norm(const char* node, Value* x) {
    locate(node);
    Attributes attributes{{"square_shift", int64_t{square_shift_}},
                          {"epsilon", int64_t{options_.wide ? 5000 : 1}},
                          {"output_bits", int64_t{12}},
                          {"max_exponent", int64_t{options_.wide ? 7 : 5}},
                          {"has_mean", layer_ == 0}};
    if (options_.wide) attributes.push_back({"row_shift", int64_t{9}});
    return b_.value("integer.layernorm", {x, root_},
                    Type::fixed({tokens_, kWidth}, kExponent, -2048, 2047), attributes);
  }

  Value* linear(const char* node, Value* x, int64_t columns, bool bias, int64_t limit = kWeight,
                bool twice = false) {
    locate(node);
    const Type& type = x->type();
    int64_t rows = type.shape[0], inner = type.shape[1];
    int exponent = type.exponent + kWeightExponent;
    int64_t bound = inner * limit * std::max(-type.low, type.high) + (bias ? kBias : 0);
    std::vector<Value*> operands{x, weights({inner, columns}, kWeightExponent, limit, twice)};
    if (bias) operands.push_back(weights({columns}, exponent, kBias));
    return b_.value("integer.linear", operands,
                    Type::fixed({rows, columns}, exponent, -bound, bound));
  }

  // To 12 bits; or, with an addend, to the residual stream.
  Value* requantize(const char* node, Value* acc, int bits, Value* addend = nullptr,
                    int shift = 10) {
    if (addend && options_.wide) return wideSum(node, acc, addend);
    locate(node);
    std::vector<Value*> operands{acc};
    if (addend) shift = acc->type().exponent - kExponent;
    if (addend) operands.push_back(addend);
    int64_t half = int64_t{1} << (bits - 1);
    Value* q =
        b_.value("integer.requantize", operands,
                 Type::fixed(acc->type().shape, acc->type().exponent - shift, -half, half - 1),
                 Attributes{{"shift", int64_t{shift}}, {"bits", int64_t{bits}}});
    if (addend) q->definingOp()->set("addend_shift", int64_t{shift});
    return q;
  }

  // Columns of one product (first block), or a product each (second block), where LayerNorm's
  // output fans out.
  std::vector<Value*> queryKeyValue(Value* z) {
    static constexpr const char* kNodes[] = {"/q", "/k", "/v"};
    std::vector<Value*> parts;
    Value* qkv = layer_ == 0 ? linear("/qkv", z, 3 * kWidth, true) : nullptr;
    for (int64_t i = 0; i < 3; ++i) {
      Value* part = nullptr;
      if (qkv) {
        locate("/split");
        const Type& t = qkv->type();
        part = b_.value("integer.slice", {qkv},
                        Type::fixed({tokens_, kWidth}, t.exponent, t.low, t.high),
                        Attributes{{"start", i * kWidth}, {"size", kWidth}});
      } else {
        part = linear(kNodes[i], z, kWidth, true);
      }
      parts.push_back(requantize(kNodes[i], part, 12));
    }
    return parts;
  }

  absl::StatusOr<Value*> attention(Value* x) {
    std::vector<Value*> parts =
        queryKeyValue(norm("/ln1", options_.copied ? rotate("/shift", x) : x));
    Value *q = parts[0], *k = parts[1], *v = parts[2];
    locate("/attn/MatMul");
    int exponent = q->type().exponent + k->type().exponent;
    int64_t bound = kWidth / kHeads * 2048 * 2048;
    std::vector<int64_t> square{kHeads, tokens_, tokens_};
    Value* scores = b_.value("integer.scores", {q, k}, Type::fixed(square, exponent, -bound, bound),
                             Attributes{{"heads", kHeads}});
    absl::StatusOr<Value*> p = softmax(scores, exponent, bound);
    if (!p.ok()) return p.status();
    locate("/attn/MatMul_1");
    int64_t mixed = int64_t{2048} << 16;
    Value* acc = b_.value("integer.mix", {*p, v},
                          Type::fixed({tokens_, kWidth}, 16 + v->type().exponent, -mixed, mixed),
                          Attributes{{"heads", kHeads}});
    return requantize("/attn/o", acc, 12, nullptr, 16);
  }

  absl::StatusOr<Value*> softmax(Value* scores, int exponent, int64_t bound) {
    auto t = passes::exponentialTable(exponent, passes::ScoreScale{0.5, kWidth / kHeads}, bound,
                                      tokens_, 16);
    if (!t.ok()) return t.status();
    int64_t live = t->exp.size();
    Value* exp = table("exp", {live}, 16, t->exp);
    locate("/attn/Softmax");
    return b_.value("integer.softmax", {scores, exp},
                    Type::fixed(scores->type().shape, 16, 0, 65536),
                    Attributes{{"score_shift", int64_t{t->score_shift}},
                               {"probability_bits", int64_t{16}},
                               {"causal", options_.causal},
                               {"live_rows", live},
                               {"dead_width", int64_t{t->dead_width}},
                               {"dead_rows", t->dead_rows},
                               {"normalizer_low", t->normalizer_low},
                               {"normalizer_bits", int64_t{t->normalizer_bits}},
                               {"exp_at_minus_one", t->exp_at_minus_one}});
  }

  // The last two positions, or all.
  void finish(Value* z) {
    if (!options_.decode) {
      b_.setLocation({"/select"});
      const Type& t = z->type();
      z = b_.value("integer.select_rows", {z}, Type::fixed({2, kWidth}, t.exponent, t.low, t.high),
                   Attributes{{"rows", std::vector<int64_t>{2, 3}}});
    }
    layer_ = 0;
    Value* logits = linear("/head", z, kToyVocabulary, false, kWeight, options_.ties);
    std::vector<std::string> names{"logits"};
    if (!options_.logits) {
      locate("/argmax");
      logits =
          b_.value("integer.argmax", {logits}, Type::tensor(Element::kInt, {z->type().shape[0]}));
      names = {"next"};
    }
    b_.create("integer.return", {logits}, {}, {{"names", names}});
  }

  ir::Module& module_;
  ToyOptions options_;
  int64_t tokens_;
  int layer_ = 0;
  ir::Function* function_;
  ir::Builder b_;
  uint32_t seed_ = 1;
  int square_shift_ = 0;
  Value* root_ = nullptr;
  Value* gelu_ = nullptr;
};

}  // namespace

absl::Status makeToyGpt(ir::Module& module, const ToyOptions& options) {
  return ToyGpt(module, options).build();
}

}  // namespace lindero::test
