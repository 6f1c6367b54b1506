#include "passes/quantize/passes.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/StringSet.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/exponents.h"
#include "passes/quantize/quantize.h"

namespace lindero::passes {
namespace {

absl::StatusOr<ir::Function*> mainOf(ir::Module& module) {
  ir::Function* main = module.findFunction("main");
  if (main != nullptr) return main;
  return absl::InvalidArgumentError("the module has no function @main to quantize");
}

absl::StatusOr<Exponents> calibrated(const ir::Function& function,
                                     const CalibratePassOptions& options) {
  absl::StatusOr<std::vector<Sample>> samples =
      defaultSamples(function, options.samples, static_cast<uint64_t>(options.seed));
  if (!samples.ok()) return samples.status();
  absl::StatusOr<Calibration> calibration = calibrate(function, *samples);
  if (!calibration.ok()) return calibration.status();
  return chooseExponents(function, *calibration, options.quantize);
}

absl::StatusOr<std::string> readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return text;
}

// Beside its place and then renamed: a reader sees all of it or none. A device stays one.
absl::Status writeFile(const std::string& path, const std::string& text) {
  std::error_code code;
  if (std::filesystem::exists(path, code) && !std::filesystem::is_regular_file(path, code)) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot write ", path, ": it exists and is not a file; choose another name"));
  }
  const std::string temporary = path + ".partial";
  std::ofstream file(temporary, std::ios::binary);
  file << text;
  file.close();
  if (file && std::rename(temporary.c_str(), path.c_str()) == 0) return absl::OkStatus();
  std::remove(temporary.c_str());
  return absl::UnavailableError(absl::StrCat("cannot write ", path));
}

// Constants that only the erased function used.
void eraseConstants(ir::Module& module, const llvm::StringSet<>& used_before) {
  llvm::StringSet<> used, kept;
  for (const auto& function : module.functions()) {
    ir::walk(std::as_const(*function).body(), [&](const ir::Op& op) {
      for (const auto& [name, value] : op.attributes()) {
        if (const auto* symbol = std::get_if<ir::Symbol>(&value)) used.insert(symbol->name);
      }
    });
  }
  for (const ir::Constant* constant : module.constants().constants()) {
    if (!used_before.contains(constant->name) || used.contains(constant->name))
      kept.insert(constant->name);
  }
  module.constants().keepOnly(kept);
}

class CalibratePass : public Pass {
 public:
  explicit CalibratePass(CalibratePassOptions options) : options_(std::move(options)) {}
  llvm::StringRef name() const override { return "calibrate"; }
  llvm::StringRef summary() const override {
    return "Measures ranges and writes the exponents that follow";
  }
  absl::StatusOr<bool> run(ir::Module& module) override {
    absl::StatusOr<ir::Function*> function = mainOf(module);
    if (!function.ok()) return function.status();
    absl::StatusOr<Exponents> exponents = calibrated(**function, options_);
    if (!exponents.ok()) return exponents.status();
    if (absl::Status status = writeFile(options_.output, toJson(*exponents)); !status.ok())
      return status;
    return false;
  }

 private:
  const CalibratePassOptions options_;
};

class QuantizePass : public Pass {
 public:
  explicit QuantizePass(QuantizePassOptions options) : options_(std::move(options)) {}
  llvm::StringRef name() const override { return "quantize"; }
  llvm::StringRef summary() const override {
    return "Replaces the float function by its integer program";
  }
  absl::StatusOr<bool> run(ir::Module& module) override {
    absl::StatusOr<ir::Function*> source = mainOf(module);
    if (!source.ok()) return source.status();
    absl::StatusOr<Exponents> exponents = this->exponents(**source);
    if (!exponents.ok()) return exponents.status();
    llvm::StringSet<> constants;
    for (const ir::Op& op : (*source)->body().ops()) {
      if (op.is("tensor.constant")) constants.insert(op.symbolAttr("value"));
    }
    ir::Function* target = module.addFunction("main");
    if (absl::Status status = lindero::passes::quantize(**source, *exponents, *target);
        !status.ok())
      return status;
    module.eraseFunction(*source);
    eraseConstants(module, constants);
    return true;
  }

 private:
  absl::StatusOr<Exponents> exponents(const ir::Function& source) const {
    if (options_.exponents.empty()) {
      absl::StatusOr<Exponents> exponents = calibrated(source, options_.calibrate);
      if (!exponents.ok() || options_.calibrate.output.empty()) return exponents;
      if (absl::Status status = writeFile(options_.calibrate.output, toJson(*exponents));
          !status.ok())
        return status;
      return exponents;
    }
    absl::StatusOr<std::string> text = readFile(options_.exponents);
    if (!text.ok()) return text.status();
    return exponentsFromJson(*text);
  }

  const QuantizePassOptions options_;
};

void readCalibrateOptions(OptionReader& reader, CalibratePassOptions& options) {
  readQuantizeOptions(reader, options.quantize);
  reader.read("samples", options.samples);
  reader.read("seed", options.seed);
  reader.read("output", options.output);
}

}  // namespace

void readQuantizeOptions(OptionReader& reader, QuantizeOptions& options) {
  reader.read("residual_bits", options.residual_bits);
  reader.read("normalized_bits", options.normalized_bits);
  reader.read("widest_normalized_bits", options.widest_normalized_bits);
  reader.read("activation_bits", options.activation_bits);
  reader.read("query_key_bits", options.query_key_bits);
  reader.read("value_bits", options.value_bits);
  reader.read("probability_bits", options.probability_bits);
  reader.read("key_bits", options.key_bits);
  reader.read("weight_bits", options.weight_bits);
  reader.read("least_weight_bits", options.least_weight_bits);
  reader.read("least_row_units", options.least_row_units);
  reader.read("residual_margin", options.residual_margin);
  reader.read("normalized_margin", options.normalized_margin);
  reader.read("activation_margin", options.activation_margin);
  reader.read("query_key_margin", options.query_key_margin);
  reader.read("key_margin", options.key_margin);
  reader.read("share_tables", options.share_tables);
}

std::unique_ptr<Pass> createCalibrate(CalibratePassOptions options) {
  return std::make_unique<CalibratePass>(std::move(options));
}

std::unique_ptr<Pass> createQuantize(QuantizePassOptions options) {
  return std::make_unique<QuantizePass>(std::move(options));
}

absl::Status registerQuantize() {
  absl::Status status =
      registerPass("calibrate", "Measures ranges and writes the exponents that follow",
                   [](const PassOptions& options) -> absl::StatusOr<std::unique_ptr<Pass>> {
                     CalibratePassOptions read;
                     OptionReader reader("calibrate", options);
                     readCalibrateOptions(reader, read);
                     if (absl::Status status = reader.finish(); !status.ok()) return status;
                     if (read.output.empty())
                       return absl::InvalidArgumentError("calibrate: output=<file> is required");
                     return createCalibrate(std::move(read));
                   });
  status.Update(
      registerPass("quantize", "Replaces the float function by its integer program",
                   [](const PassOptions& options) -> absl::StatusOr<std::unique_ptr<Pass>> {
                     QuantizePassOptions read;
                     OptionReader reader("quantize", options);
                     reader.read("exponents", read.exponents);
                     readCalibrateOptions(reader, read.calibrate);
                     if (absl::Status status = reader.finish(); !status.ok()) return status;
                     return createQuantize(std::move(read));
                   }));
  return status;
}

}  // namespace lindero::passes
