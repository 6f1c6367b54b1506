#include "passes/lower_air/gadgets/copies/copies.h"

#include "absl/strings/str_cat.h"
#include "passes/lower_air/gadgets/copies/tables.h"

namespace lindero::passes {
namespace {

// Elements under one tag, where the map copies as many side by side.
constexpr int64_t kWidths[] = {16, 4, 1};
// Tags are integers below it, so that they differ modulo p.
constexpr int64_t kMaxTags = int64_t{1} << 30;

// What an op reads: all elements of a stored value, or of a constant, and where it gets them from.
struct Operand {
  View view;
  bool constant = false;
  std::optional<Major> major = {};  // of the table that is to hold it; none: either
  int64_t batch = 1;
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

  // Whether blocks of so many elements go from line to line.
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
  struct Source {
    const CopyItem* item;
    int64_t width;
  };
  std::vector<Source> sources = {};
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
    wiring_.offers(origin.op->result(), [this, origin](Major reader) {
      return read(origin, reader == Major::kRow ? Major::kColumn : Major::kRow);
    });
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
    for (const Computed::Source& source : c.sources) {
      const CopyItem& item = *source.item;
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
    Operand operand{wiring_.view(value)};
    const ir::Value* base = operand.view.base;
    operand.constant = base->definingOp() && base->definingOp()->is("integer.constant");
    if (const Wiring::Giver* giver = wiring_.findGiver(base)) {
      operand.major = giver->major == Major::kRow ? Major::kColumn : Major::kRow;
      operand.batch = giver->batch;
    }
    return operand;
  }

  // An item that holds the op's result in a table of this major.
  absl::StatusOr<Wiring::Giver> read(const Origin& origin, Major major) {
    const ir::Op& op = *origin.op;
    CopyItem item{origin, op.result(), Lines::of(matrixOf(op.result()->type()), major)};
    std::vector<Operand> operands;
    for (const ir::Value* x : op.operands()) operands.push_back(operandOf(x));
    int64_t width = 0;
    IndexMap map;
    for (Major free : {major, major == Major::kRow ? Major::kColumn : Major::kRow}) {
      IndexMap found = mapOf(op, item.lines, operands, free);
      const int64_t blocks = widestOf(item.lines, found);
      if (blocks > width) width = blocks, map = std::move(found);
    }
    CopiesTable& table = this->table(CopyRole::kRead, major, width);
    Computed computed{&table};
    for (auto [i, operand] : llvm::enumerate(operands)) {
      absl::StatusOr<CopyItem*> source = give(origin, operand, map.sources[i], width);
      if (!source.ok()) return source.status();
      computed.sources.push_back({*source, width});
    }
    for (size_t i = 0; i < map.elements.size(); i += width) {
      CopyItem& source = const_cast<CopyItem&>(*computed.sources[map.elements[i].operand].item);
      const int64_t tuple = map.elements[i].at / width;
      ++source.times[tuple];
      item.tags.push_back(static_cast<int32_t>(source.first_tag + tuple));
    }
    wiring_.divides(table.lanes(), item.lines.length);
    table.copies.push_back(std::move(item));
    computed.result = &table.copies.back();
    computed_.try_emplace(op.result(), std::move(computed));
    return Wiring::Giver{major, table.lanes(), &table.copies.back().edges};
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

  static IndexMap mapOf(const ir::Op& op, const Lines& lines, llvm::ArrayRef<Operand> operands,
                        Major free) {
    IndexMap map;
    std::vector<int64_t> firsts;  // of each operand, among the elements of all
    int64_t all = 0;
    for (auto [x, operand] : llvm::zip(op.operands(), operands)) {
      map.sources.push_back(Lines::of(matrixOf(operand.view.base->type()),
                                      operand.major.value_or(free), operand.batch));
      firsts.push_back(all);
      all += x->type().elements();
    }
    const ir::Constant& indices =
        *op.parent()->function()->module()->constants().find(op.symbolAttr("indices"));
    ir::visitIntegers(indices, [&](auto elements) {
      for (int64_t e = 0; e < lines.elements(); ++e) {
        const int64_t index = elements[lines.flat(e)];
        const auto k = llvm::upper_bound(firsts, index) - firsts.begin() - 1;
        const View& view = operands[k].view;
        const int64_t element = index - firsts[k], row = element / view.size;
        const int64_t columns = matrixOf(view.base->type()).columns;
        const int64_t flat =
            (view.rows.empty() ? row : view.rows[row]) * columns + view.start + element % view.size;
        map.elements.push_back({static_cast<int32_t>(k), map.sources[k].at(flat)});
      }
    });
    return map;
  }

  // The item that gives the operand's elements to the bus: one for all readers.
  absl::StatusOr<CopyItem*> give(const Origin& origin, const Operand& operand, const Lines& lines,
                                 int64_t width) {
    const ir::Value* base = operand.view.base;
    const CopyRole role = operand.constant ? CopyRole::kGiveConstant : CopyRole::kGive;
    CopiesTable& table = this->table(role, lines.major, width);
    auto found = llvm::find_if(table.copies, [&](const CopyItem& i) { return i.value == base; });
    if (found != table.copies.end()) return &*found;
    CopyItem item{origin, base, lines, operand.batch};
    item.first_tag = next_tag_;
    item.times.assign(lines.elements() / width, 0);
    next_tag_ += item.times.size();
    if (next_tag_ > kMaxTags) return cannotLower(*origin.op, "copies more than 2^30 elements");
    if (operand.constant) {
      wiring_.divides(table.lanes(), lines.length);
    } else {
      absl::StatusOr<CopyId> in =
          wiring_.copy(origin, base, lines.major, table.lanes(), "", operand.batch);
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
