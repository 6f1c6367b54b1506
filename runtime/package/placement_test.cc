#include "runtime/package/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "runtime/field/m31.h"
#include "runtime/package/program_steps.h"

namespace lindero::runtime {
namespace {

struct Axis {
  uint64_t count;
  int64_t row_stride, value_stride;
};

Placement makePlacement(uint32_t lanes, int64_t lane_stride, uint64_t first_row, int64_t offset,
                        const std::vector<Axis>& axes) {
  Placement p;
  p.set_lanes(lanes);
  p.set_lane_stride(lane_stride);
  p.set_first_row(first_row);
  p.set_offset(offset);
  for (const Axis& axis : axes) {
    Dim* dim = p.add_dims();
    dim->set_count(axis.count);
    dim->set_row_stride(axis.row_stride);
    dim->set_value_stride(axis.value_stride);
  }
  return p;
}

Circuit fixedTable(uint32_t log_height, uint32_t columns) {
  Circuit circuit;
  Table* table = circuit.add_tables();
  table->set_name("t");
  table->set_log_height(log_height);
  for (uint32_t c = 0; c < columns; ++c) table->add_columns()->set_name("c" + std::to_string(c));
  return circuit;
}

// The definition in program.proto, index by index.
void forEachCell(const Placement& p, const std::function<void(uint64_t, int64_t, int64_t)>& visit) {
  std::function<void(int, int64_t, int64_t, uint64_t)> walk = [&](int dim, int64_t row,
                                                                  int64_t value, uint64_t lane) {
    if (dim == p.dims_size()) return visit(lane, row, value);
    const Dim& d = p.dims(dim);
    for (uint64_t i = 0; i < d.count(); ++i) {
      walk(dim + 1, row + static_cast<int64_t>(i) * d.row_stride(),
           value + static_cast<int64_t>(i) * d.value_stride(), lane);
    }
  };
  for (uint64_t lane = 0; lane < p.lanes(); ++lane) {
    walk(0, p.first_row(), p.offset() + static_cast<int64_t>(lane) * p.lane_stride(), lane);
  }
}

const std::vector<Placement>& placements() {
  static const std::vector<Placement> all = {
      makePlacement(1, 0, 0, 0, {}),
      makePlacement(1, 0, 3, 2, {{4, 1, 1}}),
      makePlacement(4, 1, 0, 0, {{5, 1, 4}}),
      makePlacement(3, 7, 2, -3, {{3, 8, 21}, {7, 1, 1}}),
      makePlacement(2, 1, 40, 0, {{5, -8, 2}, {3, 2, 10}}),
      makePlacement(4, 1, 0, 0, {{6, 4, 10}, {3, 1, 4}}),  // lanes pad each row of 10 to 12
      makePlacement(2, -1, 0, 30, {{16, 1, -2}}),
      makePlacement(2, 1, 5, 0, {{4, 1, 0}, {2, 4, 2}}),  // broadcast over rows
      makePlacement(1, 0, 0, -7, {{30, 1, 3}}),
  };
  return all;
}

TEST(Placement, LoadAndStoreFollowTheDefinition) {
  Circuit circuit = fixedTable(6, 4);
  Program program;
  std::mt19937_64 random(5);
  for (size_t k = 0; k < placements().size(); ++k) {
    const Placement& p = placements()[k];
    ASSERT_TRUE(program::checkCells(p, 0, ProgramSurroundings(program, circuit)).ok()) << k;
    for (int64_t size : {1, 20, 57, 63}) {
      std::vector<std::vector<uint32_t>> columns(4, std::vector<uint32_t>(64));
      for (auto& column : columns) {
        for (uint32_t& cell : column) cell = random() % kModulus;
      }
      std::vector<int32_t> loaded(size, 99), expected(size, 99);
      for (uint64_t lane = 0; lane < p.lanes(); ++lane) {
        loadLane(p, lane, columns[lane], absl::MakeSpan(loaded));
      }
      if (isInjective(p)) {
        const PlacementTiles tiles(p);
        std::vector<int32_t> tiled(size, 99);
        for (uint64_t tile = tiles.count(); tile-- > 0;) {
          auto column = [&](uint64_t lane) { return absl::MakeConstSpan(columns[lane]); };
          tiles.load(tile, column, absl::MakeSpan(tiled));
        }
        EXPECT_EQ(tiled, loaded) << k << " size " << size;
      }
      // With two cells for one element the walks may differ in which one wins; none here differ.
      if (k != 5 && k != 7) {
        forEachCell(p, [&](uint64_t lane, int64_t row, int64_t value) {
          if (value >= 0 && value < size) {
            expected[value] =
                static_cast<int32_t>(M31::fromCanonical(columns[lane][row]).centered());
          }
        });
        EXPECT_EQ(loaded, expected) << k << " size " << size;
      }
      auto stored = columns, wanted = columns;
      for (uint64_t lane = 0; lane < p.lanes(); ++lane) {
        storeLane(p, lane, expected, absl::MakeSpan(stored[lane]));
      }
      forEachCell(p, [&](uint64_t lane, int64_t row, int64_t value) {
        if (value >= 0 && value < size)
          wanted[lane][row] = M31::fromSigned(expected[value]).value();
      });
      EXPECT_EQ(stored, wanted) << k << " size " << size;
    }
  }
}

TEST(Placement, RowsAreThoseOfTheCells) {
  for (size_t k = 0; k < placements().size(); ++k) {
    int64_t first = std::numeric_limits<int64_t>::max(), last = -1;
    forEachCell(placements()[k], [&](uint64_t, int64_t row, int64_t) {
      first = std::min(first, row);
      last = std::max(last, row);
    });
    EXPECT_EQ(rowsOf(placements()[k]), (std::pair<uint64_t, uint64_t>(first, last))) << k;
  }
}

TEST(Placement, IndexFindsEveryCell) {
  for (size_t k = 0; k < placements().size(); ++k) {
    const Placement& p = placements()[k];
    absl::StatusOr<PlacementIndex> index = PlacementIndex::create(p);
    if (k == 6) {
      EXPECT_FALSE(index.ok()) << "negative strides";
      continue;
    }
    ASSERT_TRUE(index.ok()) << k << index.status();
    std::vector<std::vector<std::pair<uint64_t, uint64_t>>> cells(200);
    forEachCell(p, [&](uint64_t lane, int64_t row, int64_t value) {
      if (value >= 0) cells[value].push_back({lane, row});
    });
    for (int64_t value = 0; value < 200; ++value) {
      auto found = index->find(value);
      ASSERT_EQ(found.has_value(), !cells[value].empty()) << k << " value " << value;
      if (!found) continue;
      std::pair<uint64_t, uint64_t> cell{found->lane, found->row};
      EXPECT_NE(std::find(cells[value].begin(), cells[value].end(), cell), cells[value].end())
          << k << " value " << value;
    }
  }
}

}  // namespace
}  // namespace lindero::runtime
