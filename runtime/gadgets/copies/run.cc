// Copies by any fixed map.
#include <algorithm>

#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kGrain = uint64_t{1} << 14;  // elements per task

// Element e of all lines, see program.proto.
struct Lines {
  uint64_t length, columns;
  uint64_t at(uint64_t e) const {
    const uint64_t line = e / length;
    return (line / columns * length + e % length) * columns + line % columns;
  }
};

}  // namespace

absl::Status run(const StepContext& context, const CopyElements& step) {
  absl::Span<const int32_t> in = context.in(step.in()), tags = context.in(step.tags());
  absl::Span<int32_t> out = context.out(step.out());
  absl::Span<const int32_t> otherwise;
  if (step.has_otherwise()) otherwise = context.in(step.otherwise());
  const Lines from{step.in_length(), step.in_columns()}, to{step.length(), step.columns()};
  const uint64_t width = step.width(), blocks = in.size() / width;
  const uint64_t grain = std::max<uint64_t>(1, kGrain / to.length);  // lines
  const uint64_t tasks = (step.lines() + grain - 1) / grain;
  return context.forEach(tasks, 1, [&](uint64_t task) -> absl::Status {
    const uint64_t end = std::min<uint64_t>(step.lines(), (task + 1) * grain);
    for (uint64_t line = task * grain; line < end; ++line) {
      for (uint64_t i = 0; i < to.length; ++i) {
        const uint64_t place = to.at(line * to.length + i);
        const uint64_t tag = (line * to.length + i) / width;  // blocks are within lines
        const int64_t block = tags[tag] - int64_t{step.first_tag()};
        if (block >= 0 && static_cast<uint64_t>(block) < blocks) {
          out[place] = in[from.at(static_cast<uint64_t>(block) * width + i % width)];
        } else {
          out[place] = otherwise.empty() ? 0 : otherwise[place];
        }
      }
    }
    return absl::OkStatus();
  });
}

}  // namespace lindero::runtime
