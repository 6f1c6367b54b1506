// What the checks of matrix products and of rows looked up by their fold say about integers.
//
// A fold is a scan whose value is a polynomial in two challenges; each cell that it folds has a
// monomial of its own. A product check, sum of fold * factor = fold', with one term of each product
// id, therefore says for each monomial: the lane of fold' is the sum of the products of the cells
// with this monomial. A fold times a number adds the cells of the fold, times the number. That sum
// has a static bound from the proven ranges of the operands and the weights themselves; or, where
// the left operands are values of one row of a running sum that is proven to be at most S, S times
// the greatest right operand.
//
// Cost: linear in the rows of folds and in the weights, each read once.
#pragma once

#include <array>
#include <map>
#include <unordered_map>
#include <vector>

#include "passes/lower_air/verify_intervals/copies.h"
#include "passes/lower_air/verify_intervals/proven_ranges.h"

namespace lindero::passes {

class Folds {
 public:
  Folds(ProvenRanges& ranges, const Copies& copies) : ranges_(ranges), copies_(copies) {}

  // Bounds the cells folded into rows that are looked up among fixed rows (embeddings). Needs no
  // ranges.
  absl::Status boundLookups();
  // Reads the terms of products, and computes the bounds of all products.
  absl::Status boundProducts();
  // Bounds values that are proven to be one of several lanes (the maximum of an argmax).
  absl::Status boundSelected();
  // Bounds cells that are the results of products, whatever their readers say of them: one that
  // nothing bounds stands for the product's sum, and another one is equal to it over the integers.
  // Returns whether that says something new; products that read what follows are not bounded anew.
  bool boundResults();

  // Lanes of the results of products, by class, and what they equal: the product less what is
  // fixed.
  struct Result {
    int table;
    ir::Op* scan;
    int c;
    int64_t exponent;  // of the lane
    Polynomial lane;
    std::optional<Bounds> product;  // always there
    bool on_all_rows = false;       // of the class: else other rows' lanes equal nothing
  };
  const std::vector<Result>& results() const { return results_; }
  // The row numbers that a bus of folds provides.
  MaybeInterval providedRows(const std::string& bus) const {
    auto it = provided_rows_.find(bus);
    return it == provided_rows_.end() ? std::nullopt : MaybeInterval(it->second);
  }
  // Cells that boundLookups bounds: (table, class, column).
  const std::vector<std::array<int, 3>>& lookedUp() const { return looked_up_; }

 private:
  absl::StatusOr<bool> boundRows(const std::map<std::string, Interval>& provided, bool all);
  using Exponents = std::array<int64_t, 2>;
  // What a scan does on the rows of a class.
  struct Step {
    bool known = false;
    bool restarts = false;
    Exponents multiplier{};
    int base = 0;                         // which challenge's powers are the lanes' weights
    std::map<int64_t, Polynomial> lanes;  // by exponent
  };
  struct Scan {
    int table = 0;
    ir::Op* op = nullptr;
    std::array<const ir::Value*, 2> challenges{};
    std::vector<Step> steps;  // per class
  };
  struct End {
    Scan* scan = nullptr;
    int64_t row = 0;
  };
  struct Factored {
    End left;
    int gather = 0;
    End right;
  };
  // By exponent: the sums of the positive and of the negative weights.
  struct ColumnSums {
    std::vector<int64_t> positive, negative;
  };
  struct Added {
    End fold;
    int64_t times;
  };
  struct Product {
    End result;
    std::vector<Factored> factors;
    std::vector<Added> added;
    Bounds uniform;  // every coefficient, as far as committed operands go
    // The rest, by exponent of the right operand's challenge: fixed weights, by the range of what
    // multiplies them.
    std::map<Bounds, ColumnSums> weights;
    std::vector<Bounds> by_column;
    const ir::Value* column_challenge = nullptr;
  };

  // The fixed cells that a step folds.
  struct StepWeights {
    struct Cell {
      int64_t exponent;
      int column;  // -1: the number 1
      int64_t k;
    };
    std::vector<Cell> stored;
    std::vector<int64_t> exponents;  // of the columns that are not stored; else -1
    bool deferred = false;           // whether there are such columns
  };
  // The witness cells that a step folds.
  struct StepRange {
    Interval range = Interval::of(0);
    bool fixed = false;             // it folds fixed cells too
    int taken = -1;                 // the end of an edge that brings all lanes, or -1
    std::map<int, Bounds> by_kind;  // of the tile that is taken
  };

  absl::StatusOr<Scan*> scan(int table, ir::Op& op);
  absl::Status readStep(Scan& scan, int c);
  int challengeIndex(Scan& scan, const ir::Value* challenge);
  // From the end back to the start; checks that no two cells share a monomial.
  using Visit = llvm::function_ref<absl::Status(int64_t row, const Step& step, Exponents shift)>;
  absl::Status walk(const End& end, Visit visit);

  absl::Status readTerm(int table, ir::Op& term);
  absl::Status checkChallenges();
  absl::Status tieFactors();
  absl::Status boundProduct(Product& p);
  absl::Status addWeights(Product& p, const Factored& f, const Bounds& left);
  absl::StatusOr<const StepWeights*> stepWeights(const Scan& scan, int c, const Step& step);
  absl::Status readFills();
  static void boundColumns(Product& p);
  struct Lane {
    int64_t exponent;
    size_t result;                               // index into results_
    std::vector<std::pair<int, int64_t>> fixed;  // columns (-1: the number 1) and coefficients
  };
  const std::vector<Lane>& resultLanes(const Scan& scan, int c, const Step& step);
  absl::Status collectResults();
  // Per class, whether all of its rows are among these, of a table.
  std::vector<bool> wholeClasses(int table, const std::vector<bool>& met);
  // Every cell of an operand; nothing for weights, which are fixed. Adds the challenges that it is
  // folded by.
  absl::StatusOr<std::optional<Bounds>> operandRange(const End& end,
                                                     std::set<const ir::Value*>& by);
  Bounds rowRange(int table, int64_t row, StepRange& step);
  StepRange& stepRange(int table, int c, const Step& step);
  // The bound of sums along a row of a softmax, if the factors' left operands are one; or -1.
  absl::StatusOr<int64_t> rowSum(const Product& p);
  struct SumRows {
    int64_t bound = -1;                              // -1: no running sum of these lanes
    const ir::Op* sum = nullptr;                     // its constraint
    std::unordered_map<int64_t, int64_t> first_run;  // by address: the run of place 0
  };
  absl::StatusOr<const SumRows*> sumRows(const ProvenRanges::Ends& gives);
  bool giveApart(const ir::Op& a, const ir::Op& b) const;
  static bool isLaneForLane(const Step& step, const ProvenRanges::Ends& takes);
  absl::Status select(int table, int column, const std::vector<const Result*>& lanes);
  bool staysTheSame(int table, int c, int column);

  ProvenRanges& ranges_;
  const Copies& copies_;
  std::map<std::pair<int, ir::Op*>, std::unique_ptr<Scan>> scans_;
  std::map<int64_t, Product> products_;
  const ir::Value* product_challenge_ = nullptr;
  std::map<const ir::Value*, std::string> groups_;  // of the terms, by the challenge of their pole
  struct Weighting {                                // of a row of weights that are not stored
    ColumnSums* sums = nullptr;                     // of the product, for what multiplies the row
    int64_t shift = 0;
    const StepWeights* step = nullptr;
  };
  std::map<int, std::vector<Weighting>> weightings_;  // by table, then row
  std::map<std::pair<int, ir::Op*>, SumRows> sums_;
  std::vector<Interval> taken_ranges_;    // by kind of tile: what is taken
  std::vector<std::vector<int>> taking_;  // [table][class]: the end that takes its lanes, or -1
  std::map<const Step*, StepRange> step_ranges_;
  std::map<const Step*, StepWeights> step_weights_;
  std::map<const Step*, std::vector<Lane>> result_lanes_;
  std::vector<Result> results_;
  std::vector<std::array<int, 3>> looked_up_;
  std::map<std::string, Interval> provided_rows_;
};

}  // namespace lindero::passes
