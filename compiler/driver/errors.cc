#include "compiler/driver/errors.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ir/core/problems.h"

namespace lindero::compiler {

using absl::StatusCode;

absl::Status withLoadError(absl::Status status) {
  return runtime::withErrorByCode(std::move(status),
                                  {{StatusCode::kFailedPrecondition, Error::kUnboundDimension},
                                   {StatusCode::kDataLoss, Error::kNotFinite},
                                   {StatusCode::kUnimplemented, Error::kUnsupported}},
                                  Error::kModel);
}

absl::Status withModelError(absl::Status status) {
  return runtime::withErrorByCode(std::move(status),
                                  {{StatusCode::kInvalidArgument, Error::kUnsupported},
                                   {StatusCode::kUnimplemented, Error::kUnsupported},
                                   {StatusCode::kResourceExhausted, Error::kOverBound},
                                   {StatusCode::kOutOfRange, Error::kOverBound}},
                                  Error::kInternal);
}

absl::Status withModelError(const absl::Status& status, const std::string& file) {
  if (status.ok() || absl::StrContains(status.message(), file)) return withModelError(status);
  return withModelError(ir::withPrefix(status, absl::StrCat(file, ": ")));
}

}  // namespace lindero::compiler
