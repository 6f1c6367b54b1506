#include "compiler/emit/report.h"

#include "llvm/ADT/MapVector.h"

namespace lindero::compiler {
namespace {

constexpr int kExtension = 4;

using Shares = llvm::MapVector<std::string, int64_t, std::map<std::string, unsigned>>;

TableCost tableCost(const Table& table) {
  TableCost cost;
  cost.name = table.name();
  cost.height = int64_t{1} << table.log_height();
  for (const Column& c : table.columns())
    cost.columns[c.phase()] += c.phase() >= 2 ? kExtension : 1;
  for (const Instance& i : table.instances()) cost.used_rows += i.rows();
  // Lookup tables do no node's work: every row is used.
  if (table.instances().empty()) cost.used_rows = cost.height;
  return cost;
}

std::vector<Share> toVector(const Shares& shares) {
  std::vector<Share> out;
  for (const auto& [name, cells] : shares) out.push_back({name, cells});
  return out;
}

nlohmann::ordered_json sharesJson(const std::vector<Share>& shares) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const Share& s : shares) out.push_back({{"name", s.name}, {"cells", s.cells}});
  return out;
}

}  // namespace

CostReport costReport(const Circuit& circuit, int64_t most_blocks) {
  CostReport report;
  Shares regions, nodes;
  for (const Table& table : circuit.tables()) {
    TableCost cost = tableCost(table);
    int64_t width = cost.online() / cost.height;
    for (const Instance& i : table.instances()) {
      regions[i.region()] += static_cast<int64_t>(i.rows()) * width;
      nodes[i.node()] += static_cast<int64_t>(i.rows()) * width;
    }
    if (table.instances().empty()) regions["lookup tables"] += cost.online();
    report.online += cost.online();
    report.fixed += cost.cells(0);
    report.padding += cost.padding();
    for (int64_t c : cost.columns) report.columns += c;
    report.tables.push_back(std::move(cost));
  }
  report.most_blocks = most_blocks > 1 ? most_blocks : 0;
  report.regions = toVector(regions);
  report.nodes = toVector(nodes);
  return report;
}

CostReport addCosts(const std::vector<std::string>& names, const std::vector<CostReport>& members) {
  if (members.size() == 1) return members[0];
  CostReport all;
  Shares regions, nodes;
  for (size_t m = 0; m < members.size(); ++m) {
    const CostReport& member = members[m];
    for (TableCost table : member.tables) {
      table.name = names[m] + "/" + table.name;
      all.tables.push_back(std::move(table));
    }
    for (const Share& share : member.regions) regions[share.name] += share.cells;
    for (const Share& share : member.nodes) nodes[share.name] += share.cells;
    all.online += member.online;
    all.fixed += member.fixed;
    all.padding += member.padding;
    all.columns += member.columns;
  }
  all.most_blocks = members.empty() ? 0 : members[0].most_blocks;
  all.regions = toVector(regions);
  all.nodes = toVector(nodes);
  return all;
}

std::vector<CostReport> memberCosts(const runtime::BundlePackage& package) {
  std::vector<CostReport> costs;
  for (const runtime::Package& member : package.members) {
    costs.push_back(costReport(member.circuit(), package.bundle.most_steps()));
  }
  return costs;
}

CostReport bundleCosts(const runtime::BundlePackage& package) {
  std::vector<std::string> names;
  for (const Member& member : package.bundle.members()) names.push_back(member.name());
  return addCosts(names, memberCosts(package));
}

nlohmann::ordered_json toJson(const CostReport& report) {
  nlohmann::ordered_json json;
  json["online_cells"] = report.online;
  json["fixed_cells"] = report.fixed;
  json["padding_cells"] = report.padding;
  json["columns"] = report.columns;
  for (const TableCost& t : report.tables) {
    json["tables"].push_back({{"name", t.name},
                              {"height", t.height},
                              {"used_rows", t.used_rows},
                              {"columns", t.columns},
                              {"online_cells", t.online()},
                              {"padding_cells", t.padding()}});
  }
  json["regions"] = sharesJson(report.regions);
  json["nodes"] = sharesJson(report.nodes);
  return json;
}

}  // namespace lindero::compiler
