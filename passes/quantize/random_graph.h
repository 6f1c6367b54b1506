// Random graphs of the general path, for tests: tensors of ranks 1 to 4, ops of many kinds in any
// order, two outputs. The same seed gives the same graph.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "ir/core/ir.h"
#include "ir/dialects.h"
#include "ir/tensor/infer.h"

namespace lindero::passes {

class RandomGraph {
 public:
  explicit RandomGraph(uint64_t seed) : random_(seed), module_(std::make_unique<ir::Module>()) {
    ir::registerAllDialects();
    function_ = module_->addFunction("main");
  }

  std::unique_ptr<ir::Module> build(int ops) {
    ir::Builder builder(&function_->body());
    for (const char* name : {"a", "b"}) {
      Shape shape(1 + below(4));
      for (int64_t& extent : shape) extent = 1 + below(5);
      shape.back() += 2;
      values_.push_back(
          function_->body().addArgument(ir::Type::tensor(ir::Element::kFloat, shape), name));
    }
    for (int i = 0; i < ops; ++i) {
      builder.setLocation({"/node" + std::to_string(i)});
      if (ir::Value* made = step(builder)) values_.push_back(made);
    }
    std::vector<ir::Value*> outputs = {values_.back()};
    if (values_.size() > 3) outputs.push_back(values_[values_.size() - 2]);
    std::vector<std::string> names = {"first", "second"};
    names.resize(outputs.size());
    builder.create("tensor.return", outputs, {}, {{"names", names}});
    return std::move(module_);
  }

 private:
  using Shape = std::vector<int64_t>;
  using Attributes = std::vector<ir::NamedAttribute>;

  int64_t below(int64_t count) { return static_cast<int64_t>(random_() % count); }
  double normal() { return std::normal_distribution<double>()(random_); }

  ir::Value* constant(ir::Builder& builder, Shape shape, double mean = 0) {
    std::vector<float> values(ir::Type::tensor(ir::Element::kFloat, shape).elements());
    for (float& value : values) value = static_cast<float>(mean + normal());
    const ir::Constant& added =
        module_->constants().addOwned("c" + std::to_string(constants_++), shape, std::move(values));
    return builder.value("tensor.constant", {}, ir::Type::tensor(ir::Element::kFloat, shape),
                         {{"value", ir::Symbol{added.name}}});
  }

  // Null where the op does not fit its operands.
  ir::Value* make(ir::Builder& builder, llvm::StringRef name, std::vector<ir::Value*> operands,
                  Attributes attributes = {}) {
    absl::StatusOr<ir::Value*> value = ir::tensor::create(builder, name, operands, attributes);
    return value.ok() && (*value)->type().elements() <= 4096 ? *value : nullptr;
  }

  ir::Value* step(ir::Builder& builder) {
    ir::Value* x = values_[values_.size() - 1 - below(std::min<int64_t>(values_.size(), 3))];
    const Shape shape(x->type().shape.begin(), x->type().shape.end());
    const auto rank = static_cast<int64_t>(shape.size());
    const int64_t axis = rank == 0 ? 0 : below(rank);
    switch (below(14)) {
      case 0: {
        Shape perm(rank);
        for (int64_t i = 0; i < rank; ++i) perm[i] = i;
        std::shuffle(perm.begin(), perm.end(), random_);
        return make(builder, "tensor.transpose", {x}, {{"perm", perm}});
      }
      case 1: {
        Shape to;
        for (int64_t rest = x->type().elements(); rest > 1 && to.size() < 4;) {
          int64_t factor = 2 + below(3);
          if (rest % factor != 0 || to.size() == 3) factor = rest;
          to.push_back(factor);
          rest /= factor;
        }
        if (to.empty()) to = {1};
        std::shuffle(to.begin(), to.end(), random_);
        return make(builder, "tensor.reshape", {x}, {{"shape", to}});
      }
      case 2: {
        if (rank == 0) return nullptr;
        const int64_t step = below(2) == 0 ? 1 : -1, size = 1 + below(shape[axis]);
        const int64_t start = step > 0 ? below(shape[axis] - size + 1) : size - 1;
        return make(builder, "tensor.slice", {x},
                    {{"axis", axis}, {"start", start}, {"size", size}, {"step", step}});
      }
      case 3:
        if (rank == 0) return nullptr;
        return make(builder, "tensor.concat", {x, below(2) == 0 ? x : constant(builder, shape)},
                    {{"axis", axis}});
      case 4: {
        if (rank > 3) return nullptr;
        Shape to = shape;
        to.insert(to.begin(), 1 + below(3));
        return make(builder, "tensor.expand", {x}, {{"shape", to}});
      }
      case 5:
        return make(builder, below(2) == 0 ? "tensor.add" : "tensor.sub",
                    {x, below(3) == 0 ? values_[below(values_.size())] : constant(builder, shape)});
      case 6:
        if (rank == 0) return nullptr;
        return make(builder, "tensor.mul", {x, constant(builder, {shape.back()})});
      case 7:
        return make(builder, "tensor.mul", {x, values_[below(values_.size())]});
      case 8:
        return make(builder, below(2) == 0 ? "tensor.neg" : "tensor.div",
                    below(2) == 0 ? std::vector{x} : std::vector{x, constant(builder, {1}, 3)});
      case 9: {
        static constexpr const char* kFunctions[] = {"relu(x)", "tanh(x)", "sigmoid(x)", "abs(x)"};
        return make(builder, "tensor.activation", {x},
                    {{"function", std::string(kFunctions[below(4)])}});
      }
      case 10: {
        if (rank < 1) return nullptr;
        const bool computed = below(2) == 0;
        return make(builder, "tensor.matmul",
                    {x, computed ? values_[below(values_.size())]
                                 : constant(builder, {shape.back(), 1 + below(4)})});
      }
      case 11:
        if (rank == 0) return nullptr;
        return make(builder, "tensor.softmax", {x}, {{"axis", axis}});
      case 12:
        if (rank == 0) return nullptr;
        return make(builder, below(2) == 0 ? "tensor.reduce_mean" : "tensor.reduce_sum", {x},
                    {{"axes", Shape{axis}}, {"keepdims", below(2) == 0}});
      default:
        if (rank == 0 || shape.back() < 4) return nullptr;
        return make(builder, "tensor.layernorm",
                    {x, constant(builder, {shape.back()}, 1), constant(builder, {shape.back()})},
                    {{"epsilon", 1e-2}});
    }
  }

  std::mt19937_64 random_;
  std::unique_ptr<ir::Module> module_;
  ir::Function* function_ = nullptr;
  std::vector<ir::Value*> values_;
  int constants_ = 0;
};

}  // namespace lindero::passes
