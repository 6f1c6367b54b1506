// LayerNorm and RMSNorm, row-major: a row holds some columns of a tensor's row.
//   d = x - mu;  v = SQ[d];  sums of d and v run over the tensor row's table rows;
//   d R = z 2^t + r - 2^(t-1);  RANGE(zb, z + 2^(zb-1)), RANGE(t, r).
// mu, R, t and 2^t stay the same over a tensor row. The sums, R, t and 2^t go to the table of
// statistics, one row for each:
//   2 sum d + n in [0, 2n) fixes mu;
//   V = sum v + eps = m 4^j + rem;  m in [2^14, 2^16) or j = 0;  rem < 4^j;
//   (R, t - j) = RSQRT[m].
// README.md has the interval and uniqueness arguments.
#pragma once

#include <string>
#include <vector>

#include "passes/lower_air/gadgets/norms/norm_rows.h"

namespace lindero::passes {

class NormsTable : public NormTable {
 public:
  NormsTable() : NormTable("norms") {}
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override;
};

class NormStatisticsTable : public TableKind {
 public:
  explicit NormStatisticsTable(const NormsTable& norms) : norms_(norms) {}
  std::string name() const override { return "norm_statistics"; }
  size_t items() const override { return norms_.norms.size(); }
  LaneId lanes(size_t item) const override { return kOneLane; }
  int64_t rows(size_t item, const Layout& layout) const override { return norms_.norms[item].rows; }
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override;

 private:
  const NormsTable& norms_;
};

class Norms : public Gadget {
 public:
  explicit Norms(Wiring& wiring) : wiring_(wiring), statistics_(norms_) {}

  llvm::ArrayRef<llvm::StringLiteral> ops() const override;
  absl::Status plan(const Origin& origin) override {
    norms_.plan(wiring_, origin);
    return absl::OkStatus();
  }
  absl::Status connect() override { return norms_.connect(wiring_); }
  std::vector<const TableKind*> tables() const override { return {&norms_, &statistics_}; }
  void trace(TraceWriter& t, const ir::Op& op) const override;

 private:
  Wiring& wiring_;
  NormsTable norms_;
  NormStatisticsTable statistics_;
};

}  // namespace lindero::passes
