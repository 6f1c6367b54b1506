// A small GPT in canonical form with random weights, for tests.
#pragma once

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "ir/core/ir.h"
#include "ir/dialects.h"

namespace lindero::passes {

struct TestGpt {
  int64_t tokens = 12, width = 32, heads = 4, vocabulary = 23, layers = 2;
  std::string activation = "gelu";
  // One residual channel holds so much at every token; the gammas of the others make up for it.
  double massive = 0;
  double massive_word = 0;  // instead: one channel of the first two words
  // With massive_word and post_norm: of that channel in the first norm; no linear reads it.
  double massive_gamma = 0;
  double tables = 1;  // the embeddings are so large
  double epsilon = 1e-5;
  bool rms = false;
  double masked = 0;       // what masks masked scores; 0: -inf
  bool post_norm = false;  // as BERT: LayerNorm after each residual sum, and not causal
  bool gated = false;      // V and the MLP are multiplied by linears

  std::unique_ptr<ir::Module> build() const;
};

namespace testing_internal {

class GptBuilder {
 public:
  explicit GptBuilder(const TestGpt& shape)
      : gpt_(shape),
        module_(std::make_unique<ir::Module>()),
        function_(module_->addFunction("main")),
        builder_(&function_->body()) {}

  std::unique_ptr<ir::Module> build() {
    ir::Value* ids =
        function_->body().addArgument(ir::Type::tensor(ir::Element::kInt, {gpt_.tokens}), "ids");
    std::vector<float> words = values(gpt_.vocabulary * gpt_.width, 0.5 * gpt_.tables);
    if (gpt_.massive_word > 0)
      words[3] = words[gpt_.width + 3] = static_cast<float>(gpt_.massive_word);
    for (int64_t word = 2; gpt_.massive_gamma > 0 && word < gpt_.vocabulary; ++word)
      words[word * gpt_.width + 3] = 0;
    ir::Value* table = constant("wte", {gpt_.vocabulary, gpt_.width}, words);
    std::vector<float> positions = values(gpt_.tokens * gpt_.width, 0.2 * gpt_.tables);
    for (int64_t t = 0; gpt_.massive_gamma > 0 && t < gpt_.tokens; ++t)
      positions[t * gpt_.width + 3] = 0;
    if (gpt_.massive > 0) {
      for (int64_t t = 0; t < gpt_.tokens; ++t)
        positions[t * gpt_.width + 5] = static_cast<float>(gpt_.massive);
    }
    ir::Value* x =
        op("/wte/Gather", "tensor.embedding",
           {ids, table, constant("wpe", {gpt_.tokens, gpt_.width}, positions)}, gpt_.width);
    if (gpt_.post_norm) x = norm("/ln_0", x);
    for (int64_t layer = 0; layer < gpt_.layers; ++layer)
      x = block("/h." + std::to_string(layer), x);
    if (!gpt_.post_norm) x = norm("/ln_f", x);
    ir::Value* logits = linear("/head", x, gpt_.width, gpt_.vocabulary, 3.0, false);
    builder_.create("tensor.return", {logits}, {}, {{"names", std::vector<std::string>{"logits"}}});
    return std::move(module_);
  }

 private:
  std::vector<float> values(int64_t count, double deviation, double mean = 0) {
    std::normal_distribution<double> normal(mean, deviation);
    std::vector<float> out;
    for (int64_t i = 0; i < count; ++i) out.push_back(static_cast<float>(normal(random_)));
    return out;
  }
  ir::Value* constant(const std::string& name, llvm::ArrayRef<int64_t> shape,
                      std::vector<float> values) {
    const ir::Constant& added = module_->constants().addOwned(name, shape, std::move(values));
    return builder_.value("tensor.constant", {}, ir::Type::tensor(ir::Element::kFloat, shape),
                          {{"value", ir::Symbol{added.name}}});
  }
  ir::Value* normal(const std::string& name, llvm::ArrayRef<int64_t> shape, double deviation,
                    double mean = 0) {
    int64_t count = 1;
    for (int64_t size : shape) count *= size;
    return constant(name, shape, values(count, deviation, mean));
  }
  ir::Value* op(const std::string& node, llvm::StringRef name, llvm::ArrayRef<ir::Value*> operands,
                int64_t columns, llvm::ArrayRef<ir::NamedAttribute> attributes = {}) {
    builder_.setLocation({node});
    return builder_.value(
        name, operands, ir::Type::tensor(ir::Element::kFloat, {gpt_.tokens, columns}), attributes);
  }
  ir::Value* norm(const std::string& node, ir::Value* x) {
    const double gain =
        std::sqrt(1 + gpt_.massive * gpt_.massive / static_cast<double>(gpt_.width));
    std::vector<float> gammas = values(gpt_.width, 0.1 * gain, gain);
    if (gpt_.massive_gamma > 0 && node == "/ln_0")
      gammas[3] = static_cast<float>(gpt_.massive_gamma);
    ir::Value* gamma = constant(node + ".gamma", {gpt_.width}, std::move(gammas));
    llvm::SmallVector<ir::NamedAttribute, 2> attributes = {{"epsilon", gpt_.epsilon}};
    if (gpt_.rms) attributes.push_back({"has_mean", false});
    return op(node, "tensor.layernorm", {x, gamma, normal(node + ".beta", {gpt_.width}, 0.1)},
              gpt_.width, attributes);
  }
  ir::Value* linear(const std::string& node, ir::Value* x, int64_t in, int64_t out, double gain,
                    bool bias = true) {
    std::vector<float> weights = values(in * out, gain / std::sqrt(static_cast<double>(in)));
    // Nobody reads or writes the massive channel.
    if (gpt_.massive > 0 && in == gpt_.width) std::fill_n(weights.begin() + 5 * out, out, 0.0f);
    if (gpt_.massive_gamma > 0 && in == gpt_.width)
      std::fill_n(weights.begin() + 3 * out, out, 0.0f);
    if (gpt_.massive > 0 && out == gpt_.width) {
      for (int64_t i = 0; i < in; ++i) weights[i * out + 5] = 0;
    }
    llvm::SmallVector<ir::Value*, 3> operands = {
        x, constant(node + ".w", {in, out}, std::move(weights))};
    if (bias) {
      std::vector<float> b = values(out, 0.1);
      operands.push_back(constant(node + ".b", {out}, std::move(b)));
    }
    return op(node, "tensor.linear", operands, out);
  }
  ir::Value* attention(const std::string& node, ir::Value* x) {
    ir::Value* qkv = linear(node + "/qkv", x, gpt_.width, 3 * gpt_.width, 1.2);
    llvm::SmallVector<ir::Value*, 3> parts;
    for (int64_t i = 0; i < 3; ++i) {
      parts.push_back(op(node + "/Split", "tensor.slice", {qkv}, gpt_.width,
                         {{"axis", int64_t{1}}, {"start", i * gpt_.width}, {"size", gpt_.width}}));
    }
    if (gpt_.gated) {
      ir::Value* gate = linear(node + "/gate", x, gpt_.width, gpt_.width, 1.0);
      parts[2] = op(node + "/Mul", "tensor.mul", {parts[2], gate}, gpt_.width);
    }
    const double scale = 1 / std::sqrt(static_cast<double>(gpt_.width / gpt_.heads));
    ir::Value* mixed = op(node + "/Softmax", "tensor.attention", parts, gpt_.width,
                          {{"heads", gpt_.heads}, {"scale", scale}, {"causal", !gpt_.post_norm}});
    if (gpt_.masked != 0) mixed->definingOp()->set("masked", gpt_.masked);
    return mixed;
  }
  ir::Value* block(const std::string& node, ir::Value* x) {
    ir::Value* in = gpt_.post_norm ? x : norm(node + "/ln_1", x);
    ir::Value* mixed =
        linear(node + "/proj", attention(node + "/attn", in), gpt_.width, gpt_.width, 0.5);
    x = op(node + "/Add", "tensor.add", {x, mixed}, gpt_.width);
    if (gpt_.post_norm) x = norm(node + "/ln_1", x);
    in = gpt_.post_norm ? x : norm(node + "/ln_2", x);
    ir::Value* hidden = linear(node + "/fc", in, gpt_.width, 4 * gpt_.width, 1.0);
    hidden = op(node + "/act", "tensor.activation", {hidden}, 4 * gpt_.width,
                {{"function", gpt_.activation + "(x)"}});
    if (gpt_.gated) {
      ir::Value* up = linear(node + "/up", in, gpt_.width, 4 * gpt_.width, 1.0);
      hidden = op(node + "/Mul", "tensor.mul", {hidden, up}, 4 * gpt_.width);
    }
    hidden = linear(node + "/out", hidden, 4 * gpt_.width, gpt_.width, 0.7);
    x = op(node + "/Add_1", "tensor.add", {x, hidden}, gpt_.width);
    return gpt_.post_norm ? norm(node + "/ln_2", x) : x;
  }

  const TestGpt& gpt_;
  std::mt19937 random_{7};
  std::unique_ptr<ir::Module> module_;
  ir::Function* function_;
  ir::Builder builder_;
};

}  // namespace testing_internal

inline std::unique_ptr<ir::Module> TestGpt::build() const {
  ir::registerAllDialects();
  return testing_internal::GptBuilder(*this).build();
}

}  // namespace lindero::passes
