// Elements, copies and products: who gives and who takes at each pole.
#include <algorithm>
#include <map>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "runtime/eval/describe.h"
#include "runtime/eval/kernels.h"
#include "runtime/eval/scalars.h"
#include "runtime/package/status_macros.h"
#include "runtime/tamper/adaptive/fractions.h"
#include "runtime/tamper/adaptive/premises.h"

namespace lindero::runtime {
namespace {

using Key = std::array<uint32_t, 4>;

const Table& tableOf(const Circuit& circuit, uint32_t t) {
  return circuit.tables(static_cast<int>(t));
}

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

// A cell's derivative of a sum, and the place it has there.
struct Touch {
  uint32_t group;
  Key key;
  bool sign;
  uint32_t table, column;
  uint64_t row;
};

std::string describeTouch(const Circuit& circuit, const Touch& t) {
  const Table& table = tableOf(circuit, t.table);
  return absl::StrCat(table.name(), ".", table.columns(static_cast<int>(t.column)).name(), ", ",
                      describeRow(table, t.row));
}

class ElementCheck {
 public:
  ElementCheck(Derivatives& derivatives, const Package& package, const Witness& any,
               absl::Span<const uint32_t> main, const Scalars& scalars, ThreadPool& pool)
      : derivatives_(derivatives),
        package_(package),
        main_(main),
        circuit_(derivatives.circuit()),
        any_(any),
        scalars_(scalars),
        pool_(pool) {}

  std::vector<Premise> run() {
    for (const auto& [fraction, group, of] : fractions_) readFraction(fraction, group, of);
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
    judgeCarries();
    return {std::move(elements_), std::move(zeros_)};
  }

  // Before scalars are made.
  static std::vector<std::tuple<SingleFraction, uint32_t, std::map<Leaf, uint32_t>>> find(
      Derivatives& derivatives) {
    std::vector<std::tuple<SingleFraction, uint32_t, std::map<Leaf, uint32_t>>> result;
    const Circuit& circuit = derivatives.circuit();
    for (int t = 0; t < circuit.tables_size(); ++t) {
      const Table& table = circuit.tables(t);
      for (int c = 0; c < table.columns_size(); ++c) {
        if (table.columns(c).phase() != 2 || !table.columns(c).has_fraction()) continue;
        const auto group = groupOf(derivatives, static_cast<uint32_t>(t), static_cast<uint32_t>(c));
        if (!group) continue;
        for (const SingleFraction& f :
             singleFractions(circuit, static_cast<uint32_t>(t), static_cast<uint32_t>(c))) {
          auto of = derivatives.of(f.numerator, [&](const Leaf& leaf) {
            return leaf.kind == Leaf::Kind::kColumn &&
                   table.columns(static_cast<int>(leaf.index)).phase() == 1;
          });
          if (!of.empty()) result.emplace_back(f, *group, std::move(of));
        }
      }
    }
    return result;
  }

  void set(std::vector<std::tuple<SingleFraction, uint32_t, std::map<Leaf, uint32_t>>> fractions) {
    fractions_ = std::move(fractions);
  }

 private:
  void readFraction(const SingleFraction& f, uint32_t group, const std::map<Leaf, uint32_t>& of) {
    RootGroup roots{f.denominator};
    for (const auto& [leaf, node] : of) roots.push_back(node);
    RowProgram program(circuit_, derivatives_.info(), f.table, absl::MakeConstSpan(&roots, 1));
    std::mutex mutex;
    const uint64_t mask = tableHeight(tableOf(circuit_, f.table)) - 1;
    forAllRows(circuit_, program, *any_.columns, scalars_, pool_,
               [&](size_t, uint64_t first, size_t rows, absl::Span<const RootValues> values) {
                 std::vector<QM31> inverse(rows);
                 for (size_t i = 0; i < rows; ++i) inverse[i] = values[0].at(i);
                 batchInverse(absl::MakeSpan(inverse));
                 std::vector<Touch> found;
                 size_t k = 1;
                 for (const auto& [leaf, unused] : of) {
                   const RootValues& derivative = values[k++];
                   for (size_t i = 0; i < rows; ++i) {
                     const QM31 w = derivative.at(i) * inverse[i];
                     if (w.isZero()) continue;
                     const auto [key, sign] = upToSign(w);
                     const uint64_t row =
                         (first + i + static_cast<uint64_t>(int64_t{leaf.offset})) & mask;
                     found.push_back({group, key, sign, f.table, leaf.index, row});
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

  void judge(size_t begin, size_t end) {
    const Touch& first = touches_[begin];
    if (isCarried(circuit_, first.group)) {
      ++carried_[{first.group, first.key}];
      if (end - begin != 1) elements_.fail(describeTouch(circuit_, first) + ": carried twice");
      return;
    }
    uint64_t count[2] = {0, 0};
    for (size_t i = begin; i < end; ++i) ++count[touches_[i].sign];
    if (auto it = publics_.find({first.group, first.key}); it != publics_.end()) {
      for (int s : {0, 1}) count[s] += it->second.count[s];
      publics_.erase(it);
    }
    if (count[0] + count[1] == 1) {
      ++zeros_.examined;
      const uint64_t cell = package_.traceLayout().offset(first.table, first.column) + first.row;
      if (main_[cell] != 0) zeros_.fail(describeTouch(circuit_, first));
      return;
    }
    ++elements_.examined;
    if (count[0] == 1 && count[1] == 1) return;
    elements_.fail(absl::StrCat(describeTouch(circuit_, first), ": given ", count[0],
                                " times, taken ", count[1], " times, or the other way round"));
  }

  void judgeCarries() {
    for (const Carry& carry : circuit_.carries()) {
      for (const auto& [place, unused] : carried_) {
        const uint32_t other = place.first == carry.in()    ? carry.out()
                               : place.first == carry.out() ? carry.in()
                                                            : place.first;
        if (other == place.first) continue;
        ++elements_.examined;
        if (!carried_.contains({other, place.second})) {
          elements_.fail(absl::StrCat(
              "claim group ", circuit_.claim_groups(static_cast<int>(place.first)).name(),
              ": an element that the other side of the seam does not have"));
        }
      }
    }
  }

  Derivatives& derivatives_;
  const Package& package_;
  absl::Span<const uint32_t> main_;
  const Circuit& circuit_;
  const Witness& any_;
  const Scalars& scalars_;
  ThreadPool& pool_;
  std::vector<std::tuple<SingleFraction, uint32_t, std::map<Leaf, uint32_t>>> fractions_;
  std::vector<Touch> touches_;
  std::map<std::pair<uint32_t, Key>, Ends> publics_;
  std::map<std::pair<uint32_t, Key>, uint64_t> carried_;
  Premise elements_{"elements of edges: given once, taken once"};
  Premise zeros_{"elements with one end: zero"};
};

// At the poles c - a, a over fixed columns, of one kind of fractions: what generated and gathered
// cells of phase 2 stand there.
struct PoleEnds {
  uint64_t given = 0, taken = 0, summands = 0, results = 0;
  uint32_t table = 0, column = 0;  // the first
  uint64_t row = 0;
  std::string where;
};

class IdCheck {
 public:
  IdCheck(Derivatives& derivatives, const Witness& any, const Columns* run, ThreadPool& pool)
      : derivatives_(derivatives),
        circuit_(derivatives.circuit()),
        any_(any),
        run_(run),
        pool_(pool) {}

  absl::StatusOr<std::vector<Premise>> run() {
    find();
    Scalars scalars(circuit_, derivatives_.info());
    LINDERO_RETURN_IF_ERROR(scalars.advance(3, any_.challenges, any_.claims));
    for (const Found& f : found_) read(f, scalars);
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
  struct Found {
    SingleFraction fraction;
    uint32_t group;
    bool late;  // under a challenge that is drawn after phase 2
    std::vector<std::pair<Leaf, uint32_t>> of;
  };

  void find() {
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      const Table& table = circuit_.tables(t);
      for (int c = firstColumnOfPhase(table, 2); c < table.columns_size(); ++c) {
        if (!table.columns(c).has_fraction()) continue;
        const uint32_t column = static_cast<uint32_t>(c), own = static_cast<uint32_t>(t);
        const auto group = groupOf(derivatives_, own, column);
        if (!group) continue;
        for (const SingleFraction& f : singleFractions(circuit_, own, column)) add(f, *group);
      }
    }
  }

  void add(const SingleFraction& f, uint32_t group) {
    const Table& table = tableOf(circuit_, f.table);
    if (derivatives_.info().nodes[f.denominator].phase > 0) return;
    std::vector<uint32_t> challenges;
    for (const Leaf& leaf : derivatives_.leaves(f.denominator)) {
      if (leaf.kind == Leaf::Kind::kChallenge) challenges.push_back(leaf.index);
    }
    if (challenges.size() != 1) return;
    const bool late = circuit_.challenges(static_cast<int>(challenges[0])).phase() >= 2;
    Found found{f, group, late, {}};
    for (const auto& entry : derivatives_.of(f.numerator, [&](const Leaf& leaf) {
           if (leaf.kind != Leaf::Kind::kColumn) return false;
           const Column& column = table.columns(static_cast<int>(leaf.index));
           return column.phase() == 2 && !column.has_fraction();
         })) {
      found.of.push_back(entry);
    }
    if (!found.of.empty()) found_.push_back(std::move(found));
  }

  void read(const Found& f, const Scalars& scalars) {
    RootGroup roots{f.fraction.denominator};
    for (const auto& [leaf, node] : f.of) roots.push_back(node);
    RowProgram program(circuit_, derivatives_.info(), f.fraction.table,
                       absl::MakeConstSpan(&roots, 1));
    std::mutex mutex;
    forAllRows(circuit_, program, *any_.columns, scalars, pool_,
               [&](size_t, uint64_t first, size_t rows, absl::Span<const RootValues> values) {
                 std::lock_guard<std::mutex> lock(mutex);
                 for (size_t k = 0; k < f.of.size(); ++k) {
                   for (size_t i = 0; i < rows; ++i) {
                     const QM31 derivative = values[k + 1].at(i);
                     if (derivative.isZero()) continue;
                     count(f, f.of[k].first, first + i, values[0].at(i), derivative);
                   }
                 }
               });
  }

  void count(const Found& f, const Leaf& leaf, uint64_t row, const QM31& denominator,
             const QM31& derivative) {
    const Table& table = tableOf(circuit_, f.fraction.table);
    const bool gathered = table.columns(static_cast<int>(leaf.index)).has_gather();
    // A product's factors are counted by the fold that the gathered one multiplies.
    if (!f.late && gathered) return;
    const auto [key, negated] = upToSign(denominator);
    PoleEnds& ends = (f.late ? copies_ : products_)[{f.group, key}];
    if (ends.where.empty()) {
      ends.table = f.fraction.table;
      ends.column = leaf.index;
      ends.row = (row + static_cast<uint64_t>(int64_t{leaf.offset})) & (tableHeight(table) - 1);
      ends.where = absl::StrCat(
          table.name(), ".",
          tableOf(circuit_, f.fraction.table).columns(static_cast<int>(leaf.index)).name(), ", ",
          describeRow(table, row));
    }
    if (f.late) {
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
  std::vector<Found> found_;
  std::map<std::pair<uint32_t, Key>, PoleEnds> copies_, products_;
};

}  // namespace

absl::StatusOr<std::vector<Premise>> checkElements(Derivatives& derivatives, const Package& package,
                                                   const Witness& any,
                                                   absl::Span<const uint32_t> main,
                                                   ThreadPool& pool) {
  auto fractions = ElementCheck::find(derivatives);
  Scalars scalars(derivatives.circuit(), derivatives.info());
  LINDERO_RETURN_IF_ERROR(scalars.advance(3, any.challenges, any.claims));
  ElementCheck check(derivatives, package, any, main, scalars, pool);
  check.set(std::move(fractions));
  return check.run();
}

absl::StatusOr<std::vector<Premise>> checkCopiesAndProducts(Derivatives& derivatives,
                                                            const Witness& any, const Columns* run,
                                                            ThreadPool& pool) {
  return IdCheck(derivatives, any, run, pool).run();
}

}  // namespace lindero::runtime
