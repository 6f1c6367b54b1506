#include "passes/lower_air/gadgets/copies/lines.h"

namespace lindero::passes {
namespace {

constexpr size_t kMaxLoops = 5;

}  // namespace

Lines Lines::of(const MatrixShape& shape, Major major) {
  if (major == Major::kRow) return {major, shape.columns, 1, shape.rows};
  return {major, shape.rows, shape.columns, shape.columns};
}

int64_t Lines::flat(int64_t e) const {
  const int64_t line = e / length, place = e % length;
  return (line / columns * length + place) * columns + line % columns;
}

int64_t Lines::at(int64_t flat) const {
  const int64_t row = flat / columns, column = flat % columns;
  return (row / length * columns + column) * length + row % length;
}

std::vector<LinePart> partsOf(const Lines& lines, int64_t lanes) {
  const int64_t full = lines.length / lanes, rest = lines.length % lanes;
  std::vector<LinePart> parts;
  if (full > 0) parts.push_back({lanes, 0, full});
  if (rest > 0) parts.push_back({rest, full, 1});
  return parts;
}

std::vector<Loop> loopsOver(const Lines& lines, const LinePart& part, int64_t lanes,
                            int64_t per_line, int64_t per_row) {
  return {{lines.count, lines.tiles(lanes), per_line}, {part.tiles, 1, per_row}};
}

Cells cellsOf(const Lines& lines, const LinePart& part, int64_t lanes, int64_t first_row) {
  const int64_t tiles = lines.tiles(lanes), step = lines.columns;
  return {first_row + part.first_tile,
          {{lines.count / lines.columns, lines.columns * tiles, lines.length * lines.columns},
           {lines.columns, tiles, 1},
           {part.tiles, 1, lanes * step}},
          part.first_tile * lanes * step,
          step};
}

std::optional<std::vector<Loop>> findLoops(llvm::ArrayRef<int32_t> numbers, int64_t stride) {
  const int64_t size = numbers.size();
  std::vector<Loop> loops;
  // The numbers that are `step` apart are left.
  for (int64_t step = stride, left = size / stride; left > 1;) {
    const int64_t change = int64_t{numbers[step]} - numbers[0];
    int64_t count = 2;
    while (count < left && numbers[count * step] - numbers[0] == change * count) ++count;
    if (left % count != 0 || loops.size() == kMaxLoops) return std::nullopt;
    loops.insert(loops.begin(), {count, step / stride, change});
    step *= count, left /= count;
  }
  // What the first ones of each loop showed must be so of all.
  for (int64_t i = 0; i < size; i += stride) {
    int64_t value = numbers[0], index = i / stride;
    for (const Loop& loop : loops) {
      value += index / loop.row_stride * loop.value_stride;
      index %= loop.row_stride;
    }
    if (value != numbers[i]) return std::nullopt;
  }
  return loops;
}

}  // namespace lindero::passes
