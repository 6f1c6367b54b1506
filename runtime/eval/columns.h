// The columns of all phases of a circuit, as evaluators read them: pointers into mapped files for
// phases 0 and 1, own memory for phases 2 and 3 (four arrays per column, one per coordinate of the
// extension).
#ifndef LINDERO_RUNTIME_EVAL_COLUMNS_H_
#define LINDERO_RUNTIME_EVAL_COLUMNS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "runtime/field/qm31.h"
#include "runtime/package/package.h"

namespace lindero::runtime {

// Base columns use limb[0] only; the others are null.
struct ColumnView {
  const uint32_t* limb[4] = {nullptr, nullptr, nullptr, nullptr};

  bool isExtension() const { return limb[1] != nullptr; }
  QM31 at(uint64_t row) const {
    if (!isExtension()) return QM31(M31::fromCanonical(limb[0][row]));
    return QM31::fromLimbs({limb[0][row], limb[1][row], limb[2][row], limb[3][row]});
  }
};

struct MutableExtColumn {
  uint32_t* limb[4] = {nullptr, nullptr, nullptr, nullptr};

  void set(uint64_t row, const QM31& value) const {
    for (size_t k = 0; k < 4; ++k) limb[k][row] = value.limb(k);
  }
  QM31 at(uint64_t row) const {
    return QM31::fromLimbs({limb[0][row], limb[1][row], limb[2][row], limb[3][row]});
  }
};

class Columns {
 public:
  // `main` holds the columns of phase 1 in the layout of trace.bin. Package and cells must outlive
  // this. Columns of phases 2 and 3 do not exist until `allocate`.
  Columns(const Package& package, absl::Span<const uint32_t> main);

  const ColumnView& view(uint32_t table, uint32_t column) const { return views_[table][column]; }
  const std::vector<ColumnView>& table(uint32_t table) const { return views_[table]; }

  // Are the files so large that what is read next is to be announced?
  bool announced() const { return announced_; }

  // Memory for a column of phase 2 or 3, padded to whole vectors; its content is undefined until it
  // is filled. A column that exists keeps its memory.
  MutableExtColumn allocate(uint32_t table, uint32_t column, uint64_t height);
  // Gives it back.
  void release(uint32_t table, uint32_t column);

 private:
  bool announced_;
  std::vector<std::vector<ColumnView>> views_;
  std::vector<std::vector<std::unique_ptr<uint32_t[]>>> owned_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_EVAL_COLUMNS_H_
