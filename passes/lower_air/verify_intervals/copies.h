// The row rule: what each gathered cell is a copy of.
//
// verify-air's R2 to R4 say that a gathered column y is bound by one fraction s y / (c - a), c
// drawn after it, and read nowhere where s is zero; they do not see the fixed columns. On the rows
// this must mean:
//   - where s is not zero, the cell takes what stands under its pole a, and nobody else does; the
//     one that gives there is the row that the gather's index names, with the same coefficient, or
//     nobody where the index is zero: then the cell is zero;
//   - where s is zero the index is, and a constraint says that the cell is zero.
// All fractions under c have one group, which is not linked and has no public tensor. And no
// factor of a denominator is zero on a row, as far as it reads fixed columns alone.
//
// Cost: linear in the rows of these terms; a factor over fixed columns is evaluated on every row.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "passes/lower_air/verify_intervals/proven_ranges.h"

namespace lindero::passes {

class Copies {
 public:
  explicit Copies(ProvenRanges& ranges) : ranges_(ranges) {}

  // Checks all of the above; what follows is known then.
  absl::Status check();

  struct At {
    int table = -1;
    int column = 0;
    int64_t row = 0;
    auto operator<=>(const At&) const = default;
  };
  // What a gathered cell is equal to; nothing if it is zero.
  std::optional<At> source(const At& gathered) const;
  // Whether the term's numerator is all that such a challenge sums.
  bool binds(const ir::Op& term) const { return terms_.count(&term) > 0; }
  // By the challenge that binds: the group.
  const std::map<const ir::Value*, std::string>& groups() const { return groups_; }
  // Whether each monomial is a gathered cell, always the same one, times fixed cells.
  static std::optional<int> multipleOfGathered(const TableRows& rows, const Polynomial& p);

 private:
  // A pole's one giver and one taker.
  struct End {
    At at;
    int64_t coefficient = 0;
  };
  struct Pole {
    std::optional<End> gives, takes;
  };
  // A column whose rows have the indices from base + 1 on.
  struct Source {
    int table, column;
    int64_t base, rows;
  };
  struct Gather {
    int table = 0;
    int column = 0;
    ir::Op* op = nullptr;
    std::vector<Source> sources;
    std::vector<const Pole*> taken;           // by row: the pole from which it takes, or null
    std::vector<std::optional<bool>> zeroed;  // by class, where it is known for all rows
  };

  absl::Status checkDenominators(int table, ir::Op& term);
  absl::Status findGathers();
  absl::Status checkGroup(int table, ir::Op& term, const ir::Value* challenge);
  absl::Status readTerm(int table, ir::Op& term, const ir::Value* challenge);
  absl::Status readRow(int table, ir::Op& term, int64_t row, const Polynomial& numerator,
                       Pole& pole);
  absl::Status checkRows(Gather& gather);
  std::vector<Source> sourcesOf(ir::Op& gather) const;
  std::optional<At> declaredSource(const Gather& gather, uint32_t index) const;
  bool isZeroed(Gather& gather, int64_t row);
  absl::Status refused(const At& at, const std::string& what, const std::string& why) const;

  ProvenRanges& ranges_;
  std::vector<Gather> gathers_;
  std::map<std::pair<int, int>, Gather*> gather_of_;  // by table and column
  std::map<std::string, int> tables_;                 // by name
  std::map<const ir::Value*, std::string> groups_;
  std::set<const ir::Op*> terms_;
  std::map<const ir::Value*, std::unordered_map<int64_t, Pole>> poles_;  // by challenge and pole
};

}  // namespace lindero::passes
