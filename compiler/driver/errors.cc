#include "compiler/driver/errors.h"

#include <utility>

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

}  // namespace lindero::compiler
