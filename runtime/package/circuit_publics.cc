#include "runtime/package/circuit_publics.h"

#include <algorithm>
#include <array>
#include <string>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "runtime/field/m31.h"
#include "runtime/package/field_path.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

uint64_t tilesOf(const PublicTensor& tensor) {
  return (uint64_t{tensor.rows() - 1} / tensor.tile_rows() + 1) *
         (uint64_t{tensor.columns() - 1} / tensor.tile_columns() + 1);
}

// Else a value could be moved from one tensor to another.
absl::Status checkAddresses(const Circuit& circuit) {
  using Space = std::array<uint32_t, 4>;  // group and challenges
  std::vector<std::tuple<Space, uint64_t, uint64_t, int>> ranges;
  for (int i = 0; i < circuit.publics_size(); ++i) {
    const PublicTensor& tensor = circuit.publics(i);
    ranges.emplace_back(Space{tensor.group(), tensor.address_challenge(), tensor.row_challenge(),
                              tensor.column_challenge()},
                        tensor.address(), tensor.address() + tilesOf(tensor), i);
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t k = 1; k < ranges.size(); ++k) {
    const auto& [space, first, end, i] = ranges[k];
    const auto& [space_before, first_before, end_before, before] = ranges[k - 1];
    if (space != space_before || end_before <= first) continue;
    return FieldPath("circuit.pb")
        .at("publics", i, circuit.publics(i).name())
        .error(FormatRule::kAddresses, "it has addresses of \"", circuit.publics(before).name(),
               "\"");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status checkPublics(const Circuit& circuit) {
  constexpr int64_t kHalf = kModulus / 2;
  if (circuit.publics_size() > kMaxPublics) {
    return FieldPath("circuit.pb")
        .error(FormatRule::kLimits, "more than ", kMaxPublics, " public tensors");
  }
  std::unordered_set<std::string> names;
  for (int i = 0; i < circuit.publics_size(); ++i) {
    const PublicTensor& tensor = circuit.publics(i);
    FieldPath field = FieldPath("circuit.pb").at("publics", i, tensor.name());
    LINDERO_RETURN_IF_ERROR(checkUniqueName(field, names, tensor.name()));
    if (!PublicTensor::Kind_IsValid(tensor.kind())) {
      return field.error(FormatRule::kEncoding, "unknown kind ", static_cast<int>(tensor.kind()));
    }
    uint64_t size = uint64_t{tensor.rows()} * tensor.columns();
    if (size == 0 || size > (uint64_t{1} << kMaxLogHeight)) {
      return field.error(FormatRule::kPublics, "the shape ", tensor.rows(), " x ", tensor.columns(),
                         " is empty or larger than 2^", kMaxLogHeight);
    }
    if (tensor.low() > tensor.high() || tensor.low() < -kHalf || tensor.high() > kHalf) {
      return field.error(FormatRule::kPublics, "[low, high] = [", tensor.low(), ", ", tensor.high(),
                         "] is empty or does not fit the field");
    }
    for (uint32_t tile : {tensor.tile_rows(), tensor.tile_columns()}) {
      if (tile == 0 || tile > kModulus) {
        return field.error(FormatRule::kPublics, "a tile of ", tile, " rows or columns");
      }
    }
    if (tensor.address() + tilesOf(tensor) > kModulus)
      return field.error(FormatRule::kPublics, "the addresses do not fit the field");
    if (tensor.group() >= static_cast<uint32_t>(circuit.sum_groups_size())) {
      return field.error(FormatRule::kPublics, "sum group ", tensor.group(), " does not exist");
    }
    for (uint32_t challenge :
         {tensor.address_challenge(), tensor.row_challenge(), tensor.column_challenge()}) {
      if (challenge >= static_cast<uint32_t>(circuit.challenges_size())) {
        return field.error(FormatRule::kPublics, "challenge ", challenge, " does not exist");
      }
    }
  }
  return checkAddresses(circuit);
}

absl::Status checkExports(const Circuit& circuit, const CircuitInfo& info) {
  const FieldPath file("circuit.pb");
  auto exported = [&](uint32_t group) {
    return circuit.sum_groups(static_cast<int>(group)).exported();
  };
  std::vector<bool> claimed(circuit.sum_groups_size(), false);
  for (int i = 0; i < circuit.claimed_sums_size(); ++i) {
    const ClaimedSum& claimed_sum = circuit.claimed_sums(i);
    claimed[claimed_sum.group()] = true;
    const ColumnRef ref = info.claimed_sum_columns[i];
    const uint32_t phase = circuit.tables(ref.table).columns(ref.column).phase();
    if (exported(claimed_sum.group()) && phase != 2) {
      return file.at("claimed_sums", i, claimed_sum.name())
          .error(FormatRule::kExports, "is of a sum group that is exported, but of phase ", phase,
                 ": blocks share the challenges of phase 1 alone");
    }
  }
  for (int g = 0; g < circuit.sum_groups_size(); ++g) {
    if (exported(g) && !claimed[g]) {
      return file.at("sum_groups", g, circuit.sum_groups(g).name())
          .error(FormatRule::kExports, "is exported, and has no claimed sum");
    }
  }
  for (const PublicTensor& tensor : circuit.publics()) {
    if (exported(tensor.group())) {
      return file.error(FormatRule::kExports, "publics: \"", tensor.name(),
                        "\" is of a sum group that is exported");
    }
  }
  return absl::OkStatus();
}

}  // namespace lindero::runtime
