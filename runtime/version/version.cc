#include "runtime/version/version.h"

#include "absl/strings/str_cat.h"
#include "runtime/claim/claim.h"
#include "runtime/claim/model_record.h"
#include "runtime/package/formats.h"
#include "runtime/program/steps.h"
#include "runtime/version/commit.h"

namespace lindero::runtime {

absl::string_view version() { return LINDERO_VERSION; }

absl::string_view commit() { return LINDERO_COMMIT; }

std::string describeVersion(absl::string_view program) {
  return absl::StrCat(program, " ", version(), " (commit ", commit(), ")\nformats: circuit ",
                      kCircuitFormat, ", program ", program::kProgramFormat, ", statement ",
                      kStatementFormat, ", key ", kKeyFormat, ", proof ", kProofFormat, ", ",
                      kModelFormat, ", ", kArithmetic, ", ", kClaimFormat, ", ", kProofProtocol);
}

}  // namespace lindero::runtime
