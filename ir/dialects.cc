#include "ir/dialects.h"

#include <mutex>

#include "absl/status/status.h"
#include "ir/air/ops.h"
#include "ir/core/op_table.h"
#include "ir/integer/ops.h"
#include "ir/region/ops.h"
#include "ir/tensor/ops.h"
#include "ir/trace/ops.h"
#include "llvm/Support/ErrorHandling.h"

namespace lindero::ir {

void registerAllDialects() {
  static std::once_flag once;
  std::call_once(once, [] {
    absl::Status status;
    status.Update(registerDialect("tensor", tensor::ops()));
    status.Update(registerDialect("integer", integer::ops()));
    status.Update(registerDialect("region", region::ops()));
    status.Update(registerDialect("air", air::ops()));
    status.Update(registerDialect("trace", trace::ops()));
    if (!status.ok()) llvm::report_fatal_error(llvm::StringRef(status.ToString()));
  });
}

}  // namespace lindero::ir
