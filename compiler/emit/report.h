// What a circuit costs: committed cells by table, phase, region and ONNX node. An extension cell
// counts as four; padding to powers of two is counted, and shown apart. Cells of phase 0 are
// committed once per model, all others in every proof.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "runtime/package/bundle_package.h"
#include "runtime/package/circuit.pb.h"

namespace lindero::compiler {

struct TableCost {
  std::string name;
  int64_t height = 0;
  int64_t used_rows = 0;
  std::array<int64_t, 4> columns = {};  // of the base field, by phase
  int64_t cells(int phase) const { return columns[phase] * height; }
  int64_t online() const { return (columns[1] + columns[2] + columns[3]) * height; }
  int64_t padding() const { return (columns[1] + columns[2] + columns[3]) * (height - used_rows); }
};

// A share of tables' online cells: the rows of a region or node times the width, without padding.
struct Share {
  std::string name;
  int64_t cells = 0;
};

struct CostReport {
  std::vector<TableCost> tables;
  std::vector<Share> regions;  // in order of first appearance
  std::vector<Share> nodes;
  int64_t online = 0, fixed = 0, padding = 0;
  int64_t columns = 0;      // of all phases, base field
  int64_t most_blocks = 0;  // of a bundle, where all figures are those of a block; 0: no bundle
};

CostReport costReport(const Circuit& circuit, int64_t most_blocks = 1);

// Of a bundle of several: what they cost together. Tables are called "member/table".
CostReport addCosts(const std::vector<std::string>& names, const std::vector<CostReport>& members);

// Of a package: of each member, and of all.
std::vector<CostReport> memberCosts(const runtime::BundlePackage& package);
CostReport bundleCosts(const runtime::BundlePackage& package);

// As report.json holds it.
nlohmann::ordered_json toJson(const CostReport& report);

}  // namespace lindero::compiler
