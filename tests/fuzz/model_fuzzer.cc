// An ONNX file from a stranger, through the whole compiler: imported, cleaned up, calibrated on
// inputs of our own making, quantized, lowered, written as a package, and the circuit tried.
//
// Whatever the file holds, compiling ends with a package or with one line that has a kind, opens no
// file outside of the model's folder, and leaves none behind.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/driver/compile_model.h"
#include "compiler/driver/errors.h"
#include "runtime/package/digest.h"
#include "tests/fuzz/change_model.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sandbox.h"

namespace lindero::fuzz {
namespace {

namespace fs = std::filesystem;
using compiler::Error;

// A valid model may be of any size, and takes its room and time then: inputs are bounded here, and
// what comes after the import is tried on small ones. (What it makes of them, the import bounds.)
constexpr double kMostInputs = 1 << 22;  // elements, of all of them
constexpr int64_t kMostElements = int64_t{1} << 16;
constexpr int64_t kMostSteps = int64_t{1} << 22;
constexpr int64_t kMostCells = int64_t{1} << 20;
constexpr double kMostSeconds = 10;  // of processors: other work on the machine counts for nothing
constexpr int64_t kBoundDim = 4;
constexpr int kNarrow = 8;

// How far inputs came.
enum Stage { kRead, kParsed, kImported, kSmall, kCalibrated, kChosen, kCompiled, kStages };
constexpr const char* kStageNames[kStages] = {"read",       "parsed", "imported", "small",
                                              "calibrated", "chosen", "compiled"};
int64_t reached[kStages];

void reach(Stage stage) { ++reached[stage]; }

double processorSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void printStages() {
  for (int stage = 0; stage < kStages; ++stage)
    std::fprintf(stderr, "stage::%s: %lld\n", kStageNames[stage],
                 static_cast<long long>(reached[stage]));
}

Sandbox& sandbox() {
  static auto* made = [] {
    const std::string seeds = seedPath("");
    auto* sandbox = new Sandbox(fs::path(seeds).parent_path().parent_path());
    std::atexit([] {
      printStages();
      delete &fuzz::sandbox();
    });
    return sandbox;
  }();
  return *made;
}

void demandOneLine(absl::string_view text) {
  bool printable = !text.empty();
  for (char c : text) printable &= !absl::ascii_iscntrl(static_cast<unsigned char>(c));
  if (!printable) std::fprintf(stderr, "[%s]\n", std::string(text).c_str());
  demand(printable, "a message is one line of text");
  demand(!absl::StrContains(text, "ermission denied"), "no file outside of the folder is tried");
  demand(!absl::StrContains(text, "does not verify"), "every pass leaves a module that verifies");
}

// The kinds that the command line has an exit code for, but for those of our own mistakes, and of
// parts that have no share in this.
void demandRefusal(const absl::Status& status) {
  const Error kind = compiler::errorOf(status);
  const std::string message(status.message());
  if (std::getenv("LINDERO_FUZZ_SHOW"))
    std::fprintf(stderr, "%s: %s\n", std::string(runtime::nameOf(kind)).c_str(), message.c_str());
  demandOneLine(message);
  for (Error known : {Error::kUsage, Error::kModel, Error::kUnsupported, Error::kUnboundDimension,
                      Error::kNotFinite, Error::kOverBound, Error::kFile, Error::kImprecise,
                      Error::kOutOfRange}) {
    if (kind == known) return;
  }
  std::fprintf(stderr, "%s: %s\n", std::string(runtime::nameOf(kind)).c_str(), message.c_str());
  demand(false, "an error has a kind, and is none of Lindero itself");
}

// The model's version says: a field that means nothing to a compiler.
compiler::ModelOptions optionsFor(const onnx::ModelProto& model) {
  constexpr int64_t kLanes[] = {16, 1, 2, 4, 8, 64};
  const auto bits = static_cast<uint64_t>(model.model_version());
  compiler::ModelOptions options;
  options.samples = 2;
  options.measured = 1;
  options.precision = {.least_cosine = -2,
                       .row_error = 1e300};  // how precise it is, is not the matter
  // Small tables, of all kinds but one at most: what takes seconds else takes tenths.
  passes::QuantizeOptions& widths = options.quantize;
  uint64_t kind = bits / 1024 % 16;
  for (int* width :
       {&widths.normalized_bits, &widths.widest_normalized_bits, &widths.activation_bits,
        &widths.query_key_bits, &widths.value_bits, &widths.probability_bits, &widths.key_bits})
    if (kind-- != 1) *width = kNarrow;
  options.argmax = bits & 1;
  options.lower.decode = bits & 2;
  if (options.lower.decode && bits & 4) {
    options.context = "carry";
    options.block = 2;
  } else if (!options.lower.decode && bits & 4) {
    options.positions = "last:1";
  }
  options.lower.widest = bits & 8;
  options.lower.lanes = kLanes[bits / 16 % std::size(kLanes)];
  for (const auto& input : model.graph().input()) {
    for (const auto& dim : input.type().tensor_type().shape().dim()) {
      const std::string& name = dim.dim_param();
      const std::string bound = absl::StrCat(name, "=", kBoundDim);
      if (name.empty() || absl::StartsWith(name, "past") || absl::StrContains(name, '=')) continue;
      if (std::find(options.dims.begin(), options.dims.end(), bound) == options.dims.end())
        options.dims.push_back(bound);
    }
  }
  return options;
}

bool hasSmallInputs(const onnx::ModelProto& model) {
  double all = 0;
  for (const auto& input : model.graph().input()) {
    double elements = 1;
    for (const auto& dim : input.type().tensor_type().shape().dim())
      elements *= static_cast<double>(std::max<int64_t>(dim.dim_value(), 1));
    all += elements;
  }
  return all <= kMostInputs;
}

bool isSmall(const ir::Function& function) {
  double steps = 0;
  for (const auto& argument : function.body().arguments())
    if (argument->type().elements() > kMostElements) return false;
  for (const ir::Op& op : function.body().ops()) {
    double inner = 1;
    if (op.numOperands() > 0 && !op.operand(0)->type().shape.empty())
      inner = static_cast<double>(op.operand(0)->type().shape.back());
    for (int i = 0; i < static_cast<int>(op.numResults()); ++i) {
      if (op.result(i)->type().elements() > kMostElements) return false;
      steps += inner * static_cast<double>(op.result(i)->type().elements());
    }
  }
  return steps <= kMostSteps;
}

absl::Status compile(const onnx::ModelProto& model, absl::string_view bytes) {
  if (!hasSmallInputs(model)) return absl::OkStatus();
  compiler::ModelOptions options = optionsFor(model);
  runtime::Monitor monitor(nullptr, demandOneLine);
  absl::StatusOr<compiler::PreparedModel> prepared =
      compiler::importModel(sandbox().path("model/model.onnx"), options, monitor);
  if (!prepared.ok()) return prepared.status();
  reach(kImported);
  if (!isSmall(prepared->compilation.floatFunction())) return absl::OkStatus();
  reach(kSmall);
  absl::Status status = compiler::calibrateModel(options, *prepared, monitor);
  if (!status.ok()) return status;
  reach(kCalibrated);
  // Lowering takes ten times as long as all before it: one of four inputs, by its bytes.
  if (runtime::sha256(bytes)[0] % 4 != 0) return absl::OkStatus();
  reach(kChosen);
  absl::StatusOr<std::vector<int64_t>> buckets = compiler::chooseBuckets(options, *prepared);
  if (!buckets.ok()) return buckets.status();
  status = compiler::lowerModel(options, buckets->back(), *prepared, monitor);
  if (!status.ok()) return status;
  const compiler::CostReport& cost = prepared->compilation.cost();
  if (cost.online + cost.fixed > kMostCells) return absl::OkStatus();
  const std::string home = sandbox().path("package");
  fs::create_directory(home);
  status = compiler::writePackage(options, *buckets, nullptr, *prepared, home, monitor).status();
  fs::remove_all(home);
  if (status.ok()) reach(kCompiled);
  return status;
}

// Whether it is worth changing further: what cannot be imported hardly leads to what can.
bool read(absl::string_view bytes) {
  const int64_t imported = reached[kImported];
  reach(kRead);
  onnx::ModelProto model;
  if (model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) reach(kParsed);
  sandbox().writeModel(bytes);
  const double before = processorSeconds();
  absl::Status status;
  try {
    status = compile(model, bytes);
  } catch (...) {
    demand(false, "no exception leaves the compiler");
  }
  demand(processorSeconds() - before < kMostSeconds, "an input takes no more than its time");
  if (!status.ok()) demandRefusal(status);
  sandbox().demandUntouched();
  return reached[kImported] > imported;
}

}  // namespace
}  // namespace lindero::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  lindero::fuzz::sandbox();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return lindero::fuzz::read(lindero::fuzz::textOf(data, size)) ? 0 : -1;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  return lindero::fuzz::changeInside(data, size, most, [&](std::string& input) {
    onnx::ModelProto model;
    lindero::fuzz::Random random(seed);
    if (random() % 50 == 0 || !model.ParseFromString(input)) return false;
    static const lindero::fuzz::Locations locations = lindero::fuzz::Sandbox::locations();
    lindero::fuzz::changeModel(model, locations, random);
    return model.SerializeToString(&input);
  });
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* one, size_t one_size,
                                            const uint8_t* other, size_t other_size, uint8_t* out,
                                            size_t most, unsigned seed) {
  onnx::ModelProto model, grafted;
  lindero::fuzz::Random random(seed);
  std::string bytes;
  if (!model.ParseFromArray(one, static_cast<int>(one_size)) ||
      !grafted.ParseFromArray(other, static_cast<int>(other_size)))
    return 0;
  lindero::fuzz::graftModel(model, grafted, random);
  if (!model.SerializeToString(&bytes) || bytes.size() > most) return 0;
  std::memcpy(out, bytes.data(), bytes.size());
  return bytes.size();
}
