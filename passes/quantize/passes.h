// The passes of the quantization phase, on the function @main of canonical tensor ops
// (verify-canonical).
//
//   calibrate{output=exponents.json …}  an analysis: chooses exponents and writes them; the module
//   stays as it is. quantize{exponents=exponents.json}  replaces @main by the integer program;
//   exact, see quantize.h. Without a file it calibrates
//                                       first, with the options of calibrate.
//
// Calibration here knows no text: it draws its own samples (defaultSamples). A driver that has text
// calls calibrate(), chooseExponents() and quantize() itself.
#pragma once

#include <memory>
#include <string>

#include "passes/pass.h"
#include "passes/quantize/choose_exponents.h"

namespace lindero::passes {

struct CalibratePassOptions {
  QuantizeOptions quantize;
  int64_t samples = 16;
  int64_t seed = 1;
  std::string output;  // required
};

struct QuantizePassOptions {
  std::string exponents;           // a file; empty: calibrate
  CalibratePassOptions calibrate;  // used without a file; its output is then optional
};

std::unique_ptr<Pass> createCalibrate(CalibratePassOptions options);
std::unique_ptr<Pass> createQuantize(QuantizePassOptions options = {});

absl::Status registerQuantize();

// The options by name, as passes and command lines spell them: "activation_bits",
// "residual_margin", ...
void readQuantizeOptions(OptionReader& reader, QuantizeOptions& options);

}  // namespace lindero::passes
