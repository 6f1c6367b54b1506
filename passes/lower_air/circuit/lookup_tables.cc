#include "passes/lower_air/circuit/lookup_tables.h"

#include <algorithm>

#include "llvm/Support/MathExtras.h"

namespace lindero::passes {
namespace {

constexpr int64_t kNotHere = -(int64_t{1} << 40);

// The entries that stand one below the other in a set of columns: first fit.
template <typename Entries>
auto setsOf(const Entries& entries, int64_t height) {
  std::vector<std::vector<decltype(entries.data())>> sets;
  std::vector<int64_t> used;
  for (const auto& e : entries) {
    size_t s = 0;
    while (s < sets.size() && used[s] + e.rows > height) ++s;
    if (s == sets.size()) sets.emplace_back(), used.push_back(0);
    sets[s].push_back(&e);
    used[s] += e.rows;
  }
  return sets;
}

}  // namespace

void LookupTables::useRange(int64_t tag) { max_tag_ = std::max(max_tag_, tag); }

LookupTables::Entry& LookupTables::newEntry(Bus& bus, const std::string& key, int64_t rows,
                                            int64_t low) {
  int64_t id = bus.first_id + bus.entries.size();
  bus.ids[key] = id;
  bus.entries.push_back({id, rows, low, {}});
  return bus.entries.back();
}

int64_t LookupTables::square(int64_t shift) {
  std::string key = "square " + std::to_string(shift);
  if (auto it = function_.ids.find(key); it != function_.ids.end()) return it->second;
  const int64_t half = shift ? int64_t{1} << (shift - 1) : 0;
  Entry& e = newEntry(function_, key, 65535, -32767);
  e.sources = {{"", -32767, 1}, {"square", 0, 1, [=](const ir::ConstantPool&) {
                                   std::vector<int64_t> v;
                                   for (int64_t x = -32767; x <= 32767; ++x)
                                     v.push_back((x * x + half) >> shift);
                                   return v;
                                 }}};
  return e.id;
}

int64_t LookupTables::root(const ir::Value* table) {
  std::string symbol = table->definingOp()->symbolAttr("value");
  if (auto it = root_.ids.find(symbol); it != root_.ids.end()) return it->second;
  Entry& e = newEntry(root_, symbol, table->type().shape[0], 0);
  e.sources = {{"", 0, 1}, {symbol, 0, 2}, {symbol, 1, 2}};
  return e.id;
}

int64_t LookupTables::activation(const ir::Op& lookup) {
  const ir::Value* table = lookup.operand(1);
  const std::string symbol = table->definingOp()->symbolAttr("value");
  const int64_t rows = table->type().shape[0], low = lookup.intAttrOr("low", -rows / 2);
  const std::string key = lookup.has("low") ? symbol + "," + std::to_string(low) : symbol;
  if (auto it = function_.ids.find(key); it != function_.ids.end()) return it->second;
  Entry& e = newEntry(function_, key, rows, low);
  e.sources = {{"", low, 1}, {symbol, 0, 1}};
  return e.id;
}

int64_t LookupTables::opened(int64_t from) {
  std::string key = "opened " + std::to_string(from);
  if (auto it = function_.ids.find(key); it != function_.ids.end()) return it->second;
  Entry& e = newEntry(function_, key, 2 * from, 0);
  e.sources = {{"", 0, 1}, {"opened", 0, 1, [=](const ir::ConstantPool&) {
                              std::vector<int64_t> open(2 * from, 0);
                              std::fill(open.begin() + from, open.end(), 1);
                              return open;
                            }}};
  return e.id;
}

namespace {

std::vector<int64_t> elementsOf(int64_t low, int64_t high, std::function<int64_t(int64_t)> of) {
  std::vector<int64_t> elements;
  for (int64_t i = low; i <= high; ++i) elements.push_back(of(i));
  return elements;
}

}  // namespace

int64_t LookupTables::rowSquare(int64_t shift) {
  constexpr int64_t kLow = -(int64_t{1} << 15), kHigh = -kLow - 1;
  const std::string key = std::to_string(shift);
  if (auto it = row_square_.ids.find(key); it != row_square_.ids.end()) return it->second;
  const int64_t half = int64_t{1} << (shift - 1);
  Entry& e = newEntry(row_square_, key, kHigh - kLow + 1, kLow);
  auto column = [](const char* name, std::function<int64_t(int64_t)> of) {
    return Entry::Source{name, 0, 1,
                         [=](const ir::ConstantPool&) { return elementsOf(kLow, kHigh, of); }};
  };
  e.sources = {
      {"", kLow, 1},
      column("row_square", [=](int64_t u) { return (u * u + half) >> shift; }),
      column("row_large", [](int64_t u) { return 2 * u < kLow || 2 * u > kHigh ? 1 : 0; })};
  return e.id;
}

int64_t LookupTables::rowShift(int64_t limit, int64_t epsilon) {
  const std::string key = std::to_string(limit) + "," + std::to_string(epsilon);
  if (auto it = row_shift_.ids.find(key); it != row_shift_.ids.end()) return it->second;
  Entry& e = newEntry(row_shift_, key, limit + 1, 0);
  auto column = [=](const char* name, std::function<int64_t(int64_t)> of) {
    return Entry::Source{name, 0, 1,
                         [=](const ir::ConstantPool&) { return elementsOf(0, limit, of); }};
  };
  e.sources = {{"", 0, 1},
               column("row_power", [](int64_t s) { return int64_t{1} << s; }),
               column("row_coarse", [](int64_t s) { return s > 0 ? 1 : 0; }),
               column("row_epsilon", [=](int64_t s) {
                 return (epsilon + ((int64_t{1} << 2 * s) >> 1)) >> 2 * s;
               })};
  return e.id;
}

int64_t LookupTables::exponential(const ir::Op& softmax) {
  const std::string symbol = softmax.operand(1)->definingOp()->symbolAttr("value");
  int64_t live = softmax.intAttr("live_rows"), dead = softmax.intAttr("dead_rows");
  int64_t width = softmax.intAttr("dead_width");
  std::string key = symbol + "," + std::to_string(dead) + "," + std::to_string(width);
  if (auto it = exponential_.ids.find(key); it != exponential_.ids.end()) return it->second;
  const int64_t at_minus_one = softmax.intAttr("exp_at_minus_one");
  // Column by column: live rows give p(k) and w = 0, dead ones p = 0 and their width. The last live
  // row's successor has p- = EXP(live - 1) = 0, so dead rows may say p- = 0.
  using Row = std::function<int64_t(llvm::ArrayRef<int64_t> exp, int64_t i)>;
  auto column = [=](const char* name, Row live_row, Row dead_row) {
    return Entry::Source{name, 0, 1, [=](const ir::ConstantPool& pool) {
                           std::vector<int64_t> exp, cells;
                           ir::visitIntegers(*pool.find(symbol), [&](auto elements) {
                             exp.assign(elements.begin(), elements.end());
                           });
                           for (int64_t i = 0; i < live; ++i) cells.push_back(live_row(exp, i));
                           for (int64_t i = 0; i < dead; ++i) cells.push_back(dead_row(exp, i));
                           return cells;
                         }};
  };
  auto constant = [](int64_t value) {
    return [=](llvm::ArrayRef<int64_t>, int64_t) { return value; };
  };
  Entry& e = newEntry(exponential_, key, live + dead, 0);
  e.sources = {
      column(
          "exp.k", [](auto, int64_t i) { return i; },
          [=](auto, int64_t i) { return live + (i << width); }),
      column("exp.w", constant(0), constant(width)),
      column(
          "exp.p", [](auto exp, int64_t i) { return exp[i]; }, constant(0)),
      column(
          "exp.previous", [=](auto exp, int64_t i) { return i == 0 ? at_minus_one : exp[i - 1]; },
          constant(0))};
  return e.id;
}

void LookupTables::makeElements(Bus& bus, ir::Module& module) {
  for (Entry& e : bus.entries) {
    for (Entry::Source& source : e.sources) {
      if (!source.elements) continue;
      std::vector<int64_t> elements = source.elements(module.constants());
      const int64_t size = elements.size();
      source.constant =
          module.constants().addOwned<int64_t>(source.constant, {size}, std::move(elements)).name;
    }
  }
}

void LookupTables::addRanges() {
  int64_t tags = std::min<int64_t>(max_tag_, 15) + 1;
  for (int64_t tag = tags - 1; tag >= 0; --tag) {
    function_.entries.insert(function_.entries.begin(), {tag, int64_t{1} << tag, 0, {{"", 0, 1}}});
  }
  if (max_tag_ >= 16) function_.entries.push_back({16, 1 << 16, 0, {{"", 0, 1}}});
}

// One table of the sets of all these buses, of the height that costs least; none (of height 0)
// where nothing is looked up.
TableSize LookupTables::buildBuses(CircuitBuilder& circuit, const char* name,
                                   const std::vector<const Bus*>& buses,
                                   const TableLimits& limits) {
  int64_t longest = 1, total = 0;
  for (const Bus* bus : buses) {
    for (const Entry& e : bus->entries) longest = std::max(longest, e.rows), total += e.rows;
  }
  if (total == 0) return {};
  const int64_t shortest = llvm::PowerOf2Ceil(longest);
  const int64_t tallest =
      std::max(shortest, std::min<int64_t>(llvm::PowerOf2Ceil(total), limits.tallest));
  int64_t height = 0, least = INT64_MAX;
  for (int64_t h = shortest; h <= tallest; h *= 2) {
    // A set has a tuple and a multiplicity; two sets share a fraction.
    int64_t sets = 0, fixed = 0;
    for (const Bus* bus : buses) {
      int64_t n = setsOf(bus->entries, h).size();
      sets += n, fixed += n * (bus->columns.size() + 1);
    }
    int64_t online = sets + 4 * llvm::divideCeil(sets, 2);
    int64_t cost = h * online + (fixed + online) * limits.column_cost;
    if (cost < least) least = cost, height = h;
  }
  TableBuilder t(circuit, name, height);
  for (const Bus* bus : buses) {
    if (!bus->entries.empty()) buildBus(t, *bus);
  }
  return t.size();
}

void LookupTables::buildBus(TableBuilder& t, const Bus& bus) {
  t.circuit().bus(bus.name, bus.columns.size() + 1, 1);
  int64_t ids = 0;
  for (const Entry& e : bus.entries) ids = std::max(ids, e.id + 1);
  auto sets = setsOf(bus.entries, t.height());
  for (size_t s = 0; s < sets.size(); ++s) {
    std::string prefix = bus.name + std::to_string(s);
    Lanes tuple{t.fixed(prefix + ".id")};
    for (const std::string& column : bus.columns) tuple.push_back(t.fixed(prefix + "." + column));
    Expr count = t.main(prefix + ".count");
    std::vector<int64_t> offsets(ids, kNotHere);
    int64_t first = 0;
    for (const Entry* e : sets[s]) {
      t.fillConstant(tuple[0], first, e->rows, e->id);
      for (size_t i = 0; i < e->sources.size(); ++i) {
        t.fill(tuple[i + 1], {first, {{e->rows, 1, e->sources[i].stride}}, e->sources[i].offset, 0},
               e->sources[i].constant);
      }
      offsets[e->id] = first - e->low;
      places_[{bus.name, e->id}] = {t.name(), prefix + "." + bus.columns[0], first, e->rows};
      first += e->rows;
    }
    t.provide(prefix, bus.name, count, tuple, 1, 0, offsets);
  }
}

TableSize LookupTables::buildPowers(CircuitBuilder& circuit) {
  circuit.bus("four", 4, 1);
  circuit.bus("two", 2, 1);
  struct Row {
    int64_t limit, j;
  };
  std::vector<Row> rows;
  std::vector<int64_t> offsets(*exponent_limits_.rbegin() + 1, kNotHere);
  for (int64_t limit : exponent_limits_) {
    offsets[limit] = rows.size();
    places_[{"four", limit}] = {"powers", "four.low", offsets[limit], limit + 1};
    for (int64_t j = 0; j <= limit; ++j) rows.push_back({limit, j});
  }
  TableBuilder t(circuit, "powers", rows.size());
  Expr limit = t.fixed("four.limit"), j = t.fixed("four.j");
  Expr four = t.fixed("four.power"), low = t.fixed("four.low");
  Expr shift = t.fixed("two.t"), two = t.fixed("two.power");
  Expr four_count = t.main("four.count"), two_count = t.main("two.count");
  // Rows beyond the last power repeat it.
  for (int64_t row = 0; row < t.height(); ++row) {
    const Row& r = rows[std::min<size_t>(row, rows.size() - 1)];
    int64_t s = std::min<int64_t>(row, 16);
    t.fillConstant(limit, row, 1, r.limit);
    t.fillConstant(j, row, 1, r.j);
    t.fillConstant(four, row, 1, int64_t{1} << (2 * r.j));
    t.fillConstant(low, row, 1, r.j ? 1 << 14 : 0);
    t.fillConstant(shift, row, 1, s);
    t.fillConstant(two, row, 1, int64_t{1} << s);
  }
  t.provide("four", "four", four_count, {limit, j, four, low}, 1, 0, offsets);
  t.provide("two", "two", two_count, {shift, two}, 0, -1, {0});
  return t.size();
}

void LookupTables::build(CircuitBuilder& circuit, ir::Module& module, const TableLimits& limits) {
  addRanges();
  for (Bus* bus : {&function_, &root_, &exponential_, &row_square_, &row_shift_})
    makeElements(*bus, module);
  buildTables(circuit, limits);
}

std::vector<TableSize> LookupTables::measure(const TableLimits& limits) const {
  LookupTables measured = *this;
  measured.addRanges();
  CircuitBuilder counter;
  return measured.buildTables(counter, limits);
}

std::vector<TableSize> LookupTables::buildTables(CircuitBuilder& circuit,
                                                 const TableLimits& limits) {
  std::vector<TableSize> sizes{buildBuses(circuit, "functions", {&function_}, limits),
                               buildBuses(circuit, "normalizers", {&root_, &exponential_}, limits),
                               buildBuses(circuit, "row_squares", {&row_square_}, limits),
                               buildBuses(circuit, "row_shifts", {&row_shift_}, limits)};
  if (!exponent_limits_.empty()) sizes.push_back(buildPowers(circuit));
  std::erase_if(sizes, [](const TableSize& size) { return size.height == 0; });
  return sizes;
}

}  // namespace lindero::passes
