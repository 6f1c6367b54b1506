// Analysis: what the circuit itself proves about the integers that its witness cells stand for.
//
// Every witness cell gets an interval from what a verifier enforces, never from what an honest
// prover would write: the rows of the lookup tables that are provided, constraints (bits,
// constants, running sums, values that stay the same over rows), the other end of an edge, and the
// ranges of public tensors, which verifiers check. The intervals hold for an integer representative
// of each cell, chosen by the equation that first bounds it; every other equation that reads the
// cell must then pass the interval rule, which verify-intervals checks, before it narrows anything.
//
// Rows are sorted into classes (rows.h). Mutates nothing. Cost: linear in the fixed cells, which it
// reads once, and in classes times expressions.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "passes/lower_air/verify_intervals/rows.h"
#include "passes/lower_air/verify_intervals/tagged_buses.h"

namespace lindero::passes {

// Rows chained by a rule of its table: a row that `continues` belongs to the run of the row before.
struct Runs {
  std::vector<std::vector<int>> ends;        // per class: classes of the last rows of its runs
  std::vector<std::vector<int>> companions;  // per class: classes of the rows of its runs
  std::vector<int64_t> longest;              // per class: most rows from the start of a run on
  std::vector<int32_t> run_of;               // per row
};

class ProvenRanges {
 public:
  // `given` may bound cells by what this analysis does not know of, before ranges are propagated.
  static absl::StatusOr<std::unique_ptr<ProvenRanges>> compute(
      ir::Module& module, llvm::function_ref<absl::Status(ProvenRanges&)> given = nullptr);

  int tables() const { return tables_.size(); }
  TableRows& rows(int table) { return tables_[table].rows; }
  const MaybeInterval& cell(int table, int c, int column) const {
    return tables_[table].ranges[c][column];
  }
  // Of an expression over phases 0 and 1 on the rows of class c.
  MaybeInterval value(int table, int c, ir::Value* value);
  // The same for a polynomial; cells that are constant there are replaced by `simplify`.
  MaybeInterval polynomial(int table, int c, const Polynomial& p) const;
  Polynomial simplify(int table, int c, const Polynomial& p) const;
  // Narrows a cell, or bounds it. Returns whether that says something new.
  bool narrow(int table, int c, int column, const Interval& to);
  // Takes what follows from what was narrowed.
  absl::Status settle();

  const std::string& busName(const ir::Op& op) const { return op.symbolAttr("bus"); }
  // What a bus provides in each position of its tuples, given what is known of them; nothing if no
  // row fits.
  std::optional<std::vector<Interval>> provided(const std::string& bus,
                                                const std::vector<MaybeInterval>& tuple);
  // Every value of a position, of fixed tuples.
  MaybeInterval providedHull(const std::string& bus, size_t position) const;
  const TaggedBuses& taggedBuses() const { return tagged_; }
  // What the giver of a lookup's tag proves of the element at a position of the tuple; nothing if
  // that is not known of each of them.
  MaybeInterval given(const TaggedBuses::Use& use, size_t position);
  // Takes over from the other ends of edges what is known there.
  void useAllEdges() {
    while (useEdges()) {
    }
  }
  // Whether the bus provides fixed tuples only.
  bool isTable(const std::string& bus) const { return buses_.at(bus).fixed; }
  // Whether edges name their elements by this challenge.
  bool namesElements(const ir::Value* challenge) const;

  absl::StatusOr<const Runs*> runs(int table, const std::vector<bool>& continues);

  // A factor of a denominator, challenge - value: the value is a fixed cell or a number.
  struct Pole {
    const ir::Value* challenge = nullptr;
    int column = -1;  // -1: the number
    int64_t number = 0;
    // The symmetric representative: cells that are congruent name one pole.
    int64_t at(const TableRows& rows, int64_t row) const {
      return column < 0 ? number : symmetric(rows.fixedAt(column, row));
    }
  };

  // One end of an edge: the lanes of a term on the rows of a class.
  struct Lane {
    int64_t lane;
    int column;
  };
  struct Ends {
    int table = -1;  // -1: a public tensor
    ir::Op* term = nullptr;
    int c = 0;
    int sign = 1;
    const ir::Value* lane_challenge = nullptr;
    const ir::Value* place_challenge = nullptr;  // null: no place
    std::vector<Lane> lanes;
    Pole address = {};
    Pole place = {};
    Pole corner = {};         // address times place
    bool multiplied = false;  // by the form of the denominator, whatever the corner
    bool linked = false;      // of a link: another circuit has the tensor, and no verifier
    Interval given;           // of a public tensor, or a link
    std::string group;
  };
  // The elements under one address: who gives and who takes. Tiles of one kind share all this.
  struct TileKind {
    std::vector<int> gives, takes;  // indices into ends()
    bool same_layout = false;       // element for element the same rows and lanes
    bool linked = false;            // given to the next block of a bundle, taken by it
  };
  const std::vector<Ends>& ends() const { return ends_; }
  bool isLinked(const std::string& group) const {
    return link_ && (group == link_->in || group == link_->out);
  }
  // What a block is given, and must give.
  const Interval& linkRange() const { return link_->range; }
  const std::vector<TileKind>& tileKinds() const { return kinds_; }
  // The kind of the tile with this address, or -1.
  int tileKind(int64_t address) const {
    auto it = kind_of_.find(address);
    return it == kind_of_.end() ? -1 : it->second;
  }
  // What the other end proves about a lane of this one; nothing if what is given is linked.
  MaybeInterval otherEnd(const TileKind& kind, bool gives, int64_t lane) const;

  // A term's denominator on the rows of a class: a factor, or two, that of the address first, if
  // their numbers multiply to the corner.
  struct Poles {
    std::vector<Pole> factors;
    Pole corner = {};         // has no challenge
    bool multiplied = false;  // by the form of the denominator
  };
  absl::StatusOr<Poles> poles(int table, int c, ir::Op& term);
  absl::Status refused(int table, int c, const std::string& what, const std::string& why) const;

  ir::Module& module() { return *module_; }
  ir::Function& circuit() { return *circuit_; }

 private:
  struct Table {
    explicit Table(TableRows r) : rows(std::move(r)) {}
    TableRows rows;
    std::vector<std::vector<MaybeInterval>> ranges;  // [class][column]
    std::vector<std::map<Polynomial, Interval>>
        bounded;  // [class]: sums of cells that a tuple holds
    std::map<std::vector<bool>, Runs> runs;
  };
  struct Bus {
    bool fixed = true;
    std::vector<std::vector<int64_t>> columns;  // of the provided tuples, by position
    std::vector<Interval> hulls;
    std::map<int64_t, std::pair<size_t, size_t>> by_first;  // rows with this first element
    std::map<std::string, std::optional<std::vector<Interval>>> asked;
  };
  using Memo = llvm::DenseMap<ir::Value*, MaybeInterval>;

  absl::Status readTables();
  absl::Status readBuses();
  absl::Status readEdges();
  void nameAddresses();
  absl::Status readPublics();
  absl::Status readLink();
  // The group in whose sum the other end of an edge stands.
  std::string sumOf(const Ends& ends) const;
  bool readPole(int table, const Polynomial& p, int64_t sign, Pole& pole) const;
  absl::Status readTerm(int table, ir::Op& term);
  absl::StatusOr<Ends> endsOf(int table, int c, ir::Op& term, const Form& numerator);
  absl::Status addRow(int64_t row, int ends);
  absl::StatusOr<TileKind> readTile(int64_t address, const std::map<int, uint64_t>& tile) const;
  absl::Status closeTiles();

  MaybeInterval structural(int table, int c, ir::Value* value, Memo& memo);
  MaybeInterval cellRange(int table, int c, Cell cell) const;
  absl::StatusOr<bool> propagate();
  absl::StatusOr<bool> useConstraint(int table, ir::Op& op);
  absl::StatusOr<bool> useRun(int table, ir::Op& op, int column, int64_t unit);
  Polynomial chain(int table, int c, Polynomial p);
  std::optional<Polynomial> definition(int table, int c, int column);
  bool useEquation(int table, int c, const Polynomial& p);
  absl::StatusOr<bool> useLookup(int table, int c, ir::Op& op);
  bool useTagged(int table, int c, ir::Op& op);
  bool narrowTuple(int table, int c, ir::Op& op, llvm::ArrayRef<MaybeInterval> known,
                   llvm::ArrayRef<MaybeInterval> found);
  bool useEdges();

  ir::Module* module_ = nullptr;
  ir::Function* circuit_ = nullptr;
  std::vector<Table> tables_;
  std::map<std::string, Bus> buses_;
  TaggedBuses tagged_;
  std::vector<Ends> ends_;
  std::vector<TileKind> kinds_;
  std::unordered_map<int64_t, int> kind_of_;
  // While edges are read: per address, the ends that touch it and their places.
  std::map<int64_t, std::map<int, uint64_t>> open_;
  const ir::Value* address_challenge_ = nullptr;
  struct Link {
    std::string in, out;
    Interval range;
  };
  std::optional<Link> link_;
};

}  // namespace lindero::passes
