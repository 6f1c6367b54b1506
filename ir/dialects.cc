#include "ir/dialects.h"

#include <mutex>

#include "absl/status/status.h"
#include "ir/air/ops.h"
#include "ir/core/op_table.h"
#include "ir/integer/ops.h"
#include "ir/proof/ops.h"
#include "ir/region/ops.h"
#include "ir/tensor/ops.h"
#include "ir/trace/ops.h"
#include "llvm/Support/ErrorHandling.h"

namespace lindero::ir {

namespace {

constexpr llvm::StringLiteral kTensor =
    "The float graph, close to ONNX at import, with static shapes. After import cleanup all that "
    "is "
    "computed is real, and what attention, norms and linear layers consist of is one op each.";
constexpr llvm::StringLiteral kInteger =
    "Exact integers with static power-of-two scales, types `fixed<shape, 2^-f, [low, high]>`. Each "
    "op is an integer function, and "
    "this is what gets proven: a value outside of its range is an error, never a wrap.";
constexpr llvm::StringLiteral kRegion =
    "Integer ops grouped by the kind of work they do and by the proof they belong to.";
constexpr llvm::StringLiteral kProof =
    "Where proofs begin and end: the function that composes segments, each a function of its own, "
    "and "
    "the links between them. It computes what the function computed that was cut into them.";
constexpr llvm::StringLiteral kAir =
    "The circuit, in the function `@circuit`: tables with columns in four phases (0 fixed, 1 "
    "witness, 2 after the first "
    "challenges, 3 after the second), constraints and lookups. Ops inside of a table denote one "
    "value per row.";
constexpr llvm::StringLiteral kTrace =
    "How a runtime computes the witness, in the function `@trace`: the steps of "
    "`runtime/program/program.proto` on buffers of "
    "integers, `tensor<Nxi64>` in row-major order.";

}  // namespace

void registerAllDialects() {
  static std::once_flag once;
  std::call_once(once, [] {
    absl::Status status;
    status.Update(registerDialect("tensor", tensor::ops(), kTensor));
    status.Update(registerDialect("integer", integer::ops(), kInteger));
    status.Update(registerDialect("region", region::ops(), kRegion));
    status.Update(registerDialect("proof", proof::ops(), kProof));
    status.Update(registerDialect("air", air::ops(), kAir));
    status.Update(registerDialect("trace", trace::ops(), kTrace));
    if (!status.ok()) llvm::report_fatal_error(llvm::StringRef(status.ToString()));
  });
}

}  // namespace lindero::ir
