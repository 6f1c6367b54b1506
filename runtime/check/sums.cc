#include "runtime/check/sums.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

// 1 / (z - first - k) for k < count.
absl::StatusOr<std::vector<QM31>> inversesFrom(const QM31& z, uint64_t first, uint64_t count) {
  std::vector<QM31> values;
  values.reserve(count);
  for (uint64_t k = 0; k < count; ++k) values.push_back(z - QM31(M31::fromUnsigned(first + k)));
  if (batchInverse(absl::MakeSpan(values)) != 0) {
    return absl::InvalidArgumentError(
        "a challenge hits an address of a public tensor; draw others");
  }
  return values;
}

QM31 columnSum(const ColumnView& view, uint64_t height) {
  QM31 sum;
  for (uint64_t row = 0; row < height; ++row) sum += view.at(row);
  return sum;
}

std::string describeClaimedSum(const Circuit& circuit, const CircuitInfo& info,
                               const Columns& columns, int claimed_sum, const QM31& value) {
  const ColumnRef& ref = info.claimed_sum_columns[claimed_sum];
  const Table& table = circuit.tables(static_cast<int>(ref.table));
  std::string text = absl::StrCat("\n  claimed sum ", circuit.claimed_sums(claimed_sum).name(),
                                  " of table ", table.name(), " = ", value.toString());
  for (int c = 0; c < table.columns_size(); ++c) {
    const Column& column = table.columns(c);
    bool beside = column.phase() == table.columns(static_cast<int>(ref.column)).phase() &&
                  column.has_fraction() && !column.fraction().running();
    if (!beside) continue;
    absl::StrAppend(&text, "\n    sum of ", column.name(), " = ",
                    columnSum(columns.view(ref.table, c), tableHeight(table)).toString());
  }
  return text;
}

}  // namespace

absl::StatusOr<QM31> publicTerm(const PublicTensor& tensor, const PublicValues& values,
                                const QM31& za, const QM31& zr, const QM31& zc) {
  const uint64_t rows = tensor.rows(), columns = tensor.columns();
  const uint64_t tile_rows = tensor.tile_rows(), tile_columns = tensor.tile_columns();
  const uint64_t across = (columns - 1) / tile_columns + 1, down = (rows - 1) / tile_rows + 1;
  LINDERO_ASSIGN_OR_RETURN(std::vector<QM31> by_tile,
                           inversesFrom(za, tensor.address(), across * down));
  LINDERO_ASSIGN_OR_RETURN(std::vector<QM31> by_row,
                           inversesFrom(zr, 0, std::min(rows, tile_rows)));
  LINDERO_ASSIGN_OR_RETURN(std::vector<QM31> by_column,
                           inversesFrom(zc, 0, std::min(columns, tile_columns)));
  QM31 sum;
  for (uint64_t i = 0; i < rows; ++i) {
    QM31 row_sum;
    for (uint64_t tile = 0; tile < across; ++tile) {
      QM31 tile_sum;
      for (uint64_t j = tile * tile_columns; j < std::min(columns, (tile + 1) * tile_columns);
           ++j) {
        tile_sum += by_column[j % tile_columns] *
                    QM31(M31::fromSigned(values.values(static_cast<int>(i * columns + j))));
      }
      row_sum += by_tile[i / tile_rows * across + tile] * tile_sum;
    }
    sum += by_row[i % tile_rows] * row_sum;
  }
  return tensor.negative() ? -sum : sum;
}

std::vector<QM31> readClaimedSums(const Circuit& circuit, const CircuitInfo& info,
                                  const Columns& columns, uint32_t phase) {
  std::vector<QM31> claimed_sums(circuit.claimed_sums_size());
  for (int i = 0; i < circuit.claimed_sums_size(); ++i) {
    const ColumnRef& ref = info.claimed_sum_columns[i];
    const Table& table = circuit.tables(static_cast<int>(ref.table));
    if (table.columns(static_cast<int>(ref.column)).phase() > phase) continue;
    claimed_sums[i] = columns.view(ref.table, ref.column).at(tableHeight(table) - 1);
  }
  return claimed_sums;
}

std::vector<QM31> sumsOfGroups(const Circuit& circuit, absl::Span<const QM31> claimed_sums) {
  std::vector<QM31> sums(circuit.sum_groups_size());
  for (int i = 0; i < circuit.claimed_sums_size(); ++i)
    sums[circuit.claimed_sums(i).group()] += claimed_sums[i];
  return sums;
}

absl::Status checkLinks(const Bundle& bundle, absl::Span<const Circuit* const> circuits,
                        absl::Span<const std::vector<QM31>> blocks) {
  const size_t members = circuits.size();
  std::vector<std::vector<QM31>> sums(blocks.size());
  for (size_t b = 0; b < blocks.size(); ++b) {
    sums[b] = sumsOfGroups(*circuits[b % members], blocks[b]);
  }
  for (size_t step = 0; step < blocks.size() / members; ++step) {
    for (const Link& link : bundle.links()) {
      QM31 sum;
      for (const LinkEnd& end : link.ends()) {
        if (end.before() && step == 0) continue;
        sum += sums[(step - (end.before() ? 1 : 0)) * members + end.member()][end.group()];
      }
      if (sum.isZero()) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("step ", step, ": the ends of a link differ: ",
                       absl::StrJoin(link.ends(), ", ", [&](std::string* out, const LinkEnd& end) {
                         const Circuit& circuit = *circuits[end.member()];
                         absl::StrAppend(out, "sum group ",
                                         circuit.sum_groups(static_cast<int>(end.group())).name());
                         if (members > 1) {
                           const auto member = static_cast<int>(end.member());
                           absl::StrAppend(out, " of member ", bundle.members(member).name());
                         }
                         if (end.before()) {
                           absl::StrAppend(out, step == 0 ? " before the first step (zeros)"
                                                          : " in the step before");
                         }
                       })));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Failure>> checkSumGroups(const Circuit& circuit, const CircuitInfo& info,
                                                    const Columns& columns,
                                                    const Statement& statement,
                                                    absl::Span<const QM31> challenges,
                                                    absl::Span<const QM31> claimed_sums,
                                                    const std::vector<bool>& linked) {
  std::vector<QM31> sums = sumsOfGroups(circuit, claimed_sums), terms;
  for (int i = 0; i < circuit.publics_size(); ++i) {
    const PublicTensor& tensor = circuit.publics(i);
    LINDERO_ASSIGN_OR_RETURN(
        QM31 term,
        publicTerm(tensor, statement.tensors(i), challenges[tensor.address_challenge()],
                   challenges[tensor.row_challenge()], challenges[tensor.column_challenge()]));
    terms.push_back(term);
    sums[tensor.group()] += term;
  }
  std::vector<Failure> failures;
  for (uint32_t g = 0; g < sums.size(); ++g) {
    if (linked[g] || sums[g].isZero()) continue;
    Failure failure;
    failure.kind = Failure::Kind::kSumGroup;
    failure.name = circuit.sum_groups(static_cast<int>(g)).name();
    failure.detail = absl::StrCat("the sum is ", sums[g].toString());
    for (int i = 0; i < circuit.claimed_sums_size(); ++i) {
      if (circuit.claimed_sums(i).group() != g) continue;
      absl::StrAppend(&failure.detail,
                      describeClaimedSum(circuit, info, columns, i, claimed_sums[i]));
    }
    for (int i = 0; i < circuit.publics_size(); ++i) {
      if (circuit.publics(i).group() != g) continue;
      absl::StrAppend(&failure.detail, "\n  public ", circuit.publics(i).name(), " = ",
                      terms[i].toString());
    }
    failures.push_back(std::move(failure));
  }
  return failures;
}

}  // namespace lindero::runtime
