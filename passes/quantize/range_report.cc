#include "passes/quantize/range_report.h"

#include <algorithm>
#include <cmath>

#include "llvm/Support/Format.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

constexpr double kAccumulatorLimit = 0x1p30;

int signedBits(int64_t low, int64_t high) {
  int bits = 1;
  while (low < -(int64_t{1} << (bits - 1)) || high >= int64_t{1} << (bits - 1)) ++bits;
  return bits;
}

// The largest magnitude that calibration saw of the value at a site.
double seenAt(llvm::ArrayRef<const ir::Value*> sites, size_t site, const Calibration& calibration) {
  const ir::Op* op = sites[site]->definingOp();
  if (op == nullptr || !op->is("tensor.layernorm")) return calibration.ranges[site].largest;
  const auto operand = std::find(sites.begin(), sites.end(), op->operand(0));
  double largest = 0;
  for (double z : calibration.ranges[operand - sites.begin()].normalized)
    largest = std::max(largest, z);
  return largest;
}

}  // namespace

std::vector<RangeRow> rangeReport(const ir::Function& source, llvm::ArrayRef<TensorRecord> records,
                                  const Calibration* calibration) {
  const std::vector<const ir::Value*> sites = exponentSites(source);
  std::vector<RangeRow> rows;
  for (const TensorRecord& record : records) {
    if (record.role == "constant") continue;
    RangeRow row;
    const ir::Type& type = record.value->type();
    row.role = record.role;
    row.node = record.node;
    row.exponent = record.exponents.front();
    row.low = type.low;
    row.high = type.high;
    row.bits = signedBits(type.low, type.high);
    row.weight_bits = record.weight_bits;
    const double limit = static_cast<double>(std::max(-type.low, type.high));
    if (record.site < 0) {
      row.headroom = std::log2(kAccumulatorLimit / std::max(limit, 1.0));
    } else if (calibration != nullptr) {
      row.seen = seenAt(sites, record.site, *calibration);
      const double fits = std::ldexp(limit, -row.exponent);
      if (*row.seen > 0) row.headroom = std::log2(fits / *row.seen);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void print(llvm::ArrayRef<RangeRow> rows, llvm::raw_ostream& os) {
  os << "role          exponent  bits        seen  headroom  weights                     range  "
        "node\n";
  for (const RangeRow& row : rows) {
    os << llvm::format("%-12s  %8d  %4d  ", row.role.c_str(), row.exponent, row.bits);
    if (row.seen) {
      os << llvm::format("%10.4g  ", *row.seen);
    } else {
      os << "         -  ";
    }
    if (row.headroom) {
      os << llvm::format("%8.2f  ", *row.headroom);
    } else {
      os << "       -  ";
    }
    if (row.weight_bits > 0) {
      os << llvm::format("%7d  ", row.weight_bits);
    } else {
      os << "      -  ";
    }
    const std::string range = "[" + std::to_string(row.low) + ", " + std::to_string(row.high) + "]";
    os << llvm::format("%24s  ", range.c_str()) << row.node << '\n';
  }
}

}  // namespace lindero::passes
