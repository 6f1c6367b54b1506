// Lookup tables, read off the fixed columns.
#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/eval/bus_counter.h"
#include "runtime/package/circuit_access.h"
#include "runtime/tamper/adaptive/premises.h"

namespace lindero::runtime {
namespace {

using Tuple = std::vector<int64_t>;

// How many components of a bus's tuples are the key.
struct KeyedBus {
  const char* bus;
  size_t keys;
};
constexpr KeyedBus kKeyedBuses[] = {
    {"function", 2}, {"exponential", 2}, {"root", 2}, {"four", 2}, {"two", 1}};
constexpr int64_t kRanges = 17;  // an id below stands for the range of that number of bits

// Where a fixed column has to be two to another one's value, in rows where a third is not zero.
struct PowerOf {
  const char* power;
  const char* tag;
  int64_t less;  // than the tag
  const char* where;
};
constexpr PowerOf kPowers[] = {{"power", "remainder_tag", 0, "on"},
                               {"power", "score_tag", 0, "power"},
                               {"output_offset", "output_tag", 1, "on"}};

int64_t centered(uint32_t value) { return M31::fromCanonical(value).centered(); }

class TableCheck {
 public:
  explicit TableCheck(const Package& package) : package_(package), circuit_(package.circuit()) {}

  std::vector<Premise> run() {
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      for (const Lookup& lookup : circuit_.tables(t).lookups()) {
        if (lookup.provide()) readProvider(static_cast<uint32_t>(t), lookup);
      }
      for (const PowerOf& p : kPowers) checkPower(static_cast<uint32_t>(t), p);
    }
    for (const KeyedBus& keyed : kKeyedBuses) checkKeys(keyed);
    checkRanges();
    checkExponentials();
    checkTags();
    std::vector<Premise> premises{std::move(keys_), std::move(ranges_), std::move(exponentials_),
                                  std::move(powers_)};
    if (tags_.examined > 0 || tags_.wrong > 0) premises.push_back(std::move(tags_));
    return premises;
  }

 private:
  std::optional<uint32_t> fixedColumn(uint32_t t, const char* name) const {
    const Table& table = tableOf(circuit_, t);
    for (int c = 0; c < columnsOfPhase(table, 0); ++c) {
      if (table.columns(c).name() == name) return static_cast<uint32_t>(c);
    }
    return std::nullopt;
  }

  // Tuples of fixed columns; those that hold others have no keys.
  void readProvider(uint32_t t, const Lookup& lookup) {
    const std::string& bus = circuit_.buses(static_cast<int>(lookup.bus())).name();
    if (std::none_of(std::begin(kKeyedBuses), std::end(kKeyedBuses),
                     [&](const KeyedBus& k) { return bus == k.bus; })) {
      return;
    }
    std::vector<absl::Span<const uint32_t>> columns;
    for (uint32_t index : lookup.tuple()) {
      const Node& node = circuit_.nodes(static_cast<int>(index));
      if (node.op() != Node::COLUMN || node.offset() != 0 ||
          package_.circuitInfo().nodes[index].phase != 0) {
        return;
      }
      columns.push_back(package_.fixedColumn(t, node.b()));
    }
    std::vector<Tuple>& rows = rows_[bus];
    for (uint64_t row = 0; row < columns[0].size(); ++row) {
      Tuple tuple;
      for (const auto& column : columns) tuple.push_back(centered(column[row]));
      rows.push_back(std::move(tuple));
    }
  }

  // Leaves one row of those that are alike.
  void checkKeys(const KeyedBus& keyed) {
    auto it = rows_.find(keyed.bus);
    if (it == rows_.end()) return;
    std::vector<Tuple>& rows = it->second;
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    keys_.examined += rows.size();
    for (size_t i = 1; i < rows.size(); ++i) {
      if (std::equal(rows[i].begin(), rows[i].begin() + static_cast<int64_t>(keyed.keys),
                     rows[i - 1].begin())) {
        keys_.fail(absl::StrCat("bus ", keyed.bus, ": the key ", rows[i][0],
                                keyed.keys > 1 ? absl::StrCat(", ", rows[i][1]) : "",
                                " has two rows"));
      }
    }
  }

  // The rows with this id.
  absl::Span<const Tuple> rowsOf(const char* bus, int64_t id) const {
    const std::vector<Tuple>& rows = rows_.at(bus);
    auto less = [](const Tuple& row, int64_t value) { return row[0] < value; };
    auto begin = std::lower_bound(rows.begin(), rows.end(), id, less);
    auto end = std::lower_bound(begin, rows.end(), id + 1, less);
    return absl::MakeConstSpan(rows).subspan(static_cast<size_t>(begin - rows.begin()),
                                             static_cast<size_t>(end - begin));
  }

  // RANGE(bits): (bits, value, 0).
  void checkRanges() {
    if (!rows_.contains("function")) return;
    for (int64_t bits = 0; bits < kRanges; ++bits) {
      const absl::Span<const Tuple> rows = rowsOf("function", bits);
      if (rows.empty()) continue;
      ++ranges_.examined;
      bool good = rows.size() == uint64_t{1} << bits;
      for (size_t i = 0; good && i < rows.size(); ++i) {
        good = rows[i][1] == static_cast<int64_t>(i) && rows[i][2] == 0;
      }
      if (!good) ranges_.fail(absl::StrCat("RANGE(", bits, ")"));
    }
  }

  // (id, first value, width's bits, probability, that of the value before).
  void checkExponentials() {
    auto it = rows_.find("exponential");
    if (it == rows_.end()) return;
    for (size_t i = 0; i < it->second.size();) {
      const int64_t id = it->second[i][0];
      const absl::Span<const Tuple> rows = rowsOf("exponential", id);
      i += rows.size();
      if (rows.size() < 2) continue;
      ++exponentials_.examined;
      if (const char* why = whyNoExponential(rows); why != nullptr) {
        exponentials_.fail(absl::StrCat("exponential ", id, ": ", why));
      }
    }
  }

  static const char* whyNoExponential(absl::Span<const Tuple> rows) {
    int64_t last_live = -1, most = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      const bool live = rows[i][2] == 0;
      const int64_t p = rows[i][3], before = rows[i][4];
      if (p < 0 || before < p) return "a probability is negative, or larger than the one before";
      if (!live && (p != 0 || before != 0)) return "a dead row has a probability";
      if (live) last_live = p;
      most = std::max(most, p);
      if (i == 0) continue;
      const Tuple& previous = rows[i - 1];
      if (p > previous[3]) return "it increases";
      if (live && before != previous[3]) return "a row names another predecessor";
      if (previous[2] < 0 || previous[2] > 40 ||
          rows[i][1] != previous[1] + (int64_t{1} << previous[2])) {
        return "rows overlap, or leave a gap";
      }
    }
    if (last_live > 0 && rows.back()[2] != 0) return "it is not zero before its dead rows";
    return most >= rows[0][4] ? "the first row's predecessor is not larger" : nullptr;
  }

  void checkPower(uint32_t t, const PowerOf& p) {
    const auto power = fixedColumn(t, p.power), tag = fixedColumn(t, p.tag),
               where = fixedColumn(t, p.where);
    if (!power || !tag || !where) return;
    const Table& table = tableOf(circuit_, t);
    for (uint64_t row = 0; row < tableHeight(table); ++row) {
      if (package_.fixedColumn(t, *where)[row] == 0) continue;
      ++powers_.examined;
      const int64_t bits = centered(package_.fixedColumn(t, *tag)[row]) - p.less;
      if (bits < 0 || bits > 40 ||
          centered(package_.fixedColumn(t, *power)[row]) != int64_t{1} << bits) {
        powers_.fail(absl::StrCat(table.name(), ".", p.power, ", row ", row));
      }
    }
  }

  // Of fixed cells of the row alone.
  std::optional<M31> fixedValue(uint32_t t, uint32_t index, uint64_t row) const {
    const Node& node = circuit_.nodes(static_cast<int>(index));
    if (node.op() == Node::CONSTANT) return M31::fromCanonical(node.a());
    if (node.op() == Node::COLUMN) {
      if (node.offset() != 0 || package_.circuitInfo().nodes[index].phase != 0) return std::nullopt;
      return M31::fromCanonical(package_.fixedColumn(t, node.b())[row]);
    }
    if (node.op() != Node::ADD && node.op() != Node::SUB && node.op() != Node::MUL) {
      return std::nullopt;
    }
    const auto a = fixedValue(t, node.a(), row), b = fixedValue(t, node.b(), row);
    if (!a || !b) return std::nullopt;
    return node.op() == Node::ADD ? *a + *b : node.op() == Node::SUB ? *a - *b : *a * *b;
  }

  // Of buses without providers: who gives a tag, and how often it is given and looked up.
  void checkTags() {
    struct Uses {
      int givers = 0;
      int64_t given = 0, looked_up = 0;
    };
    const std::vector<bool> tagged = taggedBuses(circuit_);
    std::map<std::pair<uint32_t, int64_t>, Uses> uses;  // by bus and tag
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      const Table& table = circuit_.tables(t);
      for (const Lookup& lookup : table.lookups()) {
        if (!tagged[lookup.bus()]) continue;
        for (uint64_t row = 0; row < tableHeight(table); ++row) {
          const auto times = fixedValue(static_cast<uint32_t>(t), lookup.multiplicity(), row);
          const auto tag = fixedValue(static_cast<uint32_t>(t), lookup.tuple(0), row);
          if (!times || !tag) {
            tags_.fail(absl::StrCat(table.name(), ".", lookup.name(), " is not fixed"));
            break;
          }
          const int64_t n = times->centered();
          if (n == 0) continue;
          Uses& of = uses[{lookup.bus(), tag->centered()}];
          of.givers += n < 0;
          (n < 0 ? of.given : of.looked_up) += n < 0 ? -n : n;
        }
      }
    }
    for (const auto& [key, of] : uses) {
      ++tags_.examined;
      if (of.givers == 1 && of.given == of.looked_up && of.given < int64_t{kModulus}) continue;
      tags_.fail(absl::StrCat("bus ", circuit_.buses(static_cast<int>(key.first)).name(), ": tag ",
                              key.second, " has ", of.givers, " givers, is given ", of.given,
                              " times and looked up ", of.looked_up));
    }
  }

  const Package& package_;
  const Circuit& circuit_;
  std::map<std::string, std::vector<Tuple>> rows_;  // by bus
  Premise keys_{"lookup tables: one row for each key"};
  Premise ranges_{"ranges: without gaps"};
  Premise exponentials_{"exponentials: monotone, without gaps"};
  Premise powers_{"powers: two to the tag"};
  Premise tags_{"tagged buses: each tag is given once, as often as it is looked up"};
};

}  // namespace

std::vector<Premise> checkLookupTables(const Package& package) { return TableCheck(package).run(); }

}  // namespace lindero::runtime
