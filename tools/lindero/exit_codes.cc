#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

constexpr ExitInfo kTable[] = {
    {Error::kOk, 0, "done; for `verify`: accepted"},
    {Error::kInternal, 1, "an error of Lindero itself: please report it"},
    {Error::kUsage, 2, "wrong command line"},
    {Error::kModel, 3, "the model file is damaged, malformed or not ONNX"},
    {Error::kUnsupported, 4, "a valid model with an operator or shape beyond what is supported"},
    {Error::kUnboundDimension, 5, "a symbolic dimension has no size: `--dim name=size`"},
    {Error::kNotFinite, 6, "a weight is NaN or infinite"},
    {Error::kOverBound, 7, "no integer scale keeps a node's values within the static bound"},
    {Error::kInput, 8, "an input has the wrong name, shape or type, or its file is malformed"},
    {Error::kToken, 9, "a token or character outside of the vocabulary"},
    {Error::kOutOfRange, 10, "a value outside of its calibrated range"},
    {Error::kProverMissing, 11, "the prover's executable was not found"},
    {Error::kProverFailed, 12, "the prover failed; its own messages are shown"},
    {Error::kRejected, 13,
     "`verify`: the proof is not valid for this key, or one of them is damaged; `audit`: the key "
     "is "
     "not the model's"},
    {Error::kCheckFailed, 14,
     "`check`: a constraint, lookup or claimed sum does not hold; `tamper`: a change went "
     "unnoticed"},
    {Error::kFile, 15, "a file cannot be read or written: missing, no permission, disk full"},
    {Error::kPackage, 16,
     "a package or key is damaged, of another version or of another model, or cannot have the "
     "security asked for"},
    {Error::kUnopened, 17,
     "`verify`: the claim gives values by digest; they are not proven before `open` has seen them"},
    {Error::kImprecise, 18,
     "integers lose more of the float model's outputs than `--min-cosine` and `--max-error` allow"},
};

}  // namespace

absl::Span<const ExitInfo> exitTable() { return kTable; }

const ExitInfo& exitInfo(Error kind) {
  for (const ExitInfo& info : kTable) {
    if (info.kind == kind) return info;
  }
  return exitInfo(Error::kInternal);
}

}  // namespace lindero::cli
