// Weights and lengths of folds, and cells that nothing reads.
#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "runtime/eval/describe.h"
#include "runtime/eval/scalars.h"
#include "runtime/package/circuit_access.h"
#include "runtime/package/status_macros.h"
#include "runtime/tamper/adaptive/peeling.h"
#include "runtime/tamper/adaptive/premises.h"

namespace lindero::runtime {
namespace {

// "x.3" -> "x": the values that make up a lane's number stand in columns of several families.
std::string familyOf(const std::string& name) { return name.substr(0, name.find('.')); }

class FoldCheck {
 public:
  FoldCheck(Derivatives& derivatives, const Witness& any, ThreadPool& pool)
      : derivatives_(derivatives), circuit_(derivatives.circuit()), any_(any), pool_(pool) {}

  absl::StatusOr<std::vector<Premise>> run() {
    struct Scanned {
      uint32_t table, column, mul;
      std::map<Leaf, uint32_t> of;
    };
    std::vector<Scanned> scans;
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      const Table& table = circuit_.tables(t);
      for (int c = firstColumnOfPhase(table, 2); c < table.columns_size(); ++c) {
        const Column& column = table.columns(c);
        if (!column.has_scan()) continue;
        scans.push_back({static_cast<uint32_t>(t), static_cast<uint32_t>(c), column.scan().mul(),
                         derivatives_.of(column.scan().add(), [&](const Leaf& leaf) {
                           return leaf.kind == Leaf::Kind::kColumn && leaf.offset == 0 &&
                                  table.columns(static_cast<int>(leaf.index)).phase() == 1;
                         })});
      }
    }
    Scalars scalars(circuit_, derivatives_.info());
    LINDERO_RETURN_IF_ERROR(scalars.advance(3, any_.challenges, any_.claimed_sums));
    for (const Scanned& s : scans) checkScan(s.table, s.column, s.mul, s.of, scalars);
    return std::vector<Premise>{std::move(weights_), std::move(runs_)};
  }

 private:
  struct Weight {
    uint32_t family;
    uint64_t segment;
    std::array<uint32_t, 4> weight;
    uint64_t row;
    auto key() const { return std::tie(family, segment, weight); }
  };

  void checkScan(uint32_t t, uint32_t c, uint32_t mul, const std::map<Leaf, uint32_t>& of,
                 const Scalars& scalars) {
    const Table& table = tableOf(circuit_, t);
    const uint64_t height = tableHeight(table);
    std::vector<std::vector<QM31>> values(of.size() + 1, std::vector<QM31>(height));
    RootGroup roots{mul};
    for (const auto& [leaf, node] : of) roots.push_back(node);
    RowProgram program(circuit_, derivatives_.info(), t, absl::MakeConstSpan(&roots, 1));
    forAllRows(circuit_, program, *any_.columns, scalars, pool_,
               [&](size_t, uint64_t first, size_t rows, absl::Span<const RootValues> found) {
                 for (size_t k = 0; k < found.size(); ++k) {
                   for (size_t i = 0; i < rows; ++i) values[k][first + i] = found[k].at(i);
                 }
               });
    checkRuns(t, c, values[0]);
    std::map<std::string, uint32_t> families;
    std::vector<Weight> weights;
    QM31 after(M31::fromCanonical(1));  // what the row's addend is multiplied by on the way down
    uint64_t segment = 0;
    for (uint64_t row = height; row-- > 0;) {
      size_t k = 1;
      for (const auto& [leaf, unused] : of) {
        const QM31 w = values[k++][row] * after;
        if (w.isZero()) continue;
        const std::string family = familyOf(table.columns(static_cast<int>(leaf.index)).name());
        const auto at = families.try_emplace(family, families.size()).first->second;
        weights.push_back({at, segment, w.limbs(), row});
      }
      const QM31 m = row == 0 ? QM31() : values[0][row];
      if (m.isZero()) ++segment;
      after = m.isZero() ? QM31(M31::fromCanonical(1)) : after * m;
    }
    std::sort(weights.begin(), weights.end(),
              [](const Weight& a, const Weight& b) { return a.key() < b.key(); });
    weights_.examined += weights.size();
    for (size_t i = 1; i < weights.size(); ++i) {
      if (weights[i].key() != weights[i - 1].key()) continue;
      weights_.fail(absl::StrCat(describeColumn(circuit_, t, c), ": cells of ",
                                 describeRow(table, weights[i].row), " and row ",
                                 weights[i - 1].row, " have one weight"));
    }
  }

  // A multiplier that is zero for random cells and challenges is zero for all.
  void checkRuns(uint32_t t, uint32_t c, absl::Span<const QM31> mul) {
    const Table& table = tableOf(circuit_, t);
    const uint64_t declared = table.columns(static_cast<int>(c)).scan().rows();
    uint64_t first = 0;
    for (uint64_t row = 0; row < mul.size(); ++row) {
      if (row == 0 || mul[row].isZero()) {
        first = row;
        ++runs_.examined;
      }
      if (declared == 0 || row - first != declared) continue;
      runs_.fail(absl::StrCat(describeColumn(circuit_, t, c), ": goes on from row ", first,
                              " over more than ", declared, " rows, to ", describeRow(table, row)));
    }
  }

  Derivatives& derivatives_;
  const Circuit& circuit_;
  const Witness& any_;
  ThreadPool& pool_;
  Premise weights_{"weights in folds: no two alike"};
  Premise runs_{"folds: no longer than declared"};
};

// Goes backwards from what binds: a constraint that defines no column, and a sum.
class Liveness {
 public:
  Liveness(Derivatives& derivatives, const Witness& any, ThreadPool& pool)
      : derivatives_(derivatives), circuit_(derivatives.circuit()), any_(any), pool_(pool) {}

  absl::Status run() {
    LINDERO_RETURN_IF_ERROR(readConstraints());
    LINDERO_RETURN_IF_ERROR(readGathers());
    for (size_t i = 0; i < equations_.size(); ++i) {
      if (columns_[i] < 0 || sums_[i]) mark(equations_[i], columns_[i], nullptr);
    }
    do {
      changed_ = false;
      for (size_t i = 0; i < equations_.size(); ++i) {
        if (columns_[i] < 0 || sums_[i]) continue;
        RowMask& own = live_[{equations_[i].table, static_cast<uint32_t>(columns_[i])}];
        carryBack(equations_[i], columns_[i], own);
        mark(equations_[i], columns_[i], &own);
      }
      for (const GatheredCell& g : gathered_) {
        RowMask& source = live_[g.source];
        if (!live_[g.place][g.row] || source[g.source_row]) continue;
        source[g.source_row] = 1;
        changed_ = true;
      }
    } while (changed_);
    return absl::OkStatus();
  }

  const RowMask& of(const Place& place) const { return live_.at(place); }

 private:
  struct GatheredCell {
    Place place, source;
    uint64_t row, source_row;
  };

  absl::Status readConstraints() {
    std::vector<Equation> phases = findEquations(derivatives_);
    LINDERO_RETURN_IF_ERROR(evaluateEquations(derivatives_, any_, *any_.columns, pool_, phases));
    const Peeling peelings[] = {peel(derivatives_, phases, 2), peel(derivatives_, phases, 3)};
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      const Table& table = circuit_.tables(t);
      const uint32_t own = static_cast<uint32_t>(t);
      for (int c = firstColumnOfPhase(table, 1); c < table.columns_size(); ++c) {
        live_[{own, static_cast<uint32_t>(c)}].assign(tableHeight(table), 0);
      }
      for (int i = 0; i < table.constraints_size(); ++i) {
        const uint32_t node = table.constraints(i).node();
        Equation e{own, static_cast<uint32_t>(i), node, 1, {}};
        for (const auto& [leaf, d] : derivatives_.of(node, [&](const Leaf& leaf) {
               return leaf.kind == Leaf::Kind::kColumn &&
                      table.columns(static_cast<int>(leaf.index)).phase() >= 1;
             })) {
          e.readings.push_back({leaf, d});
        }
        int column = -1;
        bool sum = false;
        for (const Peeling& p : peelings) {
          if (column < 0) column = p.columnOf(own, static_cast<uint32_t>(i));
          sum |= column >= 0 && p.running.contains({own, static_cast<uint32_t>(column)});
        }
        equations_.push_back(std::move(e));
        columns_.push_back(column);
        sums_.push_back(sum);
      }
    }
    return evaluateEquations(derivatives_, any_, *any_.columns, pool_, equations_);
  }

  absl::Status readGathers() {
    Scalars scalars(circuit_, derivatives_.info());
    LINDERO_RETURN_IF_ERROR(scalars.advance(3, any_.challenges, any_.claimed_sums));
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      const Table& table = circuit_.tables(t);
      for (int c = firstColumnOfPhase(table, 2); c < table.columns_size(); ++c) {
        if (!table.columns(c).has_gather()) continue;
        const Gather& gather = table.columns(c).gather();
        const RootGroup roots{gather.index()};
        const Place place{static_cast<uint32_t>(t), static_cast<uint32_t>(c)};
        RowProgram program(circuit_, derivatives_.info(), place.first,
                           absl::MakeConstSpan(&roots, 1));
        RowEvaluator(program, *any_.columns, scalars)
            .run(0, tableHeight(table),
                 [&](size_t, uint64_t first, size_t rows, absl::Span<const RootValues> values) {
                   for (size_t i = 0; i < rows; ++i) {
                     addGathered(gather, place, first + i, values[0].baseAt(i));
                   }
                 });
      }
    }
    return absl::OkStatus();
  }

  void addGathered(const Gather& gather, const Place& place, uint64_t row, uint32_t at) {
    for (const GatherSource& s : gather.sources()) {
      if (at == 0 || at - 1 < s.base() || at - 1 >= s.base() + s.rows()) continue;
      gathered_.push_back({place, {s.table(), s.column()}, row, at - 1 - s.base()});
    }
  }

  // Up a scan, from row to row.
  void carryBack(const Equation& e, int column, RowMask& own) {
    const Reading* before = e.find({Leaf::Kind::kColumn, static_cast<uint32_t>(column), -1});
    if (before == nullptr) return;
    for (size_t row = own.size(); row-- > 1;) {
      if (!own[row] || !before->reads[row] || own[row - 1]) continue;
      own[row - 1] = 1;
      changed_ = true;
    }
  }

  // What the equation reads on rows where its column is live; null: on all rows.
  void mark(const Equation& e, int column, const RowMask* rows) {
    for (const Reading& r : e.readings) {
      if (static_cast<int>(r.leaf.index) == column) continue;
      RowMask& place = live_[{e.table, r.leaf.index}];
      for (uint64_t row = 0; row < place.size(); ++row) {
        if (!r.reads[row] || (rows != nullptr && !(*rows)[row])) continue;
        uint8_t& at = place[rowAt(row, r.leaf.offset, place.size())];
        if (at) continue;
        at = 1;
        changed_ = true;
      }
    }
  }

  Derivatives& derivatives_;
  const Circuit& circuit_;
  const Witness& any_;
  ThreadPool& pool_;
  std::vector<Equation> equations_;
  std::vector<int> columns_;  // that an equation defines, or -1
  std::vector<bool> sums_;
  std::vector<GatheredCell> gathered_;
  std::map<Place, RowMask> live_;
  bool changed_ = false;
};

}  // namespace

absl::StatusOr<std::vector<Premise>> checkFolds(Derivatives& derivatives, const Witness& any,
                                                ThreadPool& pool) {
  return FoldCheck(derivatives, any, pool).run();
}

absl::StatusOr<Premise> checkUnread(Derivatives& derivatives, const Package& package,
                                    const Witness& any, ThreadPool& pool) {
  Liveness liveness(derivatives, any, pool);
  LINDERO_RETURN_IF_ERROR(liveness.run());
  Premise premise{"main cells in use: something reads them"};
  const Circuit& circuit = package.circuit();
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    const int first = firstColumnOfPhase(table, 1);
    for (int c = first; c < first + columnsOfPhase(table, 1); ++c) {
      const Place place{static_cast<uint32_t>(t), static_cast<uint32_t>(c)};
      const RowMask& live = liveness.of(place);
      for (const Instance& in : table.instances()) {
        premise.examined += in.rows();
        for (uint64_t row = in.first_row(); row < in.first_row() + in.rows(); ++row) {
          if (live[row]) continue;
          premise.fail(describeCell(circuit, place.first, place.second, row));
        }
      }
    }
  }
  return premise;
}

}  // namespace lindero::runtime
