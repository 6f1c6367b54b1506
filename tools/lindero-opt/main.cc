// lindero-opt: runs passes on IR text or on an ONNX model.
//
//   lindero-opt model.lir --passes='eliminate-dead-ops,…'
//   lindero-opt model.onnx --dim seq=64 --passes=default --print-after-change
//
// Reads a module (imports it if the file's name ends in .onnx), verifies it, runs the passes,
// prints the module. Exit code 1 and one line on stderr on any error.
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/import.h"
#include "ir/core/constant_files.h"
#include "ir/core/op_reference.h"
#include "ir/core/op_table.h"
#include "ir/core/text.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "passes/boundary/placement/policy.h"
#include "passes/pass_manager.h"
#include "passes/plugin.h"
#include "runtime/package/files.h"
#include "runtime/version/version.h"

namespace lindero {
namespace {

namespace cl = llvm::cl;

cl::OptionCategory category("lindero-opt options");
cl::opt<std::string> input(cl::Positional,
                           cl::desc("<IR text or model.onnx, or - for text on standard input>"),
                           cl::init("-"), cl::cat(category));
cl::list<std::string> dims("dim", cl::desc("Size of a symbolic dimension of an ONNX model"),
                           cl::value_desc("name=size"), cl::cat(category));
cl::opt<std::string> output("o", cl::desc("Write to a file"), cl::value_desc("file"), cl::init("-"),
                            cl::cat(category));
cl::opt<std::string> passes_text("passes",
                                 cl::desc("Passes to run, with options: 'a,b{key=value flag}'"),
                                 cl::value_desc("pipeline"), cl::cat(category));
cl::list<std::string> plugins("load-pass-plugin",
                              cl::desc("Load passes and dialects from a shared library"),
                              cl::value_desc("x.so"), cl::cat(category));
cl::opt<std::string> constants("constants",
                               cl::desc("Folder with the bytes of constants, <sha256>.bin; without "
                                        "it their values are unknown"),
                               cl::value_desc("folder"), cl::cat(category));
cl::opt<std::string> save_constants("save-constants",
                                    cl::desc("Folder to write the bytes of constants to"),
                                    cl::value_desc("folder"), cl::cat(category));
cl::opt<bool> locations("locations", cl::desc("Print the ONNX nodes of each op (default)"),
                        cl::init(true), cl::cat(category));
cl::opt<bool> verify_each("verify-each", cl::desc("Verify after each pass that changes (default)"),
                          cl::init(true), cl::cat(category));
cl::opt<bool> check_unchanged("check-unchanged",
                              cl::desc("Check that a pass that says so changed nothing (default)"),
                              cl::init(true), cl::cat(category));
cl::opt<bool> print_before_all("print-before-all", cl::desc("Print the module before each pass"),
                               cl::cat(category));
cl::opt<bool> print_after_change("print-after-change",
                                 cl::desc("Print the module after each pass that changes"),
                                 cl::cat(category));
cl::opt<bool> print_after_all("print-after-all", cl::desc("Print the module after each pass"),
                              cl::cat(category));
cl::opt<bool> time_passes("time-passes", cl::desc("Print the time that each pass took"),
                          cl::cat(category));
cl::opt<bool> emit_op_reference("emit-op-reference",
                                cl::desc("Print the reference of all ops, then exit"),
                                cl::cat(category));

absl::Status writeOutput(const std::string& text) {
  if (output == "-") {
    llvm::outs() << text;
    llvm::outs().flush();
    return absl::OkStatus();
  }
  return runtime::writeFile(output, text);
}

absl::StatusOr<std::unique_ptr<ir::Module>> importModel() {
  compiler::ImportOptions options;
  for (llvm::StringRef dim : dims) {
    const auto [name, text] = dim.split('=');
    int64_t size = 0;
    if (name.empty() || !absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &size)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--dim ", dim.str(), ": write name=size, as in seq=64"));
    }
    if (!options.dims.emplace(name.str(), size).second) {
      return absl::InvalidArgumentError(absl::StrCat("--dim ", name.str(), " is given twice"));
    }
  }
  auto module = compiler::importOnnx(input, options);
  if (module.ok() && (print_after_change || print_after_all)) {
    llvm::errs() << "// ---- after import\n";
    ir::print(**module, llvm::errs());
  }
  return module;
}

absl::StatusOr<std::unique_ptr<ir::Module>> readModule() {
  if (llvm::StringRef(input).ends_with(".onnx")) return importModel();
  if (!dims.empty()) return absl::InvalidArgumentError("--dim is for ONNX models");
  auto file = llvm::MemoryBuffer::getFileOrSTDIN(input);
  if (!file) {
    return absl::NotFoundError(
        absl::StrCat("cannot read ", input.getValue(), ": ", file.getError().message()));
  }
  ir::ParseOptions parse_options;
  parse_options.file = input == "-" ? "<stdin>" : input.getValue();
  if (!constants.empty()) parse_options.load = ir::loadConstantsFrom(constants);
  return ir::parse((*file)->getBuffer(), parse_options);
}

absl::Status transform(ir::Module& module) {
  passes::PassManagerOptions options;
  options.verify_each = verify_each;
  options.check_unchanged = check_unchanged;
  options.print_before_all = print_before_all;
  options.print_after_change = print_after_change;
  options.print_after_all = print_after_all;
  options.time_passes = time_passes;
  passes::PassManager manager(options);
  if (absl::Status status = manager.addPipeline(passes_text); !status.ok()) return status;
  return manager.run(module).status();
}

absl::Status run() {
  for (const std::string& plugin : plugins) {
    if (absl::Status status = passes::loadPassPlugin(plugin); !status.ok()) return status;
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  if (emit_op_reference) {
    ir::printOpReference(os);
    return writeOutput(text);
  }
  auto module = readModule();
  if (!module.ok()) return module.status();

  if (absl::Status status = transform(**module); !status.ok()) return status;
  if (!save_constants.empty()) {
    if (absl::Status status = ir::saveConstants(**module, save_constants); !status.ok())
      return status;
  }
  print(**module, os, {.locations = locations});
  return writeOutput(text);
}

// What --help ends with: all passes, policies and ops that are built in.
std::string listing() {
  std::string text = "\nPasses:\n";
  for (const passes::PassInfo* pass : passes::allPasses()) {
    if (pass->pipeline.empty()) {
      absl::StrAppend(&text, "  ", pass->name, " - ", pass->summary, "\n");
    }
  }
  absl::StrAppend(&text, "\nPipelines, for use as a pass:\n");
  for (const passes::PassInfo* pass : passes::allPasses()) {
    if (pass->pipeline.empty()) continue;
    absl::StrAppend(&text, "  ", pass->name, " - ", pass->summary, "\n    = ", pass->pipeline,
                    "\n");
  }
  absl::StrAppend(&text, "\nPolicies of place-proof-boundaries:\n");
  for (const passes::PolicyInfo* policy : passes::allPlacementPolicies()) {
    absl::StrAppend(&text, "  ", policy->name, " - ", policy->summary, "\n");
  }
  absl::StrAppend(&text, "\nOps (--emit-op-reference explains them):");
  llvm::StringRef dialect;
  size_t column = 0;
  for (const ir::OpDef* def : ir::allOpDefs()) {
    constexpr size_t kWidth = 100;
    if (def->dialect() != dialect || column + def->name.size() > kWidth) {
      absl::StrAppend(&text, "\n ");
      column = 1;
    }
    dialect = def->dialect();
    absl::StrAppend(&text, " ", def->name.str());
    column += 1 + def->name.size();
  }
  return text + "\n";
}

int main(int argc, char** argv) {
  ir::registerAllDialects();
  passes::registerAllPasses();
  std::string more_help = listing();
  cl::extrahelp help(more_help);
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter(
      [](llvm::raw_ostream& os) { os << runtime::describeVersion("lindero-opt") << "\n"; });
  cl::ParseCommandLineOptions(argc, argv,
                              "Runs passes on the text of Lindero's IR or on an ONNX model.\n");
  absl::Status status = run();
  if (status.ok()) return 0;
  llvm::errs() << "lindero-opt: error: " << std::string(status.message()) << "\n";
  return 1;
}

}  // namespace
}  // namespace lindero

int main(int argc, char** argv) { return lindero::main(argc, argv); }
