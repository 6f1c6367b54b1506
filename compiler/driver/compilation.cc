#include "compiler/driver/compilation.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/driver/check_length.h"
#include "compiler/driver/import_model.h"
#include "compiler/driver/samples.h"
#include "ir/core/op_table.h"
#include "ir/core/problems.h"
#include "ir/core/status_macros.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Path.h"
#include "passes/boundary/carry_context/carry_context.h"
#include "passes/boundary/lower_segments/lower_segments.h"
#include "passes/boundary/place_proof_boundaries/place_proof_boundaries.h"
#include "passes/boundary/placement/assignment.h"
#include "passes/general/eliminate_dead_ops/eliminate_dead_ops.h"
#include "passes/import_cleanup/import_cleanup.h"
#include "passes/import_cleanup/set_length/set_length.h"
#include "passes/import_cleanup/support/positions.h"
#include "passes/lower_air/lowering.h"
#include "passes/pass_manager.h"
#include "passes/region/form_regions/form_regions.h"
#include "runtime/claim/json.h"
#include "runtime/decode/decode_run.h"
#include "runtime/error/error.h"
#include "runtime/package/digest.h"
#include "runtime/package/package.h"
#include "runtime/version/version.h"

namespace lindero::compiler {
namespace {

const ir::Function& mainOf(const ir::Module& module) { return *module.findFunction("main"); }

// Of calibration, to check the clean-up on; they go through the graph together.
constexpr size_t kCheckedSamples = 2;

// What the clean-up changes, in terms of what rounding to single precision does. Models for which
// this is as much as what no clean-up may change are refused.
constexpr double kMostRoundings = 64;

// The value that holds the largest number.
class LargestNumber : public ir::tensor::Observer {
 public:
  void observe(const ir::Value& value, const ir::tensor::Array& array) override {
    for (double x : array.reals) {
      if (!std::isfinite(x) || std::abs(x) <= number_) continue;
      number_ = std::abs(x);
      value_ = &value;
    }
  }
  double number() const { return number_; }
  const ir::Value* value() const { return value_; }

 private:
  double number_ = 0;
  const ir::Value* value_ = nullptr;
};

// Infinite where one is no number.
double distance(llvm::ArrayRef<double> a, llvm::ArrayRef<double> b) {
  double most = 0;
  for (auto [x, y] : llvm::zip(a, b)) {
    if (x == y) continue;
    most = std::isnan(x - y) ? HUGE_VAL : std::max(most, std::abs(x - y));
    if (std::isinf(most)) break;
  }
  return most;
}

std::vector<std::string> namesOf(const ir::Function& function) {
  return std::get<std::vector<std::string>>(*function.body().terminator()->find("names"));
}

std::vector<int64_t> shapeOf(const ir::Value& value) {
  return {value.type().shape.begin(), value.type().shape.end()};
}

absl::Status runPasses(ir::Module& module, std::vector<std::unique_ptr<passes::Pass>> list) {
  passes::PassManager manager;
  for (std::unique_ptr<passes::Pass>& pass : list) manager.add(std::move(pass));
  return manager.run(module).status();
}

absl::Status runSelection(ir::Module& module, const passes::SelectOutputsOptions& options) {
  std::vector<std::unique_ptr<passes::Pass>> list;
  list.push_back(passes::createSelectOutputs(options));
  list.push_back(passes::createEliminateDeadOps());
  return runPasses(module, std::move(list));
}

}  // namespace

absl::StatusOr<Compilation> Compilation::load(const std::string& path,
                                              const ImportOptions& options) {
  ir::registerAllDialects();
  passes::registerAllPasses();
  Compilation result;
  std::future<absl::Status> digested =
      std::async(std::launch::async, [&] { return result.digestFiles(path); });
  IR_ASSIGN_OR_RETURN(result.float_, importModel(path, options));
  ImportOptions as_written = options;
  as_written.as_written = true;
  as_written.notes = &result.file_notes_;
  IR_ASSIGN_OR_RETURN(result.imported_, importModel(path, as_written));
  result.file_ = llvm::sys::path::filename(path).str();
  const ir::Function& graph = mainOf(*result.imported_);
  for (const auto& argument : graph.body().arguments())
    result.input_shapes_[argument->name().str()] = shapeOf(*argument);
  for (auto [name, output] : llvm::zip(namesOf(graph), graph.body().terminator()->operands()))
    result.output_shapes_[name] = shapeOf(*output);
  IR_RETURN_IF_ERROR(digested.get());
  for (const auto& [name, size] : options.dims) result.options_.dims.push_back({name, size});
  passes::PassManager manager;
  IR_RETURN_IF_ERROR(manager.addPipeline(passes::importCleanupPipeline()));
  if (absl::Status status = manager.run(*result.float_).status(); !status.ok()) {
    return ir::withPrefix(status, absl::StrCat(path, ": "));
  }
  result.findFacts();
  if (!result.facts_.causal) return result;
  IR_ASSIGN_OR_RETURN(result.know_the_length_,
                      outputsThatKnowTheLength(path, options, graph, result.floatFunction(),
                                               result.facts_.inputs[0].shape[0]));
  result.findFacts();
  return result;
}

absl::Status Compilation::digestFiles(const std::string& path) {
  IR_ASSIGN_OR_RETURN(onnx_, runtime::sha256File(path));
  IR_ASSIGN_OR_RETURN(std::vector<std::string> names, externalFiles(path));
  for (const std::string& name : names) {
    llvm::SmallString<256> beside(llvm::sys::path::parent_path(path));
    llvm::sys::path::append(beside, name);
    IR_ASSIGN_OR_RETURN(runtime::Digest digest, runtime::sha256File(beside.str().str()));
    external_.push_back({name, digest});
  }
  return absl::OkStatus();
}

const ir::Function& Compilation::floatFunction() const { return mainOf(*float_); }

const ir::Function& Compilation::integerFunction() const { return mainOf(*integer_); }

void Compilation::findFacts() {
  facts_ = modelFacts(floatFunction());
  facts_.file = file_;
  facts_.causal = facts_.causal && outputThatKnowsTheLength().empty();
  if (context_ > 0) facts_.parameters = parameters_;
  const auto note = [&](const std::map<std::string, std::vector<int64_t>>& shapes,
                        TensorFacts& tensor) {
    const auto found = shapes.find(tensor.name);
    if (context_ == 0 && found != shapes.end() && found->second != tensor.shape)
      tensor.onnx_shape = found->second;
  };
  for (TensorFacts& input : facts_.inputs) note(input_shapes_, input);
  for (TensorFacts& output : facts_.outputs) note(output_shapes_, output);
  facts_.sha256 = runtime::toHex(onnx_);
}

std::string Compilation::outputThatKnowsTheLength() const {
  for (const std::string& name : outputNames()) {
    if (know_the_length_.count(name) > 0) return name;
  }
  return "";
}

std::string Compilation::whyNotCausal() const {
  const std::string output = outputThatKnowsTheLength();
  if (output.empty()) return passes::Positions(floatFunction()).obstacle();
  return absl::StrCat("with fewer tokens, output '", output,
                      "' is not the beginning of what it is with all: the model computes with "
                      "their number");
}

absl::StatusOr<std::vector<passes::Sample>> Compilation::defaultSamples(int64_t count) const {
  return passes::defaultSamples(floatFunction(), count);
}

std::vector<std::string> Compilation::outputNames() const { return namesOf(floatFunction()); }

absl::Status Compilation::selectOutputs(const std::vector<std::string>& names) {
  passes::SelectOutputsOptions options;
  options.outputs = options_.outputs = names;
  whole_ = false;
  for (ir::Module* module : {float_.get(), imported_.get()})
    IR_RETURN_IF_ERROR(runSelection(*module, options));
  findFacts();
  const std::vector<std::string> chosen = outputNames();
  for (const auto& argument : floatFunction().body().arguments()) {
    // What a claim states has a name of its own.
    if (!llvm::is_contained(chosen, argument->name().str())) continue;
    return runtime::failure(
        runtime::Error::kUnsupported,
        absl::StrCat(file_, ": output '", argument->name().str(),
                     "' is an input: leave it out with --output-name, or let an Identity give it "
                     "another name"));
  }
  return absl::OkStatus();
}

absl::Status Compilation::selectValues(const std::string& positions, bool argmax) {
  passes::SelectOutputsOptions options;
  options.positions = options_.positions = positions;
  options.argmax = options_.argmax = argmax;
  whole_ = false;
  return runSelection(*integer_, options);
}

absl::StatusOr<passes::Exponents> Compilation::calibrate(
    llvm::ArrayRef<passes::Sample> samples, const passes::QuantizeOptions& options) const {
  IR_ASSIGN_OR_RETURN(passes::Calibration calibration,
                      passes::calibrate(floatFunction(), samples, kCheckedSamples));
  IR_RETURN_IF_ERROR(
      checkAgainstReference(samples.take_front(kCheckedSamples), calibration.outputs));
  return passes::chooseExponents(floatFunction(), calibration, options);
}

absl::StatusOr<std::vector<ir::tensor::Array>> Compilation::reference(
    const passes::Sample& inputs, llvm::ArrayRef<std::string> outputs) const {
  IR_ASSIGN_OR_RETURN(auto all, references({inputs}, outputs));
  return std::move(all.front());
}

absl::StatusOr<std::vector<std::vector<ir::tensor::Array>>> Compilation::references(
    llvm::ArrayRef<passes::Sample> inputs, llvm::ArrayRef<std::string> outputs,
    ir::tensor::Precision precision) const {
  const ir::Function& graph = mainOf(*imported_);
  std::vector<passes::Sample> whole;
  for (const passes::Sample& sample : inputs) {
    IR_ASSIGN_OR_RETURN(whole.emplace_back(), inputsOf(graph, sample));
  }
  const std::vector<std::string> names = namesOf(graph);
  std::vector<size_t> places;
  for (const std::string& output : outputs) {
    const auto found = llvm::find(names, output);
    if (found == names.end()) {
      return absl::InternalError(absl::StrCat(file_, ": the graph has no output '", output, "'"));
    }
    places.push_back(found - names.begin());
  }
  ir::tensor::Interpreter interpreter(graph, precision);
  const size_t most = passes::samplesAtATime(graph);
  std::vector<std::vector<ir::tensor::Array>> chosen;
  for (size_t first = 0; first < whole.size(); first += most) {
    const auto some = llvm::ArrayRef<passes::Sample>(whole).slice(first).take_front(most);
    const std::vector<llvm::ArrayRef<ir::tensor::Array>> arrays(some.begin(), some.end());
    IR_ASSIGN_OR_RETURN(const auto all, interpreter.runAll(arrays));
    for (const std::vector<ir::tensor::Array>& results : all) {
      std::vector<ir::tensor::Array>& own = chosen.emplace_back();
      for (size_t place : places) own.push_back(results[place]);
    }
  }
  return chosen;
}

absl::Status Compilation::checkAgainstReference(
    llvm::ArrayRef<passes::Sample> samples,
    llvm::ArrayRef<std::vector<ir::tensor::Array>> outputs) const {
  if (context_ > 0) return absl::OkStatus();
  const std::vector<std::string> names = outputNames();
  IR_ASSIGN_OR_RETURN(const auto expected, references(samples, names));
  for (size_t s = 0; s < samples.size(); ++s) {
    for (size_t i = 0; i < names.size(); ++i)
      IR_RETURN_IF_ERROR(checkOutput(samples[s], names[i], outputs[s][i], expected[s][i]));
  }
  return absl::OkStatus();
}

absl::Status Compilation::checkOutput(const passes::Sample& inputs, const std::string& name,
                                      const ir::tensor::Array& actual,
                                      const ir::tensor::Array& expected) const {
  // Integers (an argmax) may differ where reals are as good as equal.
  if (!actual.isReal() || !expected.isReal()) return absl::OkStatus();
  const absl::Status same = passes::checkSameReals(expected.reals, actual.reals);
  if (same.ok()) return same;
  // The clean-up need not overflow where the model does, in powers or in casts to 16 bits.
  const bool numbers = llvm::all_of(llvm::zip(expected.reals, actual.reals), [&](auto pair) {
    const auto [x, y] = pair;
    return std::isinf(x) ? !std::isfinite(y) : !std::isnan(x);
  });
  if (!numbers) {
    return runtime::failure(runtime::Error::kImprecise,
                            absl::StrCat(file_, ": output '", name,
                                         "': the float model gives values that are not "
                                         "numbers, for inputs in its ranges; calibrate with "
                                         "inputs that it is made for (--calibrate)"));
  }
  LargestNumber largest;
  IR_RETURN_IF_ERROR(ir::tensor::interpret(floatFunction(), inputs, &largest).status());
  double scale = 0;
  for (double x : expected.reals) scale = std::max(scale, std::isfinite(x) ? std::abs(x) : 0);
  if (largest.number() * 0x1p-50 > 1e-3 * scale && largest.value()->definingOp() != nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat(file_, ": ", ir::describe(*largest.value()->definingOp()),
                     ": its values reach ", largest.number(), ", beside which those of output '",
                     name, "' vanish; make them smaller, or infinite where they mask"));
  }
  // Weights that were folded are in single precision: where that alone changes as much, nobody
  // can tell what is right.
  IR_ASSIGN_OR_RETURN(const auto rounded,
                      references({inputs}, {name}, ir::tensor::Precision::kSingle));
  const double by_rounding = distance(expected.reals, rounded[0][0].reals);
  if (distance(expected.reals, actual.reals) <= kMostRoundings * by_rounding) {
    return runtime::failure(
        runtime::Error::kImprecise,
        absl::StrCat(file_, ": output '", name,
                     "': single precision does not determine it: it changes by ", by_rounding,
                     " when the float model's own values are rounded to it; scale down what "
                     "becomes so large, or calibrate with inputs that it is made for "
                     "(--calibrate)"));
  }
  return absl::InternalError(absl::StrCat(file_, ": output '", name,
                                          "' after import cleanup is not what the graph computes: ",
                                          same.message(), "; please report this model"));
}

absl::Status Compilation::setLength(int64_t length) {
  if (context_ == 0) {
    if (facts_.inputs.empty() || facts_.inputs[0].shape.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(file_, ": its inputs have no length"));
    }
    context_ = facts_.inputs[0].shape[0];
    parameters_ = facts_.parameters;
  }
  whole_ = false;
  std::vector<std::unique_ptr<passes::Pass>> list;
  list.push_back(passes::createSetLength(length));
  IR_RETURN_IF_ERROR(runPasses(*float_, std::move(list)));
  findFacts();
  return absl::OkStatus();
}

absl::Status Compilation::quantize(const passes::Exponents& exponents) {
  if (whole_ && exponents == exponents_) return absl::OkStatus();
  whole_ = false;
  exponents_ = exponents;
  records_.clear();
  integer_ = std::make_unique<ir::Module>();
  integer_->setNodeTypes(float_->nodeTypes());
  IR_RETURN_IF_ERROR(
      passes::quantize(floatFunction(), exponents_, *integer_->addFunction("main"), &records_));
  // Exponents of whoever wrote the file: what ops demand of them is checked here.
  IR_RETURN_IF_ERROR(ir::verify(*integer_));
  whole_ = true;
  return absl::OkStatus();
}

absl::StatusOr<passes::Comparison> Compilation::compare(
    llvm::ArrayRef<passes::ComparisonSample> samples) const {
  const auto in = [&](ir::tensor::Precision precision) {
    return [this, precision](llvm::ArrayRef<passes::ComparisonSample> some,
                             llvm::ArrayRef<std::string> outputs) {
      std::vector<passes::Sample> inputs;
      for (const passes::ComparisonSample& sample : some) inputs.push_back(sample.inputs);
      return references(inputs, outputs, precision);
    };
  };
  const auto exact = in(ir::tensor::Precision::kDouble),
             single = in(ir::tensor::Precision::kSingle);
  return passes::compareWithFloat(floatFunction(), integerFunction(), records_, samples, exact,
                                  single);
}

absl::StatusOr<passes::BoundedRun> Compilation::boundErrors(const passes::Sample& inputs) const {
  IR_ASSIGN_OR_RETURN(passes::BoundedRun run,
                      passes::boundErrors(floatFunction(), integerFunction(), records_, inputs));
  IR_ASSIGN_OR_RETURN(const std::vector<ir::tensor::Array> expected,
                      reference(inputs, outputNames()));
  for (auto [output, array] : llvm::zip(run.outputs, expected)) {
    output.expected = array.reals;
    if (!array.isReal()) output.expected.assign(array.integers.begin(), array.integers.end());
    output.expected.resize(output.actual.size());
  }
  return run;
}

std::vector<const ir::Module*> Compilation::lowered() const {
  std::vector<const ir::Module*> modules;
  for (const auto& segment : segments_) modules.push_back(segment.get());
  if (modules.empty()) modules.push_back(integer_.get());
  return modules;
}

absl::Status Compilation::place(const passes::LowerToAirOptions& options,
                                const Boundaries& boundaries) {
  options_.segments.clear();
  if (boundaries.segments.empty() && boundaries.policy.empty()) return absl::OkStatus();
  ir::Function& main = *integer_->findFunction("main");
  if (!boundaries.segments.empty()) {
    IR_ASSIGN_OR_RETURN(const passes::PlacementGraph graph, passes::PlacementGraph::of(main));
    const passes::Assignment assignment{boundaries.segments};
    IR_RETURN_IF_ERROR(passes::checkAssignment(graph, assignment));
    passes::writeAssignment(graph, assignment, main);
  } else {
    std::vector<std::unique_ptr<passes::Pass>> list;
    passes::PlaceProofBoundariesOptions place;
    place.policy = boundaries.policy;
    place.costs.lowering = options;
    IR_ASSIGN_OR_RETURN(list.emplace_back(), passes::createPlaceProofBoundaries(place));
    IR_RETURN_IF_ERROR(runPasses(*integer_, std::move(list)));
  }
  IR_ASSIGN_OR_RETURN(const passes::PlacementGraph graph, passes::PlacementGraph::of(main));
  IR_ASSIGN_OR_RETURN(const passes::Assignment assignment, passes::readAssignment(graph));
  if (assignment.count() > 1) options_.segments = assignment.segments;
  if (assignment.count() < 2) passes::eraseAssignment(main);
  return absl::OkStatus();
}

absl::StatusOr<passes::PlacementCost> Compilation::predict(
    const passes::CostOptions& options) const {
  IR_ASSIGN_OR_RETURN(const passes::PlacementGraph graph,
                      passes::PlacementGraph::of(integerFunction()));
  const passes::Assignment assignment = options_.segments.empty()
                                            ? passes::assignmentOfCuts(graph.atoms().size(), {})
                                            : passes::Assignment{options_.segments};
  return passes::CostModel(graph, options).cost(assignment);
}

absl::Status Compilation::lower(const passes::LowerToAirOptions& options,
                                const Boundaries& boundaries) {
  whole_ = false;
  segments_.clear();
  std::vector<std::unique_ptr<passes::Pass>> list;
  if (boundaries.block > 0) list.push_back(passes::createCarryContext(boundaries.block));
  list.push_back(passes::createFormRegions());
  IR_RETURN_IF_ERROR(runPasses(*integer_, std::move(list)));
  IR_RETURN_IF_ERROR(place(options, boundaries));
  if (options_.segments.empty()) {
    passes::PassManager manager;
    passes::addLowering(manager, options);
    IR_RETURN_IF_ERROR(manager.run(*integer_).status());
  } else {
    IR_ASSIGN_OR_RETURN(segments_, passes::lowerSegments(integerFunction(), options));
  }
  options_.lanes = options.lanes;
  options_.decode = options.decode;
  options_.prefer = std::string(passes::nameOf(options.prefer));
  options_.block = boundaries.block;
  bucket_ = 0;
  publics_.clear();
  member_costs_.clear();
  for (const ir::Module* module : lowered()) {
    IR_ASSIGN_OR_RETURN(Circuit circuit, makeCircuit(*module));
    const int64_t most_blocks = makeBundle(*module, circuit).most_steps();
    member_costs_.push_back(costReport(circuit, most_blocks));
    publics_.insert(publics_.end(), circuit.publics().begin(), circuit.publics().end());
    if (bucket_ == 0) bucket_ = runtime::mostSteps(circuit, most_blocks);
  }
  cost_ = addCosts(memberNames(), member_costs_);
  for (const PublicTensor& tensor : publics_) {
    if (bucket_ == 0 && tensor.kind() == PublicTensor::INPUT) bucket_ = tensor.rows();
  }
  return absl::OkStatus();
}

std::vector<std::string> Compilation::memberNames() const {
  std::vector<std::string> names;
  for (size_t s = 0; s < segments_.size(); ++s) names.push_back(absl::StrCat("segment", s));
  if (names.empty()) names.push_back("whole");
  return names;
}

std::vector<runtime::TensorShape> Compilation::publicShapes() const {
  std::vector<runtime::TensorShape> shapes;
  if (options_.decode) return shapes;
  for (const PublicTensor& tensor : publics_) {
    const bool input = tensor.kind() == PublicTensor::INPUT;
    llvm::StringRef name = tensor.name();
    const bool chosen = !input && options_.argmax && name.consume_back("_argmax");
    const auto& known = input ? input_shapes_ : output_shapes_;
    const auto found = known.find(name.str());
    if (found == known.end()) continue;
    std::vector<int64_t> shape = found->second;
    if (chosen && !shape.empty()) shape.pop_back();
    if (runtime::hasElements(shape, int64_t{tensor.rows()} * tensor.columns()))
      shapes.push_back({tensor.name(), std::move(shape)});
  }
  return shapes;
}

std::vector<runtime::TensorShape> Compilation::unreadInputs() const {
  std::vector<runtime::TensorShape> unread;
  for (const auto& argument : floatFunction().body().arguments()) {
    const std::string name = argument->name().str();
    if (argument->users().empty()) unread.push_back({name, input_shapes_.at(name)});
  }
  return unread;
}

absl::StatusOr<runtime::ModelRecord> Compilation::record() const {
  runtime::ModelRecord record;
  record.bucket = bucket_;
  record.boundary = runtime::boundaryOf(options_);
  record.context = context_ > 0 ? context_ : bucket_;
  record.compiler = std::string(runtime::version());
  IR_ASSIGN_OR_RETURN(record.exponents,
                      runtime::parseJson(passes::toJson(exponents_), runtime::kExponentsFile));
  record.external = external_;
  record.onnx = onnx_;
  record.options = options_;
  record.shapes = publicShapes();
  record.unread = unreadInputs();
  IR_ASSIGN_OR_RETURN(record.id, runtime::modelId(record));
  return record;
}

absl::Status Compilation::write(const std::string& path,
                                const std::vector<PackageFile>& files) const {
  nlohmann::ordered_json report = {{"model", toJson(facts())}, {"cost", toJson(cost_)}};
  // The file's name may hold bytes that are no UTF-8.
  const auto replace = nlohmann::ordered_json::error_handler_t::replace;
  std::vector<PackageFile> all = files;
  IR_ASSIGN_OR_RETURN(runtime::ModelRecord model, record());
  IR_ASSIGN_OR_RETURN(std::string record_bytes, runtime::encodeModelRecord(model));
  all.push_back({runtime::kModelFile, std::move(record_bytes)});
  all.push_back({runtime::kReportFile, report.dump(1, ' ', false, replace) + "\n"});
  if (segments_.empty()) return emitPackage(*integer_, path, all);
  return emitBundle(lowered(), memberNames(), path, all);
}

}  // namespace lindero::compiler
