#include "passes/lower_air/gadgets/copies/copies.h"

#include "absl/strings/str_cat.h"
#include "ir/core/post_order.h"
#include "llvm/ADT/DenseMap.h"
#include "passes/lower_air/gadgets/copies/tables.h"

namespace lindero::passes {
namespace {

// Elements under one tag, where the map copies as many side by side.
constexpr int64_t kWidths[] = {16, 4, 1};
// Tags are integers below it, so that they differ modulo p.
constexpr int64_t kMaxTags = int64_t{1} << 30;

Major across(Major major) { return major == Major::kRow ? Major::kColumn : Major::kRow; }

// What an op reads, copies of copies looked through: a stored value, or a constant.
struct Operand {
  const ir::Value* value = nullptr;
  bool constant = false;
  std::optional<Major> major = {};  // of the table that is to hold it; none: either
};

// For each element of a result, in the order of its lines: the operand, and the element in the
// order of that one's lines.
struct IndexMap {
  struct Element {
    int32_t operand = 0;
    int64_t at = 0;
  };
  std::vector<Lines> sources;
  std::vector<Element> elements;

  // Whether blocks of `width` elements go from line to line.
  bool hasBlocks(int64_t width) const {
    if (llvm::any_of(sources, [&](const Lines& l) { return l.length % width != 0; })) return false;
    for (size_t i = 0; i < elements.size(); ++i) {
      const Element &e = elements[i], &first = elements[i - i % width];
      if (e.operand != first.operand || first.at % width != 0 ||
          e.at != first.at + int64_t(i % width)) {
        return false;
      }
    }
    return true;
  }
};

// The trace step of a result.
struct Computed {
  const CopiesTable* table = nullptr;
  const CopyItem* result = nullptr;
  std::vector<const CopyItem*> sources = {};
};

class Copies : public Gadget {
 public:
  explicit Copies(Wiring& wiring) : wiring_(wiring) {
    for (CopyRole role : {CopyRole::kGive, CopyRole::kGiveConstant, CopyRole::kRead}) {
      for (Major major : {Major::kRow, Major::kColumn}) {
        for (int64_t width : kWidths) {
          // Lanes that hold nothing can be taken, but not given, nor loaded.
          LaneRule rule{.pads = role == CopyRole::kGive,
                        .least = width > 1 ? width : 1,
                        .most = width > 1 ? width : wiring.options().lanes};
          tables_.emplace_back(role, major, width, wiring.addLanes(std::move(rule)));
        }
      }
    }
  }

  llvm::ArrayRef<llvm::StringLiteral> ops() const override {
    static constexpr llvm::StringLiteral kOps[] = {"integer.copy"};
    return kOps;
  }

  absl::Status plan(const Origin& origin) override {
    wiring_.offers(origin.op->result(),
                   [this, origin](std::optional<Major> reader) { return offer(origin, reader); });
    return absl::OkStatus();
  }

  std::vector<const TableKind*> tables() const override {
    std::vector<const TableKind*> tables;
    for (const CopiesTable& table : tables_) tables.push_back(&table);
    return tables;
  }

  void trace(TraceWriter& t, const ir::Op& op) const override {
    auto it = computed_.find(op.result());
    if (it == computed_.end()) return;  // nobody reads it
    const Computed& c = it->second;
    const Lines& lines = c.result->lines;
    const int64_t width = c.table->width();
    ir::Value* tags = t.load(t.placeOf(op.result(), c.table->name()));
    ir::Value* out = nullptr;
    for (const CopyItem* source : c.sources) {
      const CopyItem& item = *source;
      ir::Value* in = t.find(item.value);
      if (!in) {
        in = t.load(t.placeOf(item.value, kElements));
        t.keep(item.value, "", in);
      }
      out = t.step("copy_elements", {{"in", in}, {"tags", tags}, {"otherwise", out}},
                   {{"first_tag", item.first_tag},
                    {"width", width},
                    {"in_length", item.lines.length},
                    {"in_columns", item.lines.columns},
                    {"lines", lines.count},
                    {"length", lines.length},
                    {"columns", lines.columns}})["out"];
    }
    t.keep(op.result(), "", out);
  }

 private:
  CopiesTable& table(CopyRole role, Major major, int64_t width) {
    return *llvm::find_if(tables_, [&](const CopiesTable& t) {
      return t.role() == role && t.major() == major && t.width() == width;
    });
  }

  Operand operandOf(const ir::Value* value) const {
    Operand operand{value};
    operand.constant = value->definingOp() && value->definingOp()->is("integer.constant");
    if (const Wiring::Giver* giver = wiring_.findGiver(value)) {
      operand.major = across(giver->major);
    } else if (wiring_.isInput(value) && (wiring_.isLinked(value) || hasReaders(value))) {
      operand.major = across(Major::kColumn);  // of the relay that will give it
    }
    return operand;
  }

  // Is the value read more than once? Copies of its copies read it, too.
  bool hasReaders(const ir::Value* value) const {
    const llvm::ArrayRef<Read> readers = wiring_.readers(value);
    if (readers.size() != 1 || !readers[0].op->is("integer.copy")) return readers.size() > 1;
    return llvm::any_of(wiring_.readers(readers[0].op->result()),
                        [](const Read& next) { return next.op->is("integer.copy"); });
  }

  // Where an element of a result comes from, in row-major order.
  struct From {
    const ir::Value* value = nullptr;
    int64_t flat = 0;
  };

  // A result in a table of some major, and what it is read from.
  struct Plan {
    Lines lines;
    std::vector<Operand> operands = {};
    IndexMap map = {};
    int64_t width = 1;
  };

  // The op's result in a table from which readers of the major take it.
  absl::StatusOr<Wiring::Giver> offer(const Origin& origin, std::optional<Major> reader) {
    for (CopiesTable& table : tables_) {
      if (table.role() != CopyRole::kRead || (reader && table.major() == *reader)) continue;
      for (CopyItem& item : table.copies) {
        if (item.value == origin.op->result()) {
          return Wiring::Giver{table.major(), item.lanes, &item.edges};
        }
      }
    }
    const std::vector<From> from = originsOf(*origin.op);
    std::optional<Plan> best;
    for (Major major : {Major::kRow, Major::kColumn}) {
      if (reader && major == *reader) continue;
      for (Major free : {major, across(major)}) {
        Plan plan = planOf(*origin.op, from, major, free);
        if (!best || plan.width > best->width) best = std::move(plan);
      }
    }
    return read(origin, *best);
  }

  Plan planOf(const ir::Op& op, llvm::ArrayRef<From> from, Major major, Major free) const {
    Plan plan{Lines::of(matrixOf(op.result()->type()), major)};
    std::map<const ir::Value*, int32_t> number;
    for (const From& f : from) {
      auto [it, made] = number.try_emplace(f.value, static_cast<int32_t>(plan.operands.size()));
      if (!made) continue;
      const Operand operand = operandOf(f.value);
      plan.map.sources.push_back(
          Lines::of(matrixOf(f.value->type()), operand.major.value_or(free)));
      plan.operands.push_back(operand);
    }
    plan.map.elements.reserve(from.size());
    int32_t operand = 0;
    for (int64_t e = 0; e < plan.lines.elements(); ++e) {
      const From& f = from[plan.lines.flat(e)];
      if (plan.operands[operand].value != f.value) operand = number[f.value];
      plan.map.elements.push_back({operand, plan.map.sources[operand].at(f.flat)});
    }
    plan.width = widestOf(plan.lines, plan.map);
    return plan;
  }

  using Origins = llvm::DenseMap<const ir::Value*, std::vector<From>>;

  // Of the elements of a copy; where they are those of other copies, of these.
  std::vector<From> originsOf(const ir::Op& op) const {
    Origins known;
    auto copies = [this](const ir::Value& of, llvm::SmallVectorImpl<const ir::Value*>& needed) {
      for (const ir::Value* x : of.definingOp()->operands()) {
        const ir::Value* base = wiring_.view(x).base;
        if (base->definingOp() && base->definingOp()->is("integer.copy")) needed.push_back(base);
      }
    };
    for (const ir::Value* copy : ir::postOrder<ir::Value>(op.result(), copies))
      known[copy] = originsOf(*copy->definingOp(), known);
    return std::move(known[op.result()]);
  }

  std::vector<From> originsOf(const ir::Op& op, const Origins& known) const {
    std::vector<From> all;
    for (const ir::Value* x : op.operands()) {
      const View view = wiring_.view(x);
      const auto inner = known.find(view.base);
      const int64_t columns = matrixOf(view.base->type()).columns;
      for (int64_t e = 0; e < x->type().elements(); ++e) {
        const int64_t row = e / view.size;
        const int64_t flat =
            (view.rows.empty() ? row : view.rows[row]) * columns + view.start + e % view.size;
        all.push_back(inner == known.end() ? From{view.base, flat} : inner->second[flat]);
      }
    }
    std::vector<From> result;
    ir::visitIntegers(
        *op.parent()->function()->module()->constants().find(op.symbolAttr("indices")),
        [&](auto elements) {
          for (int64_t index : elements) result.push_back(all[index]);
        });
    return result;
  }

  absl::StatusOr<Wiring::Giver> read(const Origin& origin, const Plan& plan) {
    CopiesTable& table = this->table(CopyRole::kRead, plan.lines.major, plan.width);
    CopyItem item{origin, origin.op->result(), plan.lines};
    std::vector<CopyItem*> sources;
    for (auto [operand, lines] : llvm::zip(plan.operands, plan.map.sources)) {
      absl::StatusOr<CopyItem*> source = give(origin, operand, lines, plan.width);
      if (!source.ok()) return source.status();
      sources.push_back(*source);
    }
    for (size_t i = 0; i < plan.map.elements.size(); i += plan.width) {
      CopyItem& source = *sources[plan.map.elements[i].operand];
      const int64_t tuple = plan.map.elements[i].at / plan.width;
      ++source.times[tuple];
      item.tags.push_back(static_cast<int32_t>(source.first_tag + tuple));
    }
    item.lanes = wiring_.ofLength(table.family(), plan.lines.length);
    table.copies.push_back(std::move(item));
    CopyItem& result = table.copies.back();
    computed_.try_emplace(result.value,
                          Computed{&table, &result, {sources.begin(), sources.end()}});
    return Wiring::Giver{table.major(), result.lanes, &result.edges};
  }

  int64_t widestOf(const Lines& lines, const IndexMap& map) const {
    for (int64_t width : kWidths) {
      if (width == 1 ||
          (width <= wiring_.options().lanes && lines.length % width == 0 && map.hasBlocks(width))) {
        return width;
      }
    }
    return 1;
  }

  // The item that gives the operand's elements to the bus: one for all readers.
  absl::StatusOr<CopyItem*> give(const Origin& origin, const Operand& operand, const Lines& lines,
                                 int64_t width) {
    const ir::Value* base = operand.value;
    const CopyRole role = operand.constant ? CopyRole::kGiveConstant : CopyRole::kGive;
    CopiesTable& table = this->table(role, lines.major, width);
    auto found = llvm::find_if(table.copies, [&](const CopyItem& i) { return i.value == base; });
    if (found != table.copies.end()) return &*found;
    CopyItem item{origin, base, lines};
    item.first_tag = next_tag_;
    item.times.assign(lines.elements() / width, 0);
    next_tag_ += item.times.size();
    if (next_tag_ > kMaxTags) return cannotLower(*origin.op, "copies more than 2^30 elements");
    if (operand.constant) {
      item.lanes = wiring_.ofLength(table.family(), lines.length);
    } else {
      item.lanes = table.family();
      absl::StatusOr<CopyId> in = wiring_.copy(origin, base, lines.major, item.lanes);
      if (!in.ok()) return in.status();
      item.edges = {*in};
    }
    table.copies.push_back(std::move(item));
    return &table.copies.back();
  }

  Wiring& wiring_;
  std::deque<CopiesTable> tables_;
  int64_t next_tag_ = 1;
  std::map<const ir::Value*, Computed> computed_;  // by result
};

}  // namespace

std::unique_ptr<Gadget> makeCopies(Wiring& wiring) { return std::make_unique<Copies>(wiring); }

}  // namespace lindero::passes
