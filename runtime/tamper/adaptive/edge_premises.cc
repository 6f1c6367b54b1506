// Elements, copies and products: who gives and who takes at each pole.
#include <algorithm>
#include <map>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "runtime/eval/describe.h"
#include "runtime/eval/kernels.h"
#include "runtime/eval/scalars.h"
#include "runtime/package/circuit_access.h"
#include "runtime/package/placement.h"
#include "runtime/package/status_macros.h"
#include "runtime/tamper/adaptive/fractions.h"
#include "runtime/tamper/adaptive/premises.h"

namespace lindero::runtime {
namespace {

using Key = std::array<uint32_t, 4>;

// A value up to its sign, and which sign it has.
std::pair<Key, bool> upToSign(const QM31& value) {
  const QM31 minus = -value;
  return value.limbs() < minus.limbs() ? std::pair(value.limbs(), false)
                                       : std::pair(minus.limbs(), true);
}

struct Ends {
  uint64_t count[2] = {0, 0};
  std::string where;
};

// The main cells that the trace program writes, as the trace is laid out; without one, all.
std::vector<bool> writtenCells(const Package& package) {
  const Program& program = package.program();
  std::vector<bool> written(package.traceLayout().cells(), program.steps().empty());
  for (const Placement& placement : program.placements()) {
    const uint64_t size = program.buffers(static_cast<int>(placement.buffer())).size();
    for (uint32_t lane = 0; lane < placement.lanes(); ++lane) {
      const uint64_t column =
          package.traceLayout().offset(placement.table(), placement.column() + lane);
      forEachRun(placement, lane, size, [&](const PlacementRun& run) {
        for (uint64_t i = 0; i < run.count; ++i) {
          written[column + run.row + static_cast<int64_t>(i) * run.row_stride] = true;
        }
      });
    }
  }
  return written;
}

// A cell's derivative of a sum, and the place it has there.
struct Touch {
  uint32_t group;
  Key key;
  bool sign;
  uint32_t table, column;
  uint64_t row;
};

// A single fraction that ends in a sum group, with its numerator's derivatives by some cells.
struct SummedFraction {
  SingleFraction fraction;
  uint32_t group;
  std::map<Leaf, uint32_t> of;
};

// Of the columns of these phases, in the order of tables and columns, those with such derivatives.
std::vector<SummedFraction> summedFractions(Derivatives& derivatives, uint32_t first_phase,
                                            uint32_t last_phase,
                                            absl::FunctionRef<bool(const SingleFraction&)> wanted,
                                            absl::FunctionRef<bool(const Column&)> by) {
  std::vector<SummedFraction> result;
  const Circuit& circuit = derivatives.circuit();
  for (uint32_t t = 0; t < static_cast<uint32_t>(circuit.tables_size()); ++t) {
    const Table& table = tableOf(circuit, t);
    for (uint32_t c = 0; c < static_cast<uint32_t>(table.columns_size()); ++c) {
      const Column& column = columnOf(circuit, t, c);
      if (column.phase() < first_phase || column.phase() > last_phase || !column.has_fraction()) {
        continue;
      }
      const auto group = groupOf(derivatives, t, c);
      if (!group) continue;
      for (const SingleFraction& f : singleFractions(circuit, {t, c})) {
        if (!wanted(f)) continue;
        auto of = derivatives.of(f.numerator, [&](const Leaf& leaf) {
          return leaf.kind == Leaf::Kind::kColumn && by(columnOf(circuit, t, leaf.index));
        });
        if (!of.empty()) result.push_back({f, *group, std::move(of)});
      }
    }
  }
  return result;
}

// The denominator, then the derivatives.
RootGroup rootsOf(const SummedFraction& f) {
  RootGroup roots{f.fraction.denominator};
  for (const auto& [leaf, node] : f.of) roots.push_back(node);
  return roots;
}

class ElementCheck {
 public:
  ElementCheck(Derivatives& derivatives, const Package& package, const Witness& any,
               ThreadPool& pool)
      : derivatives_(derivatives),
        package_(package),
        written_(writtenCells(package)),
        circuit_(derivatives.circuit()),
        any_(any),
        pool_(pool) {}

  const LinkedElements& linked() const { return linked_; }

  absl::StatusOr<std::vector<Premise>> run() {
    const std::vector<SummedFraction> fractions = summedFractions(
        derivatives_, 2, 2, [](const SingleFraction&) { return true; },
        [](const Column& column) { return column.phase() == 1; });
    Scalars scalars(circuit_, derivatives_.info());
    LINDERO_RETURN_IF_ERROR(scalars.advance(3, any_.challenges, any_.claimed_sums));
    for (const SummedFraction& f : fractions) readFraction(f, scalars);
    std::sort(touches_.begin(), touches_.end(), [](const Touch& a, const Touch& b) {
      return std::tie(a.group, a.key, a.table, a.column, a.row, a.sign) <
             std::tie(b.group, b.key, b.table, b.column, b.row, b.sign);
    });
    for (const PublicTensor& tensor : circuit_.publics()) readPublic(tensor);
    for (size_t i = 0; i < touches_.size();) {
      size_t end = i;
      while (end < touches_.size() && touches_[end].group == touches_[i].group &&
             touches_[end].key == touches_[i].key) {
        ++end;
      }
      judge(i, end);
      i = end;
    }
    for (const auto& [place, ends] : publics_) {
      ++elements_.examined;
      elements_.fail(absl::StrCat("public ", ends.where, " names no cell"));
    }
    const Circuit* const circuits[] = {&circuit_};
    const LinkedElements* const members[] = {&linked_};
    checkLinkEnds(package_.bundle(), circuits, members, elements_);
    return std::vector<Premise>{std::move(elements_), std::move(padding_)};
  }

 private:
  void readFraction(const SummedFraction& f, const Scalars& scalars) {
    const RootGroup roots = rootsOf(f);
    const uint32_t table = f.fraction.column.table;
    RowProgram program(circuit_, derivatives_.info(), table, absl::MakeConstSpan(&roots, 1));
    std::mutex mutex;
    const uint64_t height = tableHeight(tableOf(circuit_, table));
    forAllRows(circuit_, program, *any_.columns, scalars, pool_,
               [&](size_t, uint64_t first, size_t rows, absl::Span<const RootValues> values) {
                 std::vector<QM31> inverse(rows);
                 for (size_t i = 0; i < rows; ++i) inverse[i] = values[0].at(i);
                 batchInverse(absl::MakeSpan(inverse));
                 std::vector<Touch> found;
                 size_t k = 1;
                 for (const auto& [leaf, unused] : f.of) {
                   const RootValues& derivative = values[k++];
                   for (size_t i = 0; i < rows; ++i) {
                     const QM31 w = derivative.at(i) * inverse[i];
                     if (w.isZero()) continue;
                     const auto [key, sign] = upToSign(w);
                     const uint64_t row = rowAt(first + i, leaf.offset, height);
                     found.push_back({f.group, key, sign, table, leaf.index, row});
                   }
                 }
                 std::lock_guard<std::mutex> lock(mutex);
                 touches_.insert(touches_.end(), found.begin(), found.end());
               });
  }

  void readPublic(const PublicTensor& tensor) {
    const uint64_t across = (tensor.columns() - 1) / tensor.tile_columns() + 1;
    auto pole = [&](uint32_t challenge, uint64_t at) {
      return (any_.challenges[challenge] - QM31(M31::fromUnsigned(at))).inverse();
    };
    for (uint64_t i = 0; i < tensor.rows(); ++i) {
      for (uint64_t j = 0; j < tensor.columns(); ++j) {
        const uint64_t place =
            tensor.address() + i / tensor.tile_rows() * across + j / tensor.tile_columns();
        const QM31 w = pole(tensor.address_challenge(), place) *
                       pole(tensor.row_challenge(), i % tensor.tile_rows()) *
                       pole(tensor.column_challenge(), j % tensor.tile_columns());
        const auto [key, sign] = upToSign(tensor.negative() ? -w : w);
        Ends& ends = publics_[{tensor.group(), key}];
        ++ends.count[sign];
        ends.where = absl::StrCat(tensor.name(), "[", i, ", ", j, "]");
      }
    }
  }

  std::string describe(const Touch& t) const {
    return describeCell(circuit_, t.table, t.column, t.row);
  }

  void judge(size_t begin, size_t end) {
    const Touch& first = touches_[begin];
    if (package_.linkedGroups()[first.group]) {
      linked_[{first.group, first.key}] = first.sign;
      if (end - begin != 1) elements_.fail(describe(first) + ": linked twice");
      return;
    }
    uint64_t count[2] = {0, 0};
    for (size_t i = begin; i < end; ++i) ++count[touches_[i].sign];
    if (auto it = publics_.find({first.group, first.key}); it != publics_.end()) {
      for (int s : {0, 1}) count[s] += it->second.count[s];
      publics_.erase(it);
    }
    if (count[0] + count[1] == 1) {
      ++padding_.examined;
      const uint64_t cell = package_.traceLayout().offset(first.table, first.column) + first.row;
      if (written_[cell]) padding_.fail(describe(first));
      return;
    }
    ++elements_.examined;
    if (count[0] == 1 && count[1] == 1) return;
    elements_.fail(absl::StrCat(describe(first), ": given ", count[0], " times, taken ", count[1],
                                " times, or the other way round"));
  }

  Derivatives& derivatives_;
  const Package& package_;
  const std::vector<bool> written_;
  const Circuit& circuit_;
  const Witness& any_;
  ThreadPool& pool_;
  std::vector<Touch> touches_;
  std::map<std::pair<uint32_t, Key>, Ends> publics_;
  LinkedElements linked_;
  Premise elements_{"elements of edges: given once, taken once"};
  Premise padding_{"elements with one end: padding"};
};

// At the poles c - a, a over fixed columns, of one kind of fractions: what generated and gathered
// cells of phase 2 stand there.
struct PoleEnds {
  uint64_t given = 0, taken = 0, summands = 0, results = 0;
  uint32_t table = 0, column = 0;  // the first
  uint64_t row = 0;
  std::string where;
};

class PoleCheck {
 public:
  PoleCheck(Derivatives& derivatives, const Witness& any, const Columns* run, ThreadPool& pool)
      : derivatives_(derivatives),
        circuit_(derivatives.circuit()),
        any_(any),
        run_(run),
        pool_(pool) {}

  absl::StatusOr<std::vector<Premise>> run() {
    const std::vector<SummedFraction> fractions = summedFractions(
        derivatives_, 2, 3, [&](const SingleFraction& f) { return challengeOf(f).has_value(); },
        [](const Column& column) { return column.phase() == 2 && !column.has_fraction(); });
    Scalars scalars(circuit_, derivatives_.info());
    LINDERO_RETURN_IF_ERROR(scalars.advance(3, any_.challenges, any_.claimed_sums));
    for (const SummedFraction& f : fractions) read(f, scalars);
    Premise copies{"copies: given once, taken once"}, products{"products: one result"},
        zeros{"products of zeros: zero"};
    for (const auto& [key, ends] : copies_) {
      ++copies.examined;
      if (ends.given != 1 || ends.taken != 1) {
        copies.fail(absl::StrCat(ends.where, ": given ", ends.given, " times, taken ", ends.taken,
                                 " times"));
      }
    }
    for (const auto& [key, ends] : products_) {
      // Its fixed factors are zero, as weights may be: the sum holds the result at zero.
      if (ends.summands == 0 && ends.results == 1) {
        ++zeros.examined;
        if (run_ != nullptr && !isZeroInRun(ends)) zeros.fail(ends.where);
        continue;
      }
      ++products.examined;
      if (ends.summands == 0 || ends.results != 1) {
        products.fail(
            absl::StrCat(ends.where, ": ", ends.summands, " summands, ", ends.results, " results"));
      }
    }
    return std::vector<Premise>{std::move(copies), std::move(products), std::move(zeros)};
  }

 private:
  // The one challenge of a denominator over fixed columns.
  std::optional<uint32_t> challengeOf(const SingleFraction& f) const {
    if (derivatives_.info().nodes[f.denominator].phase > 0) return std::nullopt;
    std::optional<uint32_t> challenge;
    for (const Leaf& leaf : derivatives_.leaves(f.denominator)) {
      if (leaf.kind != Leaf::Kind::kChallenge) continue;
      if (challenge) return std::nullopt;
      challenge = leaf.index;
    }
    return challenge;
  }

  void read(const SummedFraction& f, const Scalars& scalars) {
    const RootGroup roots = rootsOf(f);
    RowProgram program(circuit_, derivatives_.info(), f.fraction.column.table,
                       absl::MakeConstSpan(&roots, 1));
    const uint32_t challenge = *challengeOf(f.fraction);
    // Drawn after phase 2.
    const bool late = circuit_.challenges(static_cast<int>(challenge)).phase() >= 2;
    std::mutex mutex;
    forAllRows(circuit_, program, *any_.columns, scalars, pool_,
               [&](size_t, uint64_t first, size_t rows, absl::Span<const RootValues> values) {
                 std::lock_guard<std::mutex> lock(mutex);
                 size_t k = 1;
                 for (const auto& [leaf, unused] : f.of) {
                   const RootValues& derivative = values[k++];
                   for (size_t i = 0; i < rows; ++i) {
                     if (derivative.at(i).isZero()) continue;
                     count(f, late, leaf, first + i, values[0].at(i), derivative.at(i));
                   }
                 }
               });
  }

  void count(const SummedFraction& f, bool late, const Leaf& leaf, uint64_t row,
             const QM31& denominator, const QM31& derivative) {
    const uint32_t table = f.fraction.column.table;
    const bool gathered = columnOf(circuit_, table, leaf.index).has_gather();
    // A product's factors are counted by the fold that the gathered one multiplies.
    if (!late && gathered) return;
    const auto [key, negated] = upToSign(denominator);
    PoleEnds& ends = (late ? copies_ : products_)[{f.group, key}];
    if (ends.where.empty()) {
      ends.table = table;
      ends.column = leaf.index;
      ends.row = rowAt(row, leaf.offset, tableHeight(tableOf(circuit_, table)));
      ends.where = describeCell(circuit_, table, leaf.index, row);
    }
    if (late) {
      ++(gathered ? ends.taken : ends.given);
    } else {
      const bool minus_one = derivative == -QM31(M31::fromCanonical(1));
      ++(minus_one ? ends.results : ends.summands);
    }
  }

  bool isZeroInRun(const PoleEnds& ends) const {
    return run_->view(ends.table, ends.column).at(ends.row).isZero();
  }

  Derivatives& derivatives_;
  const Circuit& circuit_;
  const Witness& any_;
  const Columns* run_;
  ThreadPool& pool_;
  std::map<std::pair<uint32_t, Key>, PoleEnds> copies_, products_;
};

}  // namespace

absl::StatusOr<std::vector<Premise>> checkElements(Derivatives& derivatives, const Package& package,
                                                   const Witness& any, ThreadPool& pool,
                                                   LinkedElements* linked) {
  ElementCheck check(derivatives, package, any, pool);
  LINDERO_ASSIGN_OR_RETURN(std::vector<Premise> result, check.run());
  if (linked != nullptr) *linked = check.linked();
  return result;
}

void checkLinkEnds(const Bundle& bundle, absl::Span<const Circuit* const> circuits,
                   absl::Span<const LinkedElements* const> members, Premise& premise) {
  auto hasOtherEnd = [&](const Link& link, const LinkEnd& end, const Key& key, bool sign) {
    return std::any_of(link.ends().begin(), link.ends().end(), [&](const LinkEnd& other) {
      if (other.member() == end.member() && other.group() == end.group()) return false;
      const auto it = members[other.member()]->find({other.group(), key});
      return it != members[other.member()]->end() && it->second != sign;
    });
  };
  for (const Link& link : bundle.links()) {
    for (const LinkEnd& end : link.ends()) {
      const LinkedElements& own = *members[end.member()];
      for (auto it = own.lower_bound({end.group(), Key{}});
           it != own.end() && it->first.first == end.group(); ++it) {
        ++premise.examined;
        const auto& [place, sign] = *it;
        if (hasOtherEnd(link, end, place.second, sign)) continue;
        const std::string& group =
            circuits[end.member()]->sum_groups(static_cast<int>(end.group())).name();
        premise.fail(absl::StrCat("sum group ", group,
                                  ": an element that the other end of its link has not, or has "
                                  "with the same sign"));
      }
    }
  }
}

absl::StatusOr<std::vector<Premise>> checkCopiesAndProducts(Derivatives& derivatives,
                                                            const Witness& any, const Columns* run,
                                                            ThreadPool& pool) {
  return PoleCheck(derivatives, any, run, pool).run();
}

}  // namespace lindero::runtime
