#include "tests/soundness/general_program.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"
#include "passes/quantize/tables.h"

namespace lindero::test {
namespace {

using ir::Element;
using ir::Symbol;
using ir::Type;
using ir::Value;
using Attributes = std::vector<std::pair<llvm::StringRef, ir::Attribute>>;
using Shape = std::vector<int64_t>;

constexpr int64_t kModulus = (int64_t{1} << 31) - 1;

int64_t magnitude(const Value* v) { return std::max(-v->type().low, v->type().high); }
Shape shapeOf(const Value* v) { return {v->type().shape.begin(), v->type().shape.end()}; }

class GeneralProgram {
 public:
  GeneralProgram(ir::Module& module, uint32_t seed)
      : module_(module), function_(module.addFunction("main")), b_(&function_->body()) {
    state_ = seed * 2654435761u + 1;
  }

  void inputs(const Shape& a, const Shape& b) {
    values_ = {argument("a", a, 2000, 8), argument("b", b, 500, 4)};
  }

  // Every op once, and the ways in which a value can be read.
  void all(const Shape& of_a, const Shape& of_b) {
    inputs(of_a, of_b);
    Value *a = values_[0], *b = values_[1];
    Value* acc = linear(a, 6);                      // published, rounded, and a factor
    Value* r = requantize(acc, nullptr, 12);        // [2, 4, 6]
    Value* by_row = affine(r, nullptr, 0);          // constants of each element
    Value* by_column = affine(by_row, nullptr, 1);  // of the last axis
    Value* sum = affine(by_column, r, 2);           // one number
    lookup(affine(sum, nullptr, 2, /*exact=*/true));
    lookup(affine(sum, by_row, 0));
    Value* z = layernorm(requantize(linear(sum, 8), nullptr, 12));
    multiply(z, a);
    softmax(requantize(sum, nullptr, 12));  // [2, 4, 6], keys != queries
    linear(linear(b, 6), 4);                // of an accumulator
    Value* weights = requantize(softmax(scores(b, b, 2)), nullptr, 8);
    Value* mixed = mix(weights, b);  // [4, 6]
    Value* narrow = requantize(mixed, nullptr, 12);
    multiply(requantize(mixed, b, 12), narrow);
    Value* both = scores(b, b, 2);  // [2, 4, 4], stored, for it has two readers
    requantize(both, nullptr, 12);
    softmax(both);
    argmax(z), argmax(linear(z, 5)), argmax(acc);
    for (uint32_t form : {0, 1}) {
      for (Value* y : {static_cast<Value*>(nullptr), by_row})
        roomy(affine(sum, y, form, false, 16));
    }
    Value* row = requantize(linear(affine(this->row(b), nullptr, 1), 3), nullptr, 12);
    roomy(divide(a, positive(z))), divide(b, positive(b, -1));
    outputs_.insert(outputs_.end(), {acc, b, row});
  }

  // The same, softmaxes that others read, and a product of what the verifier gives.
  void padded() {
    all({7, 8}, {5, 6});
    Value* b = values_[1];
    mix(softmax(scores(b, b, 2)), b);
    // One that is published has full rows.
    Value* stored = scores(b, argument("e", {7, 6}, 500, 4), 2);
    requantize(stored, nullptr, 12);
    requantize(softmax(stored), nullptr, 8);
    linear(argument("d", {5, 6}, 500, 4), 3);
  }

  void longRows() {
    constexpr int64_t kWidth = 128;
    Value* x = argument("x", {2, kWidth}, 1 << 24, 8);
    const int square = passes::squareShift(kWidth);
    auto root = passes::reciprocalRootTable(kWidth, square, 8, 13, 7, /*halves=*/true);
    if (!root.ok()) return;
    make("integer.layernorm", {x, table({65536, 2}, 0, root->entries)},
         Type::fixed({2, kWidth}, 8, -4096, 4095),
         {{"square_shift", int64_t{square}},
          {"epsilon", int64_t{1}},
          {"output_bits", int64_t{13}},
          {"max_exponent", int64_t{7}},
          {"has_mean", true},
          {"row_shift", int64_t{10}}});
  }

  void wideSums() {
    inputs({5, 8}, {5, 6});
    Value* x = requantize(linear(values_[0], 6), nullptr, 12);
    outputs_.push_back(wideSum(wideSum(x, nullptr), values_[1]));
  }

  void random(int ops) {
    inputs(shape(), shape());
    const std::vector<std::function<Value*()>> kinds{
        [&] { return linear(x_, pick({3, 4, 8})); },
        [&] { return requantize(x_, y_, pick({8, 12, 16})); },
        [&] { return lookup(x_); },
        [&] { return multiply(x_, partner()); },
        [&] { return divide(x_, positive(partner())); },
        [&] { return affine(x_, y_, draw(3), draw(4) == 0); },
        [&] { return layernorm(x_); },
        [&] { return softmax(x_); },
        [&] { return attend(x_); },
        [&] { return argmax(x_); },
    };
    for (int i = 0; i < ops; ++i) {
      x_ = values_[draw(values_.size())];
      y_ = draw(2) ? partner() : nullptr;
      kinds[draw(kinds.size())]();
    }
    for (size_t i = 0; i < 2; ++i) outputs_.push_back(values_[draw(values_.size())]);
  }

  // What nothing reads is an output, too.
  void finish() {
    for (Value* v : values_) {
      if (v->users().empty()) outputs_.push_back(v);
    }
    std::vector<Value*> outputs;
    for (Value* v : outputs_) {
      if (v && !llvm::is_contained(outputs, v)) outputs.push_back(v);
    }
    std::vector<std::string> names;
    for (size_t i = 0; i < outputs.size(); ++i) names.push_back(absl::StrCat("y", i));
    b_.setLocation({"/return"});
    b_.create("integer.return", outputs, {}, {{"names", names}});
  }

 private:
  uint32_t draw(uint32_t below) {
    state_ = state_ * 1103515245u + 12345u;
    return (state_ >> 8) % below;
  }
  int64_t pick(std::vector<int64_t> of) { return of[draw(of.size())]; }
  int64_t between(int64_t limit) { return static_cast<int64_t>(draw(2 * limit + 1)) - limit; }
  Shape shape() {
    Shape s(1 + draw(4));
    for (int64_t& extent : s) extent = pick({1, 2, 3, 4, 6});
    s.back() = pick({4, 6, 8});
    return s;
  }
  // One of the shape of x; x itself is one.
  Value* partner() {
    std::vector<Value*> fit;
    for (Value* v : values_) {
      if (v->type().shape == x_->type().shape) fit.push_back(v);
    }
    return fit[draw(fit.size())];
  }

  Value* argument(const char* name, const Shape& shape, int64_t bound, int exponent) {
    return function_->body().addArgument(Type::fixed(shape, exponent, -bound, bound), name);
  }

  Value* constant(const Shape& shape, int exponent, int64_t low, int64_t high) {
    std::vector<int64_t> elements(Type::fixed(shape, 0, 0, 0).elements());
    for (int64_t& e : elements) e = low + draw(high - low + 1);
    const auto& c = module_.constants().addOwned<int64_t>("c", shape, std::move(elements));
    return b_.value("integer.constant", {}, Type::fixed(shape, exponent, low, high),
                    {{"value", Symbol{c.name}}});
  }

  Value* table(const Shape& shape, int exponent, const std::vector<int32_t>& elements) {
    auto [low, high] = std::minmax_element(elements.begin(), elements.end());
    const Type type = Type::fixed(shape, exponent, *low, *high);
    const auto& c = module_.constants().addOwned<int32_t>("t", shape, elements);
    return b_.value("integer.constant", {}, type, {{"value", Symbol{c.name}}});
  }

  Value* make(const char* op, std::vector<Value*> operands, Type type, Attributes attributes) {
    b_.setLocation({absl::StrCat("/", op + 8, ".", count_++)});
    Value* v = b_.value(op, operands, type, attributes);
    if (type.element == Element::kFixed) values_.push_back(v);
    return v;
  }

  Value* linear(Value* x, int64_t out) {
    constexpr int64_t kWeight = 60, kBias = 1000;
    const Type& t = x->type();
    Shape shape = shapeOf(x);
    const int64_t inner = shape.back();
    const int64_t bound = inner * kWeight * magnitude(x) + kBias;
    if (bound >= int64_t{1} << 30) return nullptr;
    shape.back() = out;
    const int exponent = t.exponent + 6;
    return make(
        "integer.linear",
        {x, constant({inner, out}, 6, -kWeight, kWeight), constant({out}, exponent, -kBias, kBias)},
        Type::fixed(shape, exponent, -bound, bound), {});
  }

  // The least shift, `least` or more, with which what is at most `bound` has `bits` bits; or -1.
  int64_t shiftFor(int64_t bound, int64_t bits, int64_t least) {
    for (int64_t s = least; s <= 16; ++s) {
      const int64_t half = (int64_t{1} << s) >> 1;
      if ((int64_t{1} << (bits - 1 + s)) + half + bound >= kModulus) return -1;
      if ((bound + half) >> s < int64_t{1} << (bits - 1)) return s;
    }
    return -1;
  }

  Type signedType(const Value* like, int64_t exponent, int64_t bits) {
    const int64_t half = int64_t{1} << (bits - 1);
    return Type::fixed(shapeOf(like), static_cast<int>(exponent), -half, half - 1);
  }

  Value* requantize(Value* acc, Value* addend, int64_t bits) {
    if (!acc || shapeOf(acc) != shapeOf(addend ? addend : acc)) return nullptr;
    int64_t bound = magnitude(acc);
    const int64_t lift = addend ? acc->type().exponent - addend->type().exponent : 0;
    if (lift < 0 || lift > 12) return nullptr;
    if (addend) bound += magnitude(addend) << lift;
    const int64_t shift = shiftFor(bound, bits, 1);
    if (shift < 0) return nullptr;
    std::vector<Value*> operands{acc};
    if (addend) operands.push_back(addend);
    Value* q =
        make("integer.requantize", operands, signedType(acc, acc->type().exponent - shift, bits),
             {{"shift", shift}, {"bits", bits}});
    if (addend) q->definingOp()->set("addend_shift", lift);
    return q;
  }

  Value* lookup(Value* acc) {
    constexpr int64_t kBits = 8;
    if (!acc) return nullptr;
    const int64_t shift = shiftFor(magnitude(acc), kBits, 1);
    if (shift < 0) return nullptr;
    std::vector<int32_t> elements(1 << kBits);
    for (int32_t& e : elements) e = static_cast<int32_t>(between(900));
    Value* f = table({1 << kBits}, 5, elements);
    return make("integer.lookup", {acc, f},
                Type::fixed(shapeOf(acc), 5, f->type().low, f->type().high),
                {{"shift", shift}, {"bits", kBits}, {"function", std::string("anything")}});
  }

  Value* multiply(Value* a, Value* b) {
    if (!a || !b || magnitude(a) > 40000 || magnitude(b) > 40000) return nullptr;
    const int64_t shift = shiftFor(magnitude(a) * magnitude(b), 14, 1);
    if (shift < 0) return nullptr;
    return make("integer.multiply", {a, b},
                signedType(a, a->type().exponent + b->type().exponent - shift, 14),
                {{"shift", shift}, {"bits", int64_t{14}}});
  }

  // A value of one sign, so that it divides.
  Value* positive(Value* x, int64_t sign = 1) {
    if (!x) return nullptr;
    constexpr int64_t kBits = 8, kKeys = 1 << kBits;
    const int64_t shift = shiftFor(magnitude(x), kBits, 1);
    if (shift < 0) return nullptr;
    std::vector<int32_t> elements(kKeys);
    for (int32_t& e : elements) e = static_cast<int32_t>(sign * (1000 + draw(9000)));
    Value* f = table({kKeys}, 9, elements);
    return make("integer.lookup", {x, f}, Type::fixed(shapeOf(x), 9, f->type().low, f->type().high),
                {{"shift", shift}, {"bits", kBits}, {"function", std::string("anything")}});
  }

  Value* divide(Value* a, Value* b) {
    if (!a || !b || magnitude(a) > 900000 || shapeOf(a) != shapeOf(b)) return nullptr;
    // Below 900000 2^s / 1000.
    constexpr int64_t kBits = 14, kShift = 3;
    return make("integer.divide", {a, b},
                signedType(a, a->type().exponent - b->type().exponent + kShift, kBits),
                {{"shift", kShift}, {"bits", kBits}});
  }

  // Constants of each element, of the last axis, or one number: `form` is that of the first one.
  Value* spread(const Value* like, uint32_t form, int exponent, int64_t bound) {
    Shape shape = shapeOf(like);
    if (form == 1) shape = {shape.back()};
    if (form == 2) shape = {1};
    return constant(shape, exponent, -bound, bound);
  }

  // What follows has room for values far beyond the range of x, as they are before they are
  // refused.
  Value* roomy(Value* x) {
    Value* acc = linear(x, 2);
    const int64_t shift = shiftFor(64 * magnitude(acc), 16, 1);
    return make("integer.requantize", {acc}, signedType(acc, acc->type().exponent - shift, 16),
                {{"shift", shift}, {"bits", int64_t{16}}});
  }

  // `given`: the shift, with 12 bits; else the least one with 16.
  Value* affine(Value* x, Value* y, uint32_t form, bool exact = false, int64_t given = 0) {
    if (!x) return nullptr;
    constexpr int64_t kAdded = 3000;
    const int64_t bits = given ? 12 : 16, factor = exact ? 3 : given ? 1500 : 50;
    if (magnitude(x) > 1 << 24 || (y && magnitude(y) > 1 << 24)) return nullptr;
    const int exponent = x->type().exponent + 4;
    int64_t bound = magnitude(x) * factor + kAdded;
    if (y) bound += magnitude(y) * factor;
    const int64_t shift = given ? given : shiftFor(bound, bits, exact ? 0 : 1);
    if (shift < 0 || (exact && shift > 0)) return nullptr;
    std::vector<Value*> operands{x, spread(x, form, 4, factor),
                                 spread(x, draw(2) ? form : 2, exponent, kAdded)};
    if (y) {
      operands.push_back(y);
      operands.push_back(spread(x, draw(2) ? form : 1, exponent - y->type().exponent, factor));
    }
    return make("integer.affine", operands, signedType(x, exponent - shift, bits),
                {{"shift", shift}, {"bits", bits}});
  }

  // x m + c + y n, of more than 16 bits.
  Value* wideSum(Value* x, Value* y) {
    constexpr int64_t kFactor = 40, kAdded = 3000;
    const int exponent = x->type().exponent + 4;
    std::vector<Value*> operands{x, spread(x, 1, 4, kFactor), spread(x, 1, exponent, kAdded)};
    int64_t bound = magnitude(x) * kFactor + kAdded, bits = 17;
    if (y) {
      operands.insert(operands.end(), {y, spread(x, 2, exponent - y->type().exponent, kFactor)});
      bound += magnitude(y) * kFactor;
    }
    while (bound >= int64_t{1} << (bits - 1)) ++bits;
    return make("integer.affine", operands, Type::fixed(shapeOf(x), exponent, -bound, bound),
                {{"shift", int64_t{0}}, {"bits", bits}});
  }

  Value* layernorm(Value* x) {
    if (!x || magnitude(x) > 4096 || x->type().shape.back() < 2) return nullptr;
    const int64_t width = x->type().shape.back();
    const int square = passes::squareShift(width);
    auto root = passes::reciprocalRootTable(width, square, 8, 12, 5);
    if (!root.ok()) return nullptr;
    return make("integer.layernorm", {x, table({65536, 2}, 0, root->entries)},
                Type::fixed(shapeOf(x), 8, -2048, 2047),
                {{"square_shift", int64_t{square}},
                 {"epsilon", int64_t{1}},
                 {"output_bits", int64_t{12}},
                 {"max_exponent", int64_t{5}},
                 {"has_mean", draw(2) == 0}});
  }

  Value* softmax(Value* s) {
    if (!s || magnitude(s) >= int64_t{1} << 29) return nullptr;
    // The range of scores is 64 nats on either side, whatever it is.
    const double scale = 64 * std::ldexp(1.0, s->type().exponent) / magnitude(s);
    auto t = passes::exponentialTable(s->type().exponent, {scale}, magnitude(s),
                                      s->type().shape.back(), 16);
    if (!t.ok()) return nullptr;
    const int64_t live = static_cast<int64_t>(t->exp.size());
    return make("integer.softmax", {s, table({live}, 16, t->exp)},
                Type::fixed(shapeOf(s), 16, 0, 65536),
                {{"score_shift", int64_t{t->score_shift}},
                 {"probability_bits", int64_t{16}},
                 {"causal", false},
                 {"live_rows", live},
                 {"dead_width", int64_t{t->dead_width}},
                 {"dead_rows", t->dead_rows},
                 {"normalizer_low", t->normalizer_low},
                 {"normalizer_bits", int64_t{t->normalizer_bits}},
                 {"exp_at_minus_one", t->exp_at_minus_one}});
  }

  Value* scores(Value* q, Value* k, int64_t heads) {
    const Shape left = shapeOf(q), right = shapeOf(k);
    if (magnitude(q) > 40000 || magnitude(k) > 40000) return nullptr;
    const int64_t bound = left[1] / heads * magnitude(q) * magnitude(k);
    if (bound >= int64_t{1} << 30) return nullptr;
    return make("integer.scores", {q, k},
                Type::fixed({heads, left[0], right[0]}, q->type().exponent + k->type().exponent,
                            -bound, bound),
                {{"heads", heads}});
  }

  Value* mix(Value* p, Value* v) {
    if (!p || magnitude(p) > 70000 || magnitude(v) > 40000) return nullptr;
    const Shape weights = shapeOf(p), columns = shapeOf(v);
    const bool softmax = p->definingOp() && p->definingOp()->is("integer.softmax");
    const int64_t bound = softmax ? magnitude(v) << 16 : columns[0] * magnitude(p) * magnitude(v);
    if (bound >= int64_t{1} << 30) return nullptr;
    return make("integer.mix", {p, v},
                Type::fixed({weights[1], columns[1]}, p->type().exponent + v->type().exponent,
                            -bound, bound),
                {{"heads", weights[0]}});
  }

  // Scores of a matrix and itself, and something done to them before they mix it.
  Value* attend(Value* x) {
    if (x->type().shape.size() != 2) return nullptr;
    const int64_t heads = x->type().shape.back() % 2 == 0 ? pick({1, 2}) : 1;
    Value* p = scores(x, x, heads);
    if (!p) return nullptr;
    if (draw(2)) p = requantize(p, nullptr, 12);
    if (p && draw(2)) p = softmax(p);
    if (p && draw(2)) p = requantize(p, nullptr, 8);
    return mix(p, x);
  }

  Value* argmax(Value* x) {
    if (!x || magnitude(x) >= int64_t{1} << 29 || x->type().shape.back() < 2) return nullptr;
    Shape rows = shapeOf(x);
    rows.pop_back();
    for (const ir::Op* reader : x->users()) {
      if (reader->is("integer.argmax")) return nullptr;
    }
    Value* ids = make("integer.argmax", {x}, Type::tensor(Element::kInt, rows), {});
    outputs_.push_back(ids);
    return ids;
  }

  // A value of rank 1: what mixes the rows of another one is not at hand, so an input is.
  Value* row(const Value* like) { return argument("c", {like->type().shape.back()}, 500, 4); }

  ir::Module& module_;
  ir::Function* function_;
  ir::Builder b_;
  uint32_t state_;
  int count_ = 0;
  Value *x_ = nullptr, *y_ = nullptr;  // operands of the op to be made
  std::vector<Value*> values_, outputs_;
};

}  // namespace

absl::Status makeGeneralProgram(ir::Module& module, uint32_t seed, int ops) {
  GeneralProgram program(module, seed);
  if (seed == 0) {
    program.all({2, 4, 8}, {4, 6});
  } else if (seed == kPaddedProgram) {
    program.padded();
  } else if (seed == kLongRowsProgram) {
    program.longRows();
  } else if (seed == kWideSumsProgram) {
    program.wideSums();
  } else {
    program.random(ops);
  }
  program.finish();
  return absl::OkStatus();
}

}  // namespace lindero::test
