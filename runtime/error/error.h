// What kind of error a status is, for a program that must tell a rejected proof from a missing
// file.
//
// Every status that bind, run, prove, verify, compile and audit return has a kind, attached to it
// beside its code and its one line of text (what, where, why, what to do). The first kind that a
// status gets is the one that it keeps: whoever is closest to the cause knows best.
#ifndef LINDERO_RUNTIME_ERROR_ERROR_H_
#define LINDERO_RUNTIME_ERROR_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace lindero::runtime {

enum class Error {
  kOk,                // no error
  kInternal,          // of Lindero itself
  kUsage,             // options that do not go together, or that this model does not allow
  kModel,             // the model file is damaged, malformed or not ONNX
  kUnsupported,       // a valid model with an operator or shape beyond what is supported
  kUnboundDimension,  // a symbolic dimension has no size
  kNotFinite,         // a weight is NaN or infinite
  kOverBound,         // no integer scale keeps a node's values within the static bound
  kInput,             // an input has the wrong name, shape or type, or its file is malformed
  kToken,             // a token or character outside of the vocabulary
  kOutOfRange,        // a value outside of its calibrated range
  kProverMissing,     // the prover's executable was not found
  kProverFailed,      // the prover failed; the text has its own words
  kRejected,          // the proof does not hold for this key, the key is not the model's
  kCheckFailed,       // a constraint, lookup or claimed sum does not hold
  kFile,              // a file cannot be read or written
  kPackage,           // a package or key is damaged, of another version or of another model
  kUnopened,          // the claim gives values by digest, and nobody gave the values
  kImprecise,         // integers lose more of the float model's outputs than is allowed
  kCancelled,         // Monitor::cancel
};

// All of them, in this order.
absl::Span<const Error> allErrors();
// "not-finite": for programs; stable.
absl::string_view nameOf(Error kind);

// A status of this kind; its code is the closest that absl has.
absl::Status failure(Error kind, absl::string_view message);
// Gives a status its kind; one that is OK, or has a kind already, stays as it is.
absl::Status withError(absl::Status status, Error kind);
// Its kind; kInternal (or kCancelled, by the code) where it has none.
Error errorOf(const absl::Status& status);

// Kinds by the code of a status, as the headers of the parts that made it promise: opening a
// package (runtime/package); running one (runtime/trace, runtime/check).
absl::Status withPackageError(absl::Status status);
absl::Status withRunError(absl::Status status);

// A table of such promises. Files fail alike everywhere: kNotFound, kPermissionDenied,
// kAlreadyExists and kUnavailable are kFile without being listed.
struct ErrorOfCode {
  absl::StatusCode code;
  Error kind;
};
absl::Status withErrorByCode(absl::Status status, absl::Span<const ErrorOfCode> codes,
                             Error otherwise);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_ERROR_ERROR_H_
