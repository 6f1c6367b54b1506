// What a kernel works with, and how it reports values that leave their ranges.
#ifndef LINDERO_RUNTIME_TRACE_STEP_CONTEXT_H_
#define LINDERO_RUNTIME_TRACE_STEP_CONTEXT_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "runtime/field/m31.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.pb.h"
#include "runtime/parallel/thread_pool.h"
#include "runtime/trace/buffers.h"

namespace lindero::runtime {

// Every buffer element stays within |v| <= kMaxElement, so that it has one residue.
inline constexpr int64_t kMaxElement = (int64_t{1} << 31) - 2;

// A value that an honest run may not have: it names step, what, position and range.
struct RangeViolation {
  absl::string_view what;
  uint64_t row = 0;
  uint64_t column = 0;
  int64_t value = 0;
  int64_t low = 0;
  int64_t high = 0;
};

// What a block of a bundle leaves to the next one, by slot.
using LinkValues = std::vector<std::vector<int32_t>>;

// What a run reads and writes besides buffers. The statement holds all public tensors in the
// circuit's order.
struct RunState {
  Statement* statement = nullptr;
  const LinkValues* before = nullptr;
  LinkValues* after = nullptr;
};

class StepContext {
 public:
  // Steps that read inputs, write outputs or hand values on need a `state`.
  StepContext(const Package& package, const Step& step, Buffers& buffers, ThreadPool& pool,
              RunState state = {})
      : package(package), step(step), buffers(buffers), pool(pool), state(state) {}

  absl::Span<int32_t> out(uint32_t buffer) const { return buffers.at(buffer); }
  absl::Span<const int32_t> in(uint32_t buffer) const { return buffers.at(buffer); }
  // Rows [first_row, first_row + rows) of a fixed column.
  absl::Span<const uint32_t> fixed(uint32_t table, uint32_t column, uint64_t first_row,
                                   uint64_t rows) const {
    return package.fixedColumn(table, column).subspan(first_row, rows);
  }

  absl::Status error(const RangeViolation& violation) const;
  absl::Status error(absl::string_view reason) const;

  // body(i) for every i < count, in parallel; the error of the smallest i, whatever the threads do.
  // `grain` indices make one task.
  absl::Status forEach(uint64_t count, uint64_t grain,
                       absl::FunctionRef<absl::Status(uint64_t)> body) const;

  const Package& package;
  const Step& step;
  Buffers& buffers;
  ThreadPool& pool;
  const RunState state;
};

// A residue as a signed number.
inline int32_t signedValue(uint32_t residue) {
  return static_cast<int32_t>(M31::fromCanonical(residue).centered());
}

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TRACE_STEP_CONTEXT_H_
