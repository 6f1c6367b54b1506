#include "runtime/trace/in_place.h"

#include <optional>
#include <set>
#include <vector>

#include "runtime/package/placement.h"
#include "runtime/package/program_info.h"

namespace lindero::runtime {
namespace {

// Of fewer, lanes make blocks too narrow for a fast product.
constexpr uint64_t kLeastLanes = 64;

std::optional<FixedMatrix> matrixOf(const Placement& placement, uint64_t size) {
  const std::vector<Dim> dims = nestedDims(placement);
  const uint64_t lanes = placement.lanes();
  if (dims.size() != 1 || lanes < kLeastLanes || placement.lane_stride() != 1 ||
      placement.offset() != 0 || dims[0].row_stride() != 1 ||
      dims[0].value_stride() != static_cast<int64_t>(lanes) || dims[0].count() * lanes != size)
    return std::nullopt;
  return FixedMatrix{placement.table(), placement.column(), placement.first_row(), lanes,
                     dims[0].count()};
}

// Is the buffer nothing but the right side, each column of which is one lane?
bool reads(const MatMul& product, uint32_t buffer, int64_t lanes) {
  const Strides& strides = product.rhs_strides();
  return product.rhs() == buffer && product.lhs() != buffer &&
         !(product.has_bias() && product.bias() == buffer) && product.batch() == 1 &&
         strides.column() == 1 && strides.row() > 0 && strides.row() % lanes == 0;
}

}  // namespace

std::map<uint32_t, FixedMatrix> matricesInPlace(const Program& program) {
  std::map<uint32_t, FixedMatrix> matrices;
  std::set<uint32_t> others;  // that are not written by one step alone, or are written to the trace
  for (const Placement& placement : program.placements()) others.insert(placement.buffer());
  std::set<uint32_t> written;
  for (const Step& step : program.steps()) {
    for (uint32_t buffer : buffersOf(step).writes) {
      if (!written.insert(buffer).second) others.insert(buffer);
    }
    if (!step.has_load()) continue;
    const uint32_t out = step.load().out();
    const std::optional<FixedMatrix> matrix =
        matrixOf(step.load().placement(), program.buffers(static_cast<int>(out)).size());
    if (matrix) matrices[out] = *matrix;
  }
  for (uint32_t buffer : others) matrices.erase(buffer);
  for (const Step& step : program.steps()) {
    for (uint32_t buffer : buffersOf(step).reads) {
      const auto found = matrices.find(buffer);
      if (found == matrices.end()) continue;
      const auto lanes = static_cast<int64_t>(found->second.lanes);
      if (!step.has_matmul() || !reads(step.matmul(), buffer, lanes)) matrices.erase(found);
    }
  }
  return matrices;
}

}  // namespace lindero::runtime
