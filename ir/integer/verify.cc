#include "ir/integer/verify.h"

#include "ir/integer/verify_shared.h"

namespace lindero::ir::integer {

Verifier verifierOf(llvm::StringRef name) {
  for (const auto of : {verifierOfProducts, verifierOfRounding, verifierOfRows, verifierOfViews}) {
    if (const Verifier verifier = of(name)) return verifier;
  }
  return nullptr;
}

}  // namespace lindero::ir::integer
