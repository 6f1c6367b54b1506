#include "passes/quantize/widen_streams.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/quantize/storage.h"
#include "passes/quantize/tables.h"
#include "passes/quantize/wide_copy.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

constexpr int kNarrowBits = 16, kWidestBits = 24;
// What a smallest row gets where it has too few units.
constexpr double kWantedUnits = 4096;
// A column of a branch may reach so many times what half of them do.
constexpr double kUsualSpread = 2;
// Nothing is finer.
constexpr int kFinestExponent = 40;
// What wide sums may reach by their terms' ranges; integer.layernorm reads less than 2^27.
constexpr double kLargestReach = 0x1p26;
constexpr double kMostEpsilon = 0x1p28;

int floorLog2(double x) { return static_cast<int>(std::floor(std::log2(x))); }

class Widener {
 public:
  Widener(const ir::Function& function, const Calibration& calibration,
          const std::map<size_t, double>& needs, const QuantizeOptions& options,
          Exponents& exponents)
      : calibration_(calibration), needs_(needs), options_(options), exponents_(exponents) {
    values_ = exponentSites(function);
    for (const Value* value : values_) site_.try_emplace(value, site_.size());
  }

  std::set<size_t> run() {
    const std::vector<ExponentSite> before = exponents_.sites;
    for (const auto& [site, need] : needs_) visit(site, need);
    std::set<size_t> changed;
    for (size_t site = 0; site < before.size(); ++site) {
      if (!(before[site] == exponents_.sites[site])) changed.insert(site);
    }
    return changed;
  }

 private:
  // What norms need of a value, by itself or through views of its rows.
  struct Norms {
    double deviation = std::numeric_limits<double>::infinity();  // of the smallest row
    int finest = kFinestExponent;                                // at which epsilon fits
    // Do norms, sums and linears alone read it? A wide value has no other readers.
    bool widens = true;
  };

  void readers(const Value& value, Norms& norms) const {
    for (const Op* reader : value.users()) {
      if (reader->is("tensor.select_rows")) {
        readers(*reader->result(), norms);
      } else if (reader->is("tensor.layernorm")) {
        const int64_t width = value.type().shape.back();
        const double epsilon = reader->floatAttr("epsilon") * static_cast<double>(width);
        norms.deviation = std::min(norms.deviation, range(siteOf(&value)).least_deviation);
        norms.finest =
            std::min(norms.finest, floorLog2(kMostEpsilon / std::max(epsilon, 1e-30)) / 2 +
                                       squareShift(width) / 2);
      } else {
        const bool added = reader->is("tensor.add") && addOperands(*reader).addend == &value;
        norms.widens &= added || reader->is("tensor.linear") || reader->is("tensor.return");
      }
    }
  }

  void visit(size_t site, double need) {
    const Op* op = values_[site]->definingOp();
    const Value* addend =
        op != nullptr && op->is("tensor.add") ? rootOf(addOperands(*op).addend) : nullptr;
    if (op != nullptr && !op->is("tensor.embedding") && addend == nullptr) return;
    Norms norms;
    readers(*values_[site], norms);
    if (!std::isfinite(norms.deviation)) return;
    auto& values = exponents_.sites[site].values;
    const auto has = static_cast<int>(std::min(values.at("exponent"), coarsest(*values_[site])));
    if (std::ldexp(norms.deviation, has) >= options_.least_row_units) return;
    const double largest = std::max(need, 1e-30);
    const int wanted = -floorLog2(norms.deviation / kWantedUnits),
              narrow = floorLog2((std::ldexp(1, kNarrowBits - 1) - 1) / largest),
              widest = floorLog2((std::ldexp(1, kWidestBits - 1) - 1) / largest);
    const int exponent = std::min({norms.finest, std::max(wanted, narrow), widest});
    if (exponent <= narrow) {
      values["exponent"] = std::max<int64_t>(values["exponent"], exponent);
    } else if (norms.widens && addend == nullptr) {
      values["exponent"] = exponent;
      values["bits"] = floorLog2(std::ldexp(largest, exponent) + 1) + 2;
      reach_[site] = std::ldexp(1, static_cast<int>(values["bits"]) - 1);
    } else if (norms.widens) {
      widenCopy(*addend, norms.deviation, exponent);
      widenSum(site, *addend, exponent, widest);
    }
  }

  // The copy of a norm that leaves the smallest row of a sum of it too few units, if nothing reads
  // it but sums; linears read what it is a copy of.
  void widenCopy(const Value& normalized, double deviation, int exponent) {
    const Op* op = normalized.definingOp();
    if (op == nullptr || !op->is("tensor.layernorm")) return;
    const size_t site = siteOf(&normalized);
    auto& values = exponents_.sites[site].values;
    const auto has = static_cast<int>(values.at("copy_exponent"));
    if (exponent <= has || std::ldexp(deviation, has) >= options_.least_row_units) return;
    if (!llvm::all_of(normalized.users(), [&](const Op* reader) {
          return reader->is("tensor.linear") ||
                 (reader->is("tensor.add") && addOperands(*reader).addend == &normalized);
        }))
      return;
    const absl::StatusOr<WideCopy> copy =
        wideCopy(*op, static_cast<int>(values.at("bits")), static_cast<int>(values.at("exponent")),
                 exponent);
    if (!copy.ok() || static_cast<double>(copy->reach) >= kLargestReach) return;
    const auto reach = static_cast<double>(copy->reach);
    values["copy_exponent"] = exponent;
    values["copy_bits"] = std::max(kNarrowBits + 1, floorLog2(reach) + 2);
    reach_[site] = reach;
  }

  // The sum of an addend, which it has the exponent of if that is possible, and a branch.
  void widenSum(size_t site, const Value& addend, int exponent, int widest) {
    const auto& stored = exponents_.sites[siteOf(&addend)].values;
    const bool copied = stored.contains("copy_exponent");
    const auto unit = stored.find(copied ? "copy_exponent" : "exponent"),
               bits = stored.find(copied ? "copy_bits" : "bits");
    if (unit == stored.end() || bits == stored.end()) return;
    const auto finest = static_cast<int>(unit->second);
    // A wide addend cannot be rounded to another exponent.
    const bool same = finest <= widest || bits->second > kNarrowBits;
    exponent = same ? finest : std::min(exponent, finest);
    auto& values = exponents_.sites[site].values;
    if (exponent <= values["exponent"]) return;
    const auto known = reach_.find(siteOf(&addend));
    double reach =
        known != reach_.end() ? known->second : std::ldexp(1, static_cast<int>(bits->second) - 1);
    reach = std::ldexp(reach, exponent - finest) + 1;
    std::map<std::string, int64_t> branch = branchExponents(site, exponent);
    int coarsest = exponent;
    for (const auto& [name, value] : branch) coarsest = std::min(coarsest, static_cast<int>(value));
    reach += std::ldexp(1, kNarrowBits - 1 + exponent - coarsest);
    if (reach >= kLargestReach) return;
    reach_[site] = reach;
    values.merge(branch);
    values["exponent"] = exponent;
    values["bits"] = std::max(kNarrowBits + 1, floorLog2(reach) + 2);
  }

  // At which each column of the branch fits 16 bits: one number for most, and those of others. A
  // column that is no outlier may once be as large as others are.
  std::map<std::string, int64_t> branchExponents(size_t site, int exponent) const {
    const Value* partial = addOperands(*values_[site]->definingOp()).partial;
    const llvm::ArrayRef<double> channels = range(siteOf(partial)).channels;
    auto fit = [&](double largest) {
      const double needed = std::max(largest * options_.residual_margin, 1e-30);
      return floorLog2((std::ldexp(1, kNarrowBits - 1) - 1) / needed);
    };
    std::vector<double> sorted(channels.begin(), channels.end());
    llvm::sort(sorted);
    const int usual = sorted.empty()
                          ? exponent
                          : std::min(exponent, fit(kUsualSpread * sorted[sorted.size() / 2]));
    std::map<std::string, int64_t> out = {{"branch_exponent", usual}};
    for (const auto& [column, largest] : llvm::enumerate(channels)) {
      if (const int own = fit(largest); own < usual)
        out[absl::StrCat("branch_exponent.", column)] = own;
    }
    return out;
  }

  // What sums that read the value make of its exponent (limitAddends).
  int64_t coarsest(const Value& value) const {
    int64_t least = kFinestExponent;
    for (const Op* reader : value.users()) {
      if (!reader->is("tensor.add") || addOperands(*reader).addend != &value) continue;
      least = std::min(least, exponents_.sites[siteOf(reader->result())].values.at("exponent") +
                                  kLargestAddendGap);
    }
    return least;
  }

  static const Value* rootOf(const Value* value) {
    while (value != nullptr && value->definingOp() != nullptr &&
           value->definingOp()->is("tensor.select_rows"))
      value = value->definingOp()->operand(0);
    return value;
  }

  size_t siteOf(const Value* value) const { return site_.find(value)->second; }
  const TensorRange& range(size_t site) const { return calibration_.ranges[site]; }

  const Calibration& calibration_;
  const std::map<size_t, double>& needs_;
  const QuantizeOptions& options_;
  Exponents& exponents_;
  std::vector<const Value*> values_;
  llvm::DenseMap<const Value*, size_t> site_;
  std::map<size_t, double> reach_;  // of wide values, in units
};

}  // namespace

bool isWide(const ExponentSite& site) {
  const auto bits = site.values.find(site.values.contains("copy_bits") ? "copy_bits" : "bits");
  return bits != site.values.end() && bits->second > kNarrowBits && site.op != "tensor.softmax";
}

int addendDrop(const ExponentSite& addend, int exponent) {
  const bool copied = addend.values.contains("copy_exponent");
  const auto unit = static_cast<int>(addend.values.at(copied ? "copy_exponent" : "exponent"));
  const auto bits = static_cast<int>(addend.values.at(copied ? "copy_bits" : "bits"));
  const int wide = isWide(addend) ? bits - kNarrowBits : 0;
  return std::max(wide, unit - exponent - kLargestAddendGap);
}

absl::StatusOr<int> branchExponent(const ExponentSite& sum, int64_t column) {
  const std::string own = absl::StrCat("branch_exponent.", column);
  return sum.get(sum.values.contains(own) ? own : "branch_exponent");
}

std::set<size_t> widenStreams(const ir::Function& function, const Calibration& calibration,
                              const std::map<size_t, double>& needs, const QuantizeOptions& options,
                              Exponents& exponents) {
  return Widener(function, calibration, needs, options, exponents).run();
}

}  // namespace lindero::passes
