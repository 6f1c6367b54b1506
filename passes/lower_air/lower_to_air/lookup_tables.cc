#include "passes/lower_air/lower_to_air/lookup_tables.h"

#include <algorithm>

namespace lindero::passes {
namespace {

constexpr int64_t kSetRows = 1 << 16;
constexpr int64_t kNotHere = -(int64_t{1} << 40);
constexpr const char* kTable = "tables";

}  // namespace

void LookupTables::useRange(int64_t tag) { max_tag_ = std::max(max_tag_, tag); }

std::string LookupTables::own(const std::string& name, std::vector<int64_t> values) {
  int64_t size = values.size();
  return module_.constants().addOwned<int64_t>(name, {size}, std::move(values)).name;
}

LookupTables::Entry& LookupTables::newEntry(Bus& bus, const std::string& key, int64_t rows,
                                            int64_t low) {
  int64_t id = bus.entries.size();
  bus.ids[key] = id;
  bus.entries.push_back({id, rows, low, {}});
  return bus.entries.back();
}

int64_t LookupTables::square(int64_t shift) {
  std::string key = std::to_string(shift);
  if (auto it = square_.ids.find(key); it != square_.ids.end()) return it->second;
  std::vector<int64_t> d, v;
  int64_t half = shift ? int64_t{1} << (shift - 1) : 0;
  for (int64_t x = -32767; x <= 32767; ++x) {
    d.push_back(x);
    v.push_back((x * x + half) >> shift);
  }
  Entry& e = newEntry(square_, key, d.size(), -32767);
  e.sources = {{own("square.d", d), 0, 1}, {own("square.v", v), 0, 1}};
  return e.id;
}

int64_t LookupTables::root(const ir::Value* table) {
  std::string symbol = table->definingOp()->symbolAttr("value");
  if (auto it = root_.ids.find(symbol); it != root_.ids.end()) return it->second;
  Entry& e = newEntry(root_, symbol, table->type().shape[0], 0);
  e.sources = {{"", 0, 1}, {symbol, 0, 2}, {symbol, 1, 2}};
  return e.id;
}

int64_t LookupTables::activation(const ir::Value* table) {
  std::string symbol = table->definingOp()->symbolAttr("value");
  if (auto it = activation_.ids.find(symbol); it != activation_.ids.end()) return it->second;
  int64_t rows = table->type().shape[0];
  Entry& e = newEntry(activation_, symbol, rows, -rows / 2);
  e.sources = {{"", -rows / 2, 1}, {symbol, 0, 1}};
  return e.id;
}

int64_t LookupTables::exponential(const ir::Op& softmax) {
  const std::string& symbol = softmax.operand(1)->definingOp()->symbolAttr("value");
  int64_t live = softmax.intAttr("live_rows"), dead = softmax.intAttr("dead_rows");
  int64_t width = softmax.intAttr("dead_width");
  std::string key = symbol + "," + std::to_string(dead) + "," + std::to_string(width);
  if (auto it = exponential_.ids.find(key); it != exponential_.ids.end()) return it->second;
  std::vector<int64_t> exp;
  ir::visitIntegers(*module_.constants().find(symbol),
                    [&](auto elements) { exp.assign(elements.begin(), elements.end()); });
  auto value = [&](int64_t k) { return k < 0 ? softmax.intAttr("exp_at_minus_one") : exp[k]; };
  std::vector<int64_t> k, w, p, previous;
  for (int64_t i = 0; i < live; ++i) {
    k.push_back(i), w.push_back(0), p.push_back(value(i)), previous.push_back(value(i - 1));
  }
  for (int64_t i = 0; i < dead; ++i) {
    k.push_back(live + (i << width)), w.push_back(width), p.push_back(0), previous.push_back(0);
  }
  // The last live row's successor has p- = EXP(live - 1) = 0, so dead rows may say p- = 0.
  Entry& e = newEntry(exponential_, key, k.size(), 0);
  e.sources = {{own("exp.k", k), 0, 1},
               {own("exp.w", w), 0, 1},
               {own("exp.p", p), 0, 1},
               {own("exp.previous", previous), 0, 1}};
  return e.id;
}

// First-fit of the bus's entries into sets of kSetRows rows; a set is a group of columns of the
// common table.
void LookupTables::buildBus(CircuitBuilder& circuit, TableBuilder& t, const Bus& bus) {
  if (bus.entries.empty()) return;
  circuit.bus(bus.name, bus.columns.size() + 1, 1);
  std::vector<std::vector<const Entry*>> sets;
  std::vector<int64_t> used;
  for (const Entry& e : bus.entries) {
    size_t s = 0;
    while (s < sets.size() && used[s] + e.rows > kSetRows) ++s;
    if (s == sets.size()) sets.emplace_back(), used.push_back(0);
    sets[s].push_back(&e);
    used[s] += e.rows;
  }
  for (size_t s = 0; s < sets.size(); ++s) {
    std::string prefix = bus.name + std::to_string(s);
    Lanes tuple{t.fixed(prefix + ".id")};
    for (const std::string& column : bus.columns) tuple.push_back(t.fixed(prefix + "." + column));
    Expr count = t.main(prefix + ".count");
    std::vector<int64_t> offsets(bus.entries.size(), kNotHere);
    int64_t first = 0;
    for (const Entry* e : sets[s]) {
      t.fillConstant(tuple[0], first, e->rows, e->id);
      for (size_t i = 0; i < e->sources.size(); ++i) {
        t.fill(tuple[i + 1], {first, {{e->rows, 1, e->sources[i].stride}}, e->sources[i].offset, 0},
               e->sources[i].constant);
      }
      offsets[e->id] = first - e->low;
      places_[{bus.name, e->id}] = {kTable, prefix + "." + bus.columns[0], first, e->rows};
      first += e->rows;
    }
    // Rows beyond provide nothing: their count is zero.
    Expr used_row = t.fixed(prefix + ".used");
    t.fillConstant(used_row, 0, first, 1);
    t.constrain(count - used_row * count, prefix + " rows in use");
    t.provide(prefix, bus.name, count, tuple, 1, 0, offsets);
  }
}

void LookupTables::buildRange(TableBuilder& t) {
  t.circuit().bus("range", 2, 1);
  int64_t tags = std::min<int64_t>(max_tag_, 15) + 1;
  Expr tag = t.fixed("range0.tag"), v = t.fixed("range0.v"), count = t.main("range0.count");
  std::vector<int64_t> offsets;
  int64_t first = 0;
  for (int64_t i = 0; i < tags; ++i) {
    t.fillConstant(tag, first, int64_t{1} << i, i);
    t.fill(v, {first, {{int64_t{1} << i, 1, 1}}, 0, 0});
    offsets.push_back(first);
    first += int64_t{1} << i;
  }
  // Rows beyond hold (0, 0), which is in range.
  t.provide("range0", "range", count, {tag, v}, 1, 0, offsets);
  if (max_tag_ < 16) return;
  Expr wide = t.fixed("range1.v"), wide_count = t.main("range1.count");
  t.fill(wide, {0, {{kSetRows, 1, 1}}, 0, 0});
  offsets.assign(17, kNotHere);
  offsets[16] = 0;
  t.provide("range1", "range", wide_count, {t.constant(16), wide}, 1, 0, offsets);
}

void LookupTables::buildPowers(CircuitBuilder& circuit) {
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
}

void LookupTables::build(CircuitBuilder& circuit) {
  int64_t rows =
      max_tag_ >= 16 ? kSetRows : (int64_t{1} << (std::min<int64_t>(max_tag_, 15) + 1)) - 1;
  for (const Bus* bus : {&square_, &root_, &exponential_, &activation_}) {
    int64_t total = 0;
    for (const Entry& e : bus->entries) total += e.rows;
    rows = std::max(rows, std::min(total, kSetRows));
  }
  {
    TableBuilder t(circuit, kTable, rows);
    buildRange(t);
    for (const Bus* bus : {&square_, &root_, &exponential_, &activation_})
      buildBus(circuit, t, *bus);
  }
  if (!exponent_limits_.empty()) buildPowers(circuit);
}

}  // namespace lindero::passes
