#include "runtime/error/error.h"

#include <array>
#include <string>
#include <utility>

#include "absl/strings/cord.h"

namespace lindero::runtime {
namespace {

using absl::StatusCode;

constexpr absl::string_view kTag = "lindero/error";

struct Kind {
  Error kind;
  absl::string_view name;
  StatusCode code;
};

// In the order of the enumeration.
constexpr Kind kKinds[] = {
    {Error::kOk, "ok", StatusCode::kOk},
    {Error::kInternal, "internal", StatusCode::kInternal},
    {Error::kUsage, "usage", StatusCode::kInvalidArgument},
    {Error::kModel, "model", StatusCode::kInvalidArgument},
    {Error::kUnsupported, "unsupported", StatusCode::kUnimplemented},
    {Error::kUnboundDimension, "unbound-dimension", StatusCode::kFailedPrecondition},
    {Error::kNotFinite, "not-finite", StatusCode::kDataLoss},
    {Error::kOverBound, "over-bound", StatusCode::kResourceExhausted},
    {Error::kInput, "input", StatusCode::kInvalidArgument},
    {Error::kToken, "token", StatusCode::kInvalidArgument},
    {Error::kOutOfRange, "out-of-range", StatusCode::kOutOfRange},
    {Error::kProverMissing, "prover-missing", StatusCode::kNotFound},
    {Error::kProverFailed, "prover-failed", StatusCode::kAborted},
    {Error::kRejected, "rejected", StatusCode::kInvalidArgument},
    {Error::kCheckFailed, "check-failed", StatusCode::kInvalidArgument},
    {Error::kFile, "file", StatusCode::kUnavailable},
    {Error::kPackage, "package", StatusCode::kDataLoss},
    {Error::kUnopened, "unopened", StatusCode::kFailedPrecondition},
    {Error::kImprecise, "imprecise", StatusCode::kFailedPrecondition},
    {Error::kCancelled, "cancelled", StatusCode::kCancelled},
};

constexpr auto kAll = [] {
  std::array<Error, std::size(kKinds)> all = {};
  for (size_t i = 0; i < all.size(); ++i) all[i] = kKinds[i].kind;
  return all;
}();

const Kind& infoOf(Error kind) { return kKinds[static_cast<size_t>(kind)]; }

// Files fail in the same way everywhere; a bug is one, and cancelled is cancelled.
constexpr ErrorOfCode kCommonCodes[] = {
    {StatusCode::kNotFound, Error::kFile},      {StatusCode::kPermissionDenied, Error::kFile},
    {StatusCode::kAlreadyExists, Error::kFile}, {StatusCode::kUnavailable, Error::kFile},
    {StatusCode::kInternal, Error::kInternal},  {StatusCode::kCancelled, Error::kCancelled}};

}  // namespace

absl::Span<const Error> allErrors() { return kAll; }

absl::string_view nameOf(Error kind) { return infoOf(kind).name; }

absl::Status failure(Error kind, absl::string_view message) {
  return withError(absl::Status(infoOf(kind).code, message), kind);
}

absl::Status withError(absl::Status status, Error kind) {
  if (status.ok() || status.GetPayload(kTag)) return status;
  if (status.code() == StatusCode::kCancelled) kind = Error::kCancelled;
  status.SetPayload(kTag, absl::Cord(nameOf(kind)));
  return status;
}

Error errorOf(const absl::Status& status) {
  if (status.ok()) return Error::kOk;
  if (auto tag = status.GetPayload(kTag)) {
    for (const Kind& kind : kKinds) {
      if (*tag == kind.name) return kind.kind;
    }
  }
  return status.code() == StatusCode::kCancelled ? Error::kCancelled : Error::kInternal;
}

absl::Status withErrorByCode(absl::Status status, absl::Span<const ErrorOfCode> codes,
                             Error otherwise) {
  for (absl::Span<const ErrorOfCode> list : {codes, absl::MakeConstSpan(kCommonCodes)}) {
    for (const ErrorOfCode& known : list) {
      if (known.code == status.code()) return withError(std::move(status), known.kind);
    }
  }
  return withError(std::move(status), otherwise);
}

absl::Status withPackageError(absl::Status status) {
  return withErrorByCode(std::move(status), {{StatusCode::kResourceExhausted, Error::kFile}},
                         Error::kPackage);
}

absl::Status withRunError(absl::Status status) {
  return withErrorByCode(std::move(status),
                         {{StatusCode::kOutOfRange, Error::kOutOfRange},
                          {StatusCode::kResourceExhausted, Error::kFile}},
                         Error::kPackage);
}

}  // namespace lindero::runtime
