// Programs of copies by random maps, and those that tensor graphs are made of: the circuit's
// outputs are the interpreter's, the checker accepts the trace, and Stwo proves and verifies it.
#include <filesystem>
#include <random>

#include "compiler/emit/emit.h"
#include "gtest/gtest.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "ir/integer/interpreter.h"
#include "passes/lower_air/lower_sums/lower_sums.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/lower_air/verify_air/verify_air.h"
#include "passes/lower_air/verify_intervals/verify_intervals.h"
#include "runtime/check/checker.h"
#include "runtime/trace/generate_trace.h"
#include "tests/soundness/backend.h"

namespace lindero::test {
namespace {

using ir::Type;
using ir::Value;
using Shape = std::vector<int64_t>;

constexpr int64_t kLimit = 1000;

int64_t elements(const Shape& shape) { return Type::fixed(shape, 0, 0, 0).elements(); }

class Program {
 public:
  explicit Program(uint32_t seed) : random_(seed) { b_.setLocation({"/Copy"}); }

  int64_t draw(int64_t below) { return static_cast<int64_t>(random_() % below); }
  Value* input(const Shape& shape) {
    inputs.emplace_back().shape.assign(shape.begin(), shape.end());
    for (int64_t i = 0; i < elements(shape); ++i) {
      inputs.back().values.push_back(draw(2 * kLimit + 1) - kLimit);
    }
    return function_->body().addArgument(type(shape), "x" + std::to_string(inputs.size()));
  }
  Value* constant(const Shape& shape) {
    std::vector<int64_t> values(elements(shape));
    for (int64_t& v : values) v = draw(2 * kLimit + 1) - kLimit;
    const auto& c = module.constants().addOwned<int64_t>("c", shape, std::move(values));
    return b_.value("integer.constant", {}, type(shape), {{"value", ir::Symbol{c.name}}});
  }
  Value* copy(std::vector<Value*> xs, const Shape& shape, std::vector<int64_t> indices) {
    const auto& c = module.constants().addOwned<int64_t>("map", shape, std::move(indices));
    const Type& of = xs[0]->type();
    return b_.value("integer.copy", xs, Type::fixed(shape, of.exponent, of.low, of.high),
                    {{"indices", ir::Symbol{c.name}}});
  }
  // Blocks of `block` elements from anywhere.
  Value* scatter(std::vector<Value*> xs, const Shape& shape, int64_t block = 1) {
    int64_t given = 0;
    for (const Value* x : xs) given += x->type().elements();
    std::vector<int64_t> indices;
    for (int64_t i = 0; i < elements(shape) / block; ++i) {
      const int64_t first = draw(given / block) * block;
      for (int64_t j = 0; j < block; ++j) indices.push_back(first + j);
    }
    return copy(std::move(xs), shape, std::move(indices));
  }
  Value* product(Value* a, Value* b) {
    const int exponent = a->type().exponent + b->type().exponent - 10;
    return b_.value("integer.multiply", {a, b}, Type::fixed(a->type().shape, exponent, -2048, 2047),
                    std::vector<ir::NamedAttribute>{{"shift", int64_t{10}}, {"bits", int64_t{12}}});
  }
  void finish(std::vector<Value*> outputs) {
    std::vector<std::string> names;
    for (size_t i = 0; i < outputs.size(); ++i) names.push_back("y" + std::to_string(i));
    b_.create("integer.return", outputs, {}, {{"names", names}});
  }

  ir::Module module;
  std::vector<ir::integer::IntArray> inputs;

 private:
  static Type type(const Shape& shape) { return Type::fixed(shape, 4, -kLimit, kLimit); }
  std::mt19937 random_;
  ir::Function* function_ = module.addFunction("main");
  ir::Builder b_{&function_->body()};
};

Value* transpose(Program& p, Value* x) {
  const auto& s = x->type().shape;
  std::vector<int64_t> indices;
  for (int64_t j = 0; j < s[1]; ++j) {
    for (int64_t i = 0; i < s[0]; ++i) indices.push_back(i * s[1] + j);
  }
  return p.copy({x}, {s[1], s[0]}, indices);
}

struct Case {
  const char* name;
  std::function<void(Program&)> build;
  bool proven = false;
};

const Case kCases[] = {
    {"Transpose", [](Program& p) { p.finish({transpose(p, p.input({3, 5}))}); }},
    {"TransposeTwice", [](Program& p) { p.finish({transpose(p, transpose(p, p.input({8, 32})))}); },
     true},
    {"Constants",
     [](Program& p) { p.finish({p.scatter({p.constant({7}), p.constant({2, 3})}, {5, 5})}); }},
    {"Vectors", [](Program& p) { p.finish({p.scatter({p.input({7})}, {9})}); }},
    {"Scalar", [](Program& p) { p.finish({p.scatter({p.input({})}, {3, 3})}); }},
    {"ManyRanks",
     [](Program& p) {
       Value* a = p.scatter({p.input({2, 3, 2, 5}), p.input({13})}, {3, 1, 7});
       p.finish({p.scatter({a, p.constant({4})}, {2, 2, 3, 2}), a});
     },
     true},
    {"Blocks",
     [](Program& p) {
       Value* x = p.input({2, 8, 16});
       p.finish({p.scatter({x, p.constant({16})}, {4, 4, 16}, 16),
                 p.scatter({p.input({8, 8})}, {3, 4}, 4)});
     }},
    {"BetweenProducts",
     [](Program& p) {
       Value* a = p.scatter({p.input({4, 6}), p.constant({6})}, {4, 6});
       Value* b = p.product(a, p.scatter({p.input({3, 3})}, {4, 6}));
       p.finish({p.product(p.scatter({b}, {4, 6}), transpose(p, p.scatter({b}, {6, 4})))});
     },
     true},
};

class CopiedMapsTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    ir::registerAllDialects();
    std::string pattern =
        (std::filesystem::temp_directory_path() / "lindero_copies_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

absl::Status lower(ir::Module& module, int64_t lanes) {
  std::vector<std::unique_ptr<passes::Pass>> pipeline;
  pipeline.push_back(passes::createLowerToAir({.lanes = lanes}));
  pipeline.push_back(passes::createVerifyIntervals());
  pipeline.push_back(passes::createLowerSums());
  pipeline.push_back(passes::createVerifyAir());
  for (const auto& pass : pipeline) {
    if (absl::Status s = pass->run(module).status(); !s.ok()) return s;
  }
  return ir::verify(module);
}

Statement statementOf(const Circuit& circuit, const Program& program) {
  Statement statement;
  statement.set_format(1);
  for (const PublicTensor& tensor : circuit.publics()) {
    if (tensor.kind() != PublicTensor::INPUT) continue;
    PublicValues* values = statement.add_tensors();
    values->set_name(tensor.name());
    values->set_rows(tensor.rows());
    values->set_columns(tensor.columns());
    const size_t number = std::stoul(tensor.name().substr(1)) - 1;
    for (int64_t v : program.inputs[number].values) values->add_values(v);
  }
  return statement;
}

TEST_P(CopiedMapsTest, GiveWhatTheInterpreterSays) {
  for (int64_t lanes : {1, 4, 16}) {
    SCOPED_TRACE(lanes);
    Program program(static_cast<uint32_t>(lanes));
    GetParam().build(program);
    ASSERT_EQ(ir::verify(program.module), absl::OkStatus());
    auto expected =
        ir::integer::interpret(*program.module.findFunction("main"), program.inputs, nullptr);
    ASSERT_EQ(expected.status(), absl::OkStatus());
    ASSERT_EQ(lower(program.module, lanes), absl::OkStatus());
    const std::string path = folder_ + "/" + std::to_string(lanes) + ".lindero";
    ASSERT_EQ(compiler::emitPackage(program.module, path), absl::OkStatus());
    auto package = runtime::Package::open(path);
    ASSERT_EQ(package.status(), absl::OkStatus());
    std::vector<uint32_t> cells(package->traceLayout().cells(), 0);
    auto statement = runtime::generateTrace(*package, statementOf(package->circuit(), program),
                                            absl::MakeSpan(cells), {});
    ASSERT_EQ(statement.status(), absl::OkStatus());
    for (const PublicValues& tensor : statement->tensors()) {
      if (tensor.kind() != PublicValues::OUTPUT) continue;
      const auto& values = (*expected)[std::stoul(tensor.name().substr(1))].values;
      EXPECT_TRUE(
          std::equal(values.begin(), values.end(), tensor.values().begin(), tensor.values().end()))
          << tensor.name();
    }
    auto checker = runtime::Checker::create(*package, *statement, cells);
    ASSERT_EQ(checker.status(), absl::OkStatus());
    auto report = (*checker)->check();
    ASSERT_EQ(report.status(), absl::OkStatus());
    EXPECT_TRUE(report->ok()) << report->toString();
    if (!GetParam().proven || lanes != 16) continue;
    auto backend = Backend::of(*package);
    ASSERT_EQ(backend.status(), absl::OkStatus());
    ASSERT_EQ(backend->prove(*statement, {cells}), absl::OkStatus());
    EXPECT_EQ(backend->verify(), absl::OkStatus());
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, CopiedMapsTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lindero::test
