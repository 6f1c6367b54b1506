#include "tools/lindero/exit_codes.h"

#include <initializer_list>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lindero::cli {
namespace {

constexpr absl::string_view kTag = "lindero/exit";

constexpr ExitInfo kTable[] = {
    {Exit::kOk, "ok", "done; for `verify`: accepted"},
    {Exit::kInternal, "internal", "an error of Lindero itself: please report it"},
    {Exit::kUsage, "usage", "wrong command line"},
    {Exit::kModel, "model", "the model file is damaged, malformed or not ONNX"},
    {Exit::kUnsupported, "unsupported",
     "a valid model with an operator or shape beyond what is supported"},
    {Exit::kUnboundDimension, "unbound-dimension",
     "a symbolic dimension has no size: `--dim name=size`"},
    {Exit::kNotFinite, "not-finite", "a weight is NaN or infinite"},
    {Exit::kOverBound, "over-bound",
     "no integer scale keeps a node's values within the static bound"},
    {Exit::kInput, "input", "an input has the wrong name, shape or type, or its file is malformed"},
    {Exit::kToken, "token", "a token or character outside of the vocabulary"},
    {Exit::kOutOfRange, "out-of-range", "a value outside of its calibrated range"},
    {Exit::kProverMissing, "prover-missing", "the prover's executable was not found"},
    {Exit::kProverFailed, "prover-failed", "the prover failed; its own messages are shown"},
    {Exit::kRejected, "rejected",
     "`verify`: the proof is not valid for this key, or one of them is damaged; `audit`: the key "
     "is "
     "not the model's"},
    {Exit::kCheckFailed, "check-failed",
     "`check`: a constraint, lookup or claim does not hold; `tamper`: a change went unnoticed"},
    {Exit::kFile, "file", "a file cannot be read or written: missing, no permission, disk full"},
    {Exit::kPackage, "package",
     "a package or key is damaged, of another version or of another model, or cannot have the "
     "security asked for"},
    {Exit::kUnopened, "unopened",
     "`verify`: the claim gives values by digest; they are not proven before `open` has seen them"},
};

using ExitOfCode = std::pair<absl::StatusCode, Exit>;

// Files fail in the same way everywhere.
constexpr ExitOfCode kFileCodes[] = {{absl::StatusCode::kNotFound, Exit::kFile},
                                     {absl::StatusCode::kPermissionDenied, Exit::kFile},
                                     {absl::StatusCode::kAlreadyExists, Exit::kFile},
                                     {absl::StatusCode::kUnavailable, Exit::kFile},
                                     {absl::StatusCode::kInternal, Exit::kInternal}};

absl::Status withExitOf(absl::Status status, std::initializer_list<ExitOfCode> codes,
                        Exit otherwise) {
  for (const ExitOfCode& code : codes) {
    if (code.first == status.code()) return withExit(std::move(status), code.second);
  }
  for (const ExitOfCode& code : kFileCodes) {
    if (code.first == status.code()) return withExit(std::move(status), code.second);
  }
  return withExit(std::move(status), otherwise);
}

}  // namespace

absl::Span<const ExitInfo> exitTable() { return kTable; }

const ExitInfo& exitInfo(Exit code) {
  for (const ExitInfo& info : kTable) {
    if (info.code == code) return info;
  }
  return exitInfo(Exit::kInternal);
}

absl::Status withExit(absl::Status status, Exit code) {
  if (status.ok() || status.GetPayload(kTag)) return status;
  status.SetPayload(kTag, absl::Cord(absl::StrCat(static_cast<int>(code))));
  return status;
}

absl::Status failure(Exit code, absl::string_view message) {
  return withExit(absl::UnknownError(message), code);
}

Exit exitOf(const absl::Status& status) {
  if (status.ok()) return Exit::kOk;
  int code = 0;
  auto tag = status.GetPayload(kTag);
  if (!tag || !absl::SimpleAtoi(std::string(*tag), &code)) return Exit::kInternal;
  return static_cast<Exit>(code);
}

absl::Status withLoadExit(absl::Status status) {
  return withExitOf(std::move(status),
                    {{absl::StatusCode::kFailedPrecondition, Exit::kUnboundDimension},
                     {absl::StatusCode::kDataLoss, Exit::kNotFinite},
                     {absl::StatusCode::kUnimplemented, Exit::kUnsupported}},
                    Exit::kModel);
}

absl::Status withModelExit(absl::Status status) {
  return withExitOf(std::move(status),
                    {{absl::StatusCode::kInvalidArgument, Exit::kUnsupported},
                     {absl::StatusCode::kUnimplemented, Exit::kUnsupported},
                     {absl::StatusCode::kResourceExhausted, Exit::kOverBound},
                     {absl::StatusCode::kOutOfRange, Exit::kOverBound}},
                    Exit::kInternal);
}

absl::Status withPackageExit(absl::Status status) {
  return withExitOf(std::move(status), {{absl::StatusCode::kResourceExhausted, Exit::kFile}},
                    Exit::kPackage);
}

absl::Status withRunExit(absl::Status status) {
  return withExitOf(std::move(status),
                    {{absl::StatusCode::kOutOfRange, Exit::kOutOfRange},
                     {absl::StatusCode::kResourceExhausted, Exit::kFile}},
                    Exit::kPackage);
}

}  // namespace lindero::cli
