// Programs cut into segments (passes/boundary): the same integers as the whole, and each segment's
// circuit accepts its part of the run, given what those before it gave.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/emit/emit.h"
#include "compiler/onnx_import/import.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/core/text.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "ir/integer/interpreter.h"
#include "passes/boundary/lower_segments/lower_segments.h"
#include "passes/pass_manager.h"
#include "runtime/check/checker.h"
#include "runtime/package/package.h"
#include "runtime/trace/generate_trace.h"
#include "tests/soundness/toy_gpt.h"

namespace lindero::test {
namespace {

using ir::integer::IntArray;

void run(ir::Module& module, const std::string& pipeline) {
  ir::registerAllDialects();
  passes::registerAllPasses();
  passes::PassManager manager;
  absl::Status status = manager.addPipeline(pipeline);
  status.Update(manager.run(module).status());
  ASSERT_EQ(status, absl::OkStatus());
}

std::unique_ptr<ir::Module> toy() {
  ir::registerAllDialects();
  auto module = std::make_unique<ir::Module>();
  EXPECT_EQ(makeToyGpt(*module, {.logits = true}), absl::OkStatus());
  return module;
}

std::unique_ptr<ir::Module> imported(const std::string& model) {
  ir::registerAllDialects();
  auto module = compiler::importOnnx(absl::StrCat(LINDERO_MODELS, "/", model), {});
  EXPECT_EQ(module.status(), absl::OkStatus());
  run(**module, "import-cleanup,quantize");
  return *std::move(module);
}

struct Case {
  std::string name, model, policy;
};

class Models : public ::testing::TestWithParam<Case> {};

TEST_P(Models, ComputeTheSameIntegersInSegments) {
  auto whole = imported(GetParam().model), cut = imported(GetParam().model);
  run(*cut, absl::StrCat("form-regions,place-proof-boundaries{policy=", GetParam().policy,
                         "},apply-proof-boundaries"));
  ASSERT_FALSE(HasFatalFailure());
  const ir::Function& main = *whole->findFunction("main");
  IntArray tokens{{}, {}};
  for (int64_t size : main.body().arguments()[0]->type().shape) tokens.shape.push_back(size);
  for (int64_t t = 0; t < main.body().arguments()[0]->type().elements(); ++t) {
    tokens.values.push_back((7 * t * t + 3 * t + 1) % 16);
  }
  auto expected = ir::integer::interpret(main, {tokens});
  auto found = ir::integer::interpret(*cut->findFunction("main"), {tokens});
  ASSERT_EQ(expected.status(), absl::OkStatus());
  ASSERT_EQ(found.status(), absl::OkStatus());
  EXPECT_EQ(*found, *expected);
  EXPECT_GT(cut->functions().size(), 3u);
}

INSTANTIATE_TEST_SUITE_P(
    All, Models,
    ::testing::Values(Case{"ToyByLayer", "toy_gpt.onnx", "per-layer"},
                      Case{"ToyByRegion", "toy_gpt.onnx", "per-region"},
                      Case{"CharByLayer", "char_gpt/char_gpt.onnx", "per-layer"},
                      Case{"CharByRegion", "char_gpt/char_gpt.onnx", "per-region"}),
    [](const auto& info) { return info.param.name; });

// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lindero_cut_XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return absl::StrCat(path_, "/", name); }

 private:
  std::string path_;
};

using Values = std::map<std::string, std::vector<int64_t>>;  // of tensors, by name

// Proves nothing, but asks the circuit: adds the segment's outputs to the values.
void runSegment(const std::string& path, Values& values) {
  auto package = runtime::Package::open(path);
  ASSERT_EQ(package.status(), absl::OkStatus());
  Statement inputs;
  inputs.set_format(1);
  for (const PublicTensor& tensor : package->circuit().publics()) {
    if (tensor.kind() != PublicTensor::INPUT) continue;
    ASSERT_TRUE(values.contains(tensor.name())) << tensor.name();
    PublicValues* given = inputs.add_tensors();
    given->set_name(tensor.name());
    given->set_rows(tensor.rows());
    given->set_columns(tensor.columns());
    for (int64_t value : values[tensor.name()]) given->add_values(value);
  }
  std::vector<uint32_t> cells(package->traceLayout().cells());
  auto statement = runtime::generateTrace(*package, inputs, absl::MakeSpan(cells), {});
  ASSERT_EQ(statement.status(), absl::OkStatus());
  auto checker = runtime::Checker::create(*package, *statement, cells);
  ASSERT_EQ(checker.status(), absl::OkStatus());
  auto report = (*checker)->check();
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_TRUE(report->ok()) << report->failures.front().toString();
  for (const PublicValues& tensor : statement->tensors()) {
    if (tensor.kind() != PublicValues::OUTPUT) continue;
    values[tensor.name()].assign(tensor.values().begin(), tensor.values().end());
  }
}

TEST(Circuits, OfSegmentsAcceptTheirPartOfTheRun) {
  for (const char* policy : {"per-layer", "per-region"}) {
    auto whole = toy(), cut = toy();
    IntArray ids{{kToyTokens}, {3, 1, 4, 1}};
    auto expected = ir::integer::interpret(*whole->findFunction("main"), {ids});
    ASSERT_EQ(expected.status(), absl::OkStatus());
    const std::string place = absl::StrCat("form-regions,place-proof-boundaries{policy=", policy,
                                           "},apply-proof-boundaries");
    run(*cut, place);
    ASSERT_FALSE(HasFatalFailure());
    const size_t segments = cut->functions().size() - 1;
    ASSERT_GT(segments, 2u);
    Folder folder;
    Values values{{"input_ids", ids.values}};
    for (size_t s = 0; s < segments; ++s) {
      auto module = toy();
      run(*module, absl::StrCat(place, ",select-segment{function=segment", s,
                                "},lower-to-air{lanes=4},verify-intervals,lower-sums,verify-air"));
      ASSERT_FALSE(HasFatalFailure()) << policy << ", segment " << s;
      const std::string path = folder.file(absl::StrCat(s, ".lindero"));
      ASSERT_EQ(compiler::emitPackage(*module, path), absl::OkStatus());
      runSegment(path, values);
      ASSERT_FALSE(HasFatalFailure()) << policy << ", segment " << s;
    }
    EXPECT_EQ(values["logits"], expected->front().values);
  }
}

// A program in segments that are lowered together, as a package of several members.
runtime::BundlePackage bundled(const ir::Module& module, const std::string& path) {
  auto lowered = passes::lowerSegments(*module.findFunction("main"), {.lanes = 4});
  EXPECT_EQ(lowered.status(), absl::OkStatus());
  std::vector<const ir::Module*> modules;
  std::vector<std::string> names;
  for (const auto& segment : *lowered) {
    names.push_back(absl::StrCat("segment", modules.size()));
    modules.push_back(segment.get());
  }
  EXPECT_EQ(compiler::emitBundle(modules, names, path), absl::OkStatus());
  auto package = runtime::openBundle(path);
  EXPECT_EQ(package.status(), absl::OkStatus());
  return *std::move(package);
}

runtime::BundlePackage linked(const std::string& policy, const std::string& path) {
  auto module = toy();
  run(*module, absl::StrCat("form-regions,place-proof-boundaries{policy=", policy, "}"));
  return bundled(*module, path);
}

using Revise = std::function<void(size_t member, const Step& step, runtime::Buffers& buffers)>;

// Runs one member after the other and checks what they left together.
runtime::CheckReport checkRun(const runtime::BundlePackage& package, const std::string& folder,
                              const std::vector<int64_t>& ids, std::vector<int64_t>& logits,
                              const Revise& revise = nullptr) {
  Statement all;
  all.set_format(1);
  runtime::LinkValues slots;
  std::vector<std::string> traces;
  for (size_t m = 0; m < package.members.size(); ++m) {
    Statement inputs;
    inputs.set_format(1);
    for (const PublicTensor& tensor : package.members[m].circuit().publics()) {
      if (tensor.kind() != PublicTensor::INPUT) continue;
      PublicValues& given = *inputs.add_tensors();
      given.set_name(tensor.name());
      given.set_rows(tensor.rows());
      given.set_columns(tensor.columns());
      given.mutable_values()->Assign(ids.begin(), ids.end());
    }
    runtime::TraceOptions options;
    options.linked = &slots;
    if (revise) {
      options.revise = [&](const Step& step, runtime::Buffers& b) { revise(m, step, b); };
    }
    traces.push_back(absl::StrCat(folder, "-", m, ".bin"));
    auto statement = runtime::generateTrace(package.members[m], inputs, traces.back(), options);
    EXPECT_EQ(statement.status(), absl::OkStatus()) << "member " << m;
    for (const PublicValues& tensor : statement->tensors()) {
      *all.add_tensors() = tensor;
      if (tensor.kind() == PublicValues::OUTPUT)
        logits.assign(tensor.values().begin(), tensor.values().end());
    }
  }
  auto report = runtime::checkTraces(package, all, traces);
  EXPECT_EQ(report.status(), absl::OkStatus());
  return *std::move(report);
}

TEST(Bundles, OfSegmentsAcceptTheRun) {
  const std::vector<int64_t> ids{3, 1, 4, 1};
  auto whole = toy();
  auto expected = ir::integer::interpret(*whole->findFunction("main"), {{{kToyTokens}, ids}});
  ASSERT_EQ(expected.status(), absl::OkStatus());
  for (const char* policy : {"per-layer", "per-region"}) {
    Folder folder;
    const runtime::BundlePackage package = linked(policy, folder.file("package"));
    ASSERT_FALSE(HasFailure()) << policy;
    ASSERT_GT(package.bundle.links_size(), 1);
    std::vector<int64_t> logits;
    const auto report = checkRun(package, folder.file("trace"), ids, logits);
    EXPECT_TRUE(report.ok()) << policy << ": " << report.toString();
    EXPECT_EQ(logits, expected->front().values) << policy;
  }
}

// Rows of 7 have zeros beside them in the cells that give them, which are not among the elements.
TEST(Bundles, LinkTensorsThatAreNowhereZero) {
  ir::registerAllDialects();
  std::vector<int> numbers(16), indices(35);
  std::iota(numbers.begin(), numbers.end(), 40);
  std::iota(indices.begin(), indices.end(), 0);
  const std::string type = "fixed<5x7, 2^0, [40, 55]>";
  auto module = ir::parse(absl::StrCat(
      "constant @table : i32[16] = [", absl::StrJoin(numbers, ", "),
      "]\nconstant @indices : i32[5x7] = [", absl::StrJoin(indices, ", "),
      "]\n\nfunc @main(%x: fixed<5x7, 2^-1, [-16, 14]>) -> ", type,
      " {\n  %t = integer.constant {value = @table} : fixed<16, 2^0, [40, 55]>\n"
      "  %a = integer.lookup(%x, %t) {bits = 4, function = \"add(x, 48)\", segment = 0, "
      "shift = 1} : ",
      type, "\n  %b = integer.copy(%a) {indices = @indices, segment = 1} : ", type,
      "\n  %c = integer.copy(%b) {indices = @indices, segment = 2} : ", type,
      "\n  integer.return(%c) {names = [\"y\"]}\n}\n"));
  ASSERT_EQ(module.status(), absl::OkStatus());
  const auto lowered = passes::lowerSegments(*(*module)->findFunction("main"), {.lanes = 4});
  EXPECT_EQ(lowered.status(), absl::OkStatus());
}

// What a segment reads but needs no element of: a copy joins two tensors, and one of that leaves
// out the first one. The links of both have two ends, and the run is that of the whole.
TEST(Bundles, LinkWhatNothingNeeds) {
  ir::registerAllDialects();
  const std::string type = "fixed<2x2, 2^0, [-2048, 2047]>";
  auto rounded = [&](const char* name, int segment, const char* of) {
    return absl::StrCat("  %", name, " = integer.affine(%", of,
                        ", %m, %k) {bits = 12, segment = ", segment, ", shift = 1} : ", type, "\n");
  };
  auto module = ir::parse(absl::StrCat(
      "constant @one : i32[1] = [1]\nconstant @zero : i32[1] = [0]\n"
      "constant @join : i32[2x4] = [0, 1, 4, 5, 2, 3, 6, 7]\n"
      "constant @part : i32[2x2] = [2, 3, 6, 7]\n\n",
      "func @main(%x: fixed<2x2, 2^1, [-100, 100]>, %y: fixed<2x2, 2^1, [-100, 100]>) -> ", type,
      " {\n  %m = integer.constant {value = @one} : fixed<1, 2^-2, [1, 1]>\n"
      "  %k = integer.constant {value = @zero} : fixed<1, 2^-1, [0, 0]>\n",
      rounded("a", 0, "x"), rounded("b", 1, "y"),
      "  %j = integer.copy(%a, %b) {indices = @join, segment = 2} : "
      "fixed<2x4, 2^0, [-2048, 2047]>\n"
      "  %c = integer.copy(%j) {indices = @part, segment = 2} : ",
      type, "\n  integer.return(%c) {names = [\"c\"]}\n}\n"));
  ASSERT_EQ(module.status(), absl::OkStatus());
  ASSERT_EQ(ir::verify(**module), absl::OkStatus());
  Folder folder;
  const runtime::BundlePackage package = bundled(**module, folder.file("package"));
  ASSERT_FALSE(HasFailure());
  EXPECT_EQ(package.bundle.links_size(), 2);
  std::vector<int64_t> result;
  const auto report = checkRun(package, folder.file("trace"), {2, 4, -6, 100}, result);
  EXPECT_TRUE(report.ok()) << report.toString();
  EXPECT_EQ(result, (std::vector<int64_t>{1, 2, -3, 50}));
}

// What crosses is changed on its way: each member is right by itself.
TEST(Bundles, RefuseWhatOnlyOneEndHas) {
  Folder folder;
  const runtime::BundlePackage package = linked("per-layer", folder.file("package"));
  ASSERT_FALSE(HasFailure());
  for (int slot = 0; slot < package.bundle.links_size(); ++slot) {
    for (const bool permuted : {false, true}) {
      std::vector<int64_t> logits;
      bool done = false;
      auto revise = [&](size_t, const Step& step, runtime::Buffers& b) {
        if (!step.has_link_in() || static_cast<int>(step.link_in().slot()) != slot) return;
        absl::Span<int32_t> taken = b.at(step.link_in().out());
        if (!permuted) {
          taken[0] ^= 1;
        } else {
          auto other =
              std::find_if(taken.begin(), taken.end(), [&](int32_t x) { return x != taken[0]; });
          std::swap(taken[0], *other);
        }
        done = true;
      };
      const auto report = checkRun(package, folder.file("trace"), {3, 1, 4, 1}, logits, revise);
      EXPECT_TRUE(done);
      EXPECT_EQ(report.failure_count, 1u) << report.toString();
      EXPECT_THAT(report.toString(), ::testing::HasSubstr("the ends of a link differ"));
    }
  }
}

// Names of elements, ranges and members of a link are compared before a package is written.
TEST(Bundles, AreLinkedByWhatAgrees) {
  auto module = toy();
  run(*module, "form-regions,place-proof-boundaries{policy=per-layer}");
  auto lowered = passes::lowerSegments(*module->findFunction("main"), {.lanes = 4});
  ASSERT_EQ(lowered.status(), absl::OkStatus());
  std::vector<const ir::Module*> modules;
  std::vector<Circuit> circuits;
  std::vector<std::string> names;
  for (const auto& segment : *lowered) {
    names.push_back(absl::StrCat("segment", modules.size()));
    modules.push_back(segment.get());
    circuits.push_back(*compiler::makeCircuit(*segment));
  }
  ir::Op* end = nullptr;
  for (ir::Op& op : lowered->at(1)->findFunction("circuit")->body().ops()) {
    if (op.is("air.public") && op.has("slot") && op.stringAttr("kind") == "input") end = &op;
  }
  ASSERT_NE(end, nullptr);
  for (const auto& [name, change] : std::map<std::string, int64_t>{
           {"address", 1}, {"tile_rows", 1}, {"tile_columns", 1}, {"low", 1}, {"high", -1}}) {
    const int64_t before = end->intAttr(name);
    end->set(name, before + change);
    auto bundle = compiler::linkMembers(modules, circuits, names);
    EXPECT_EQ(bundle.status().code(), absl::StatusCode::kInternal) << name;
    end->set(name, before);
  }
  EXPECT_EQ(compiler::linkMembers(modules, circuits, names).status(), absl::OkStatus());
}

}  // namespace
}  // namespace lindero::test
