// The format numbers of the files that this version reads and writes; of other ones it reads none.
// The trace program's is with its schema: program::kProgramFormat.
#ifndef LINDERO_RUNTIME_PACKAGE_FORMATS_H_
#define LINDERO_RUNTIME_PACKAGE_FORMATS_H_

#include <cstdint>

namespace lindero::runtime {

inline constexpr uint32_t kCircuitFormat = 1;
inline constexpr uint32_t kBundleFormat = 1;
inline constexpr uint32_t kStatementFormat = 1;
inline constexpr uint32_t kKeyFormat = 2;
inline constexpr uint32_t kProofFormat = 4;

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_FORMATS_H_
