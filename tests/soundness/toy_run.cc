#include "tests/soundness/toy_run.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "compiler/emit/emit.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "passes/boundary/carry_context/carry_context.h"
#include "passes/lower_air/drop_class/drop_class.h"
#include "passes/lower_air/lower_sums/lower_sums.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/lower_air/verify_air/verify_air.h"
#include "passes/lower_air/verify_intervals/verify_intervals.h"
#include "runtime/package/files.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/statement.h"
#include "tests/soundness/general_program.h"

namespace lindero::test {
namespace {

// Each class of terms is a sum of its own: they have no two ends of different classes.
void setGroup(ir::Op& op) {
  if (op.is("air.public")) op.set("group", ir::Symbol{"boundary"});
  if (!op.is("air.term")) return;
  const std::string& group = op.symbolAttr("group");
  if (group != "tensors" && !llvm::StringRef(group).starts_with("public:")) return;
  op.set("group", ir::Symbol{op.has("kind") ? op.stringAttr("kind") : "local"});
}

void groupByClass(ir::Module& module) {
  ir::Op* tensors = nullptr;
  for (ir::Op& op : module.findFunction("circuit")->body().ops()) {
    if (op.is("air.group") && op.stringAttr("name") == "tensors") tensors = &op;
    setGroup(op);
    if (!op.is("air.table")) continue;
    for (ir::Op& inner : op.block()->ops()) setGroup(inner);
  }
  for (const char* name : {"local", "continuity", "boundary"}) {
    ir::Builder::before(tensors).create("air.group", {}, {}, {{"name", std::string(name)}});
  }
  tensors->erase();
}

// @circuit and @trace; without the class `dropped`, if it is one.
absl::Status lower(ir::Module& module, const ToyOptions& options, const std::string& dropped) {
  ir::registerAllDialects();
  absl::Status made =
      options.general ? makeGeneralProgram(module, *options.general) : makeToyGpt(module, options);
  if (!made.ok()) return made;
  if (absl::Status s = ir::verify(module); !s.ok()) return s;
  std::vector<std::unique_ptr<passes::Pass>> pipeline;
  if (options.block > 0) pipeline.push_back(passes::createCarryContext(options.block));
  pipeline.push_back(
      passes::createLowerToAir({.lanes = options.lanes, .widest = true, .decode = options.decode}));
  pipeline.push_back(dropped.empty() ? passes::createVerifyIntervals()
                                     : passes::createDropClass({dropped}));
  pipeline.push_back(passes::createLowerSums());
  if (dropped.empty()) pipeline.push_back(passes::createVerifyAir());
  for (const auto& pass : pipeline) {
    if (options.class_groups && pass->name() == "lower-sums") groupByClass(module);
    if (absl::Status s = pass->run(module).status(); !s.ok()) return s;
  }
  return ir::verify(module);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ToyRun>> ToyRun::create(const ToyOptions& options,
                                                       const std::function<void(Circuit&)>& edit) {
  auto run = std::unique_ptr<ToyRun>(new ToyRun);
  std::string pattern = (std::filesystem::temp_directory_path() / "lindero_toy_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return absl::InternalError("no temporary folder");
  run->folder_ = pattern;
  run->options_ = options;
  std::string path = run->path();
  ir::Module module;
  if (absl::Status s = lower(module, options, /*dropped=*/""); !s.ok()) return s;
  if (absl::Status s = compiler::emitPackage(module, path); !s.ok()) return s;
  if (edit) {
    std::string file = absl::StrCat(path, "/", runtime::kCircuitFile);
    Circuit circuit;
    std::ifstream in(file, std::ios::binary);
    if (!circuit.ParseFromIstream(&in)) return absl::InternalError("cannot read the circuit");
    edit(circuit);
    std::ofstream out(file, std::ios::binary);
    if (!circuit.SerializeToOstream(&out)) return absl::InternalError("cannot write the circuit");
  }
  absl::StatusOr<runtime::Package> package = runtime::Package::open(path);
  if (!package.ok()) return package.status();
  run->package_ = std::make_unique<runtime::Package>(*std::move(package));
  if (runtime::mostSteps(*run->package_) > 0) {
    auto decoded =
        runtime::decodeGreedily(*run->package_, {3, 1, 4}, {.most = 3}, {}, [](int64_t) {});
    if (!decoded.ok()) return decoded.status();
    run->decoded_ = *std::move(decoded);
    auto linked = runtime::linkBefore(
        *run->package_, *runtime::decodeInputs(*run->package_, run->decoded_), options.at);
    if (!linked.ok()) return linked.status();
    run->linked_ = *std::move(linked);
  }
  absl::StatusOr<Statement> statement = run->trace(run->cells_, {});
  if (!statement.ok()) return statement.status();
  run->statement_ = *std::move(statement);
  return run;
}

ToyRun::~ToyRun() {
  if (!folder_.empty()) std::filesystem::remove_all(folder_);
}

absl::StatusOr<runtime::Package> ToyRun::without(const std::string& kind) const {
  namespace fs = std::filesystem;
  const fs::path path = absl::StrCat(folder_, "/without_", kind, ".lindero");
  ir::Module module;
  if (absl::Status s = lower(module, options_, kind); !s.ok()) return s;
  absl::StatusOr<Circuit> circuit = compiler::makeCircuit(module);
  if (!circuit.ok()) return circuit.status();
  fs::create_directories(path);
  const std::pair<const char*, std::string> files[] = {
      {runtime::kCircuitFile, runtime::serializeProto(*circuit)},
      {runtime::kBundleFile, runtime::serializeProto(compiler::makeBundle(module, *circuit))}};
  for (const auto& [name, bytes] : files) {
    if (absl::Status s = runtime::writeFile(path / name, bytes); !s.ok()) return s;
  }
  fs::copy_file(fs::path(this->path()) / runtime::kFixedFile, path / runtime::kFixedFile,
                fs::copy_options::overwrite_existing);
  return runtime::Package::open(path, {.program = false});
}

absl::StatusOr<Statement> ToyRun::trace(std::vector<uint32_t>& cells,
                                        const runtime::TraceOptions& options) const {
  cells.assign(package_->traceLayout().cells(), 0);
  runtime::LinkValues linked = linked_;
  runtime::TraceOptions block_options = options;
  if (block_options.linked == nullptr) block_options.linked = &linked;
  return runtime::generateTrace(*package_, inputs(), absl::MakeSpan(cells), block_options);
}

Statement ToyRun::inputs() const {
  if (runtime::mostSteps(*package_) > 0) {
    return runtime::blockOf(circuit(), *runtime::decodeInputs(*package_, decoded_), options_.at);
  }
  Statement inputs;
  inputs.set_format(1);
  for (const PublicTensor& tensor : circuit().publics()) {
    if (tensor.kind() != PublicTensor::INPUT) continue;
    PublicValues* values = inputs.add_tensors();
    values->set_name(tensor.name());
    values->set_rows(tensor.rows());
    values->set_columns(tensor.columns());
    for (int64_t i = 0; i < tensor.rows() * tensor.columns(); ++i) {
      values->add_values(tensor.low() + (i * 7919 + 3) % (tensor.high() - tensor.low() + 1));
    }
  }
  return inputs;
}

uint32_t ToyRun::table(const std::string& name) const {
  for (int t = 0; t < circuit().tables_size(); ++t) {
    if (circuit().tables(t).name() == name) return static_cast<uint32_t>(t);
  }
  std::abort();
}

uint32_t ToyRun::column(uint32_t table, const std::string& name) const {
  const Table& t = circuit().tables(static_cast<int>(table));
  for (int c = 0; c < t.columns_size(); ++c) {
    if (t.columns(c).name() == name) return static_cast<uint32_t>(c);
  }
  std::abort();
}

}  // namespace lindero::test
