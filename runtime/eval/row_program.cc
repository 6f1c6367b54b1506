#include "runtime/eval/row_program.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "runtime/package/mapped_file.h"

namespace lindero::runtime {

// Three passes: collect nodes in the order of evaluation, find each node's last use, assign
// registers.
class RowCompiler {
 public:
  RowCompiler(const Circuit& circuit, const CircuitInfo& info, RowProgram& program)
      : circuit_(circuit), info_(info), program_(program) {}

  void compile(absl::Span<const RootGroup> groups) {
    for (size_t g = 0; g < groups.size(); ++g) collect(groups[g], static_cast<uint32_t>(g));
    findLastUses(groups);
    assign(groups);
  }

 private:
  enum Where : uint8_t { kColumn, kScalar, kFirst, kLast, kRegister };
  struct Value {
    Where where;
    OperandKind kind;
    uint32_t index;     // among columns or scalars; the register once assigned
    uint32_t last_use;  // of registers: the latest item that reads it
  };
  // A node to compute, or a group to hand over.
  struct Item {
    bool is_group;
    uint32_t index;
  };

  void collect(const RootGroup& group, uint32_t index) {
    std::vector<uint32_t> fresh, stack(group.begin(), group.end());
    while (!stack.empty()) {
      uint32_t node = stack.back();
      stack.pop_back();
      if (values_.contains(node)) continue;
      const NodeInfo& info = info_.nodes[node];
      Value value{kRegister, {info.extension, false}, 0, 0};
      const Node& definition = circuit_.nodes(static_cast<int>(node));
      if (info.row_independent) {
        value = {
            kScalar, {info.extension, true}, static_cast<uint32_t>(program_.scalars_.size()), 0};
        program_.scalars_.push_back(node);
      } else if (definition.op() == Node::COLUMN) {
        value.where = kColumn;
        value.index = static_cast<uint32_t>(program_.columns_.size());
        program_.columns_.push_back({definition.b(), definition.offset(), info.extension});
      } else if (definition.op() == Node::IS_FIRST) {
        value.where = kFirst;
      } else if (definition.op() == Node::IS_LAST) {
        value.where = kLast;
      } else {
        fresh.push_back(node);
        stack.push_back(definition.a());
        if (definition.op() != Node::NEG) stack.push_back(definition.b());
      }
      values_.emplace(node, value);
    }
    // Operands have smaller numbers than what reads them.
    std::sort(fresh.begin(), fresh.end());
    for (uint32_t node : fresh) items_.push_back({false, node});
    items_.push_back({true, index});
  }

  void findLastUses(absl::Span<const RootGroup> groups) {
    for (uint32_t i = 0; i < items_.size(); ++i) {
      if (items_[i].is_group) {
        for (uint32_t node : groups[items_[i].index]) values_.find(node)->second.last_use = i;
        continue;
      }
      const Node& node = circuit_.nodes(static_cast<int>(items_[i].index));
      values_.find(node.a())->second.last_use = i;
      if (node.op() != Node::NEG) values_.find(node.b())->second.last_use = i;
    }
  }

  uint32_t slotOf(const Value& value) const {
    uint32_t columns = static_cast<uint32_t>(program_.columns_.size());
    uint32_t flags = columns + static_cast<uint32_t>(program_.scalars_.size());
    switch (value.where) {
      case kColumn:
        return value.index;
      case kScalar:
        return columns + value.index;
      case kFirst:
        return flags;
      case kLast:
        return flags + 1;
      case kRegister:
        break;
    }
    // Extension registers are numbered from the top until their first slot is known; see `assign`.
    return flags + 2 + value.index;
  }

  void assign(absl::Span<const RootGroup> groups) {
    constexpr uint32_t kExtension = uint32_t{1} << 30;
    std::vector<uint32_t> free_base, free_ext;
    auto release = [&](uint32_t node, uint32_t item) {
      Value& value = values_.find(node)->second;
      if (value.where != kRegister || value.last_use != item) return;
      value.last_use = UINT32_MAX;  // a node named twice is released once
      (value.kind.extension ? free_ext : free_base).push_back(value.index);
    };
    auto take = [&](bool extension) {
      std::vector<uint32_t>& free = extension ? free_ext : free_base;
      uint32_t& count = extension ? program_.ext_registers_ : program_.base_registers_;
      if (free.empty()) return (extension ? kExtension : 0) + count++;
      uint32_t index = free.back();
      free.pop_back();
      return index;
    };
    for (uint32_t i = 0; i < items_.size(); ++i) {
      if (items_[i].is_group) {
        const RootGroup& roots = groups[items_[i].index];
        RowProgram::Group group{
            static_cast<uint32_t>(program_.instructions_.size()), items_[i].index, {}};
        for (uint32_t node : roots) {
          const Value& value = values_.find(node)->second;
          group.roots.push_back({slotOf(value), value.kind});
        }
        program_.groups_.push_back(std::move(group));
        for (uint32_t node : roots) release(node, i);
        continue;
      }
      const Node& node = circuit_.nodes(static_cast<int>(items_[i].index));
      bool unary = node.op() == Node::NEG;
      const Value a = values_.find(node.a())->second;
      const Value b = unary ? a : values_.find(node.b())->second;
      release(node.a(), i);
      if (!unary) release(node.b(), i);
      Value& out = values_.find(items_[i].index)->second;
      out.index = take(out.kind.extension);
      program_.instructions_.push_back(
          {selectKernel(node.op(), a.kind, b.kind), slotOf(out), slotOf(a), slotOf(b)});
    }
    // Extension registers follow the base registers.
    uint32_t first = static_cast<uint32_t>(program_.columns_.size() + program_.scalars_.size()) + 2;
    auto settle = [&](uint32_t& slot) {
      if (slot >= first + kExtension) slot = slot - kExtension + program_.base_registers_;
    };
    for (RowProgram::Instruction& instruction : program_.instructions_) {
      settle(instruction.out);
      settle(instruction.a);
      settle(instruction.b);
    }
    for (RowProgram::Group& group : program_.groups_) {
      for (RowProgram::Root& root : group.roots) settle(root.slot);
    }
  }

  const Circuit& circuit_;
  const CircuitInfo& info_;
  RowProgram& program_;
  absl::flat_hash_map<uint32_t, Value> values_;
  std::vector<Item> items_;
};

RowProgram::RowProgram(const Circuit& circuit, const CircuitInfo& info, uint32_t table,
                       absl::Span<const RootGroup> groups)
    : table_(table), height_(tableHeight(circuit.tables(static_cast<int>(table)))) {
  RowCompiler(circuit, info, *this).compile(groups);
}

RowEvaluator::RowEvaluator(const RowProgram& program, const Columns& columns,
                           const Scalars& scalars)
    : program_(program), announced_(columns.announced()) {
  const size_t uses = program.columns_.size(), scalar_count = program.scalars_.size();
  const size_t registers = program.base_registers_ + program.ext_registers_;
  size_t words = 2 * kChunkRows + 4 * scalar_count;
  for (const RowProgram::ColumnUse& use : program.columns_)
    words += (use.extension ? 4 : 1) * kChunkRows;
  words += (program.base_registers_ + 4 * program.ext_registers_) * kChunkRows;
  registers_.assign(words, 0);
  uint32_t* next = registers_.data();
  auto takeChunks = [&](bool extension, uint32_t** limbs) {
    for (size_t k = 0; k < (extension ? 4 : 1); ++k, next += kChunkRows) limbs[k] = next;
  };

  slots_.resize(uses + scalar_count + 2 + registers);
  scratch_.assign(4 * uses, nullptr);
  for (size_t i = 0; i < uses; ++i) {
    views_.push_back(columns.view(program.table_, program.columns_[i].column));
    takeChunks(program.columns_[i].extension, &scratch_[4 * i]);
  }
  is_first_ = next;
  is_last_ = next + kChunkRows;
  next += 2 * kChunkRows;
  slots_[uses + scalar_count].limb[0] = is_first_;
  slots_[uses + scalar_count + 1].limb[0] = is_last_;
  outputs_.assign(4 * slots_.size(), nullptr);
  for (size_t i = 0; i < registers; ++i) {
    size_t slot = uses + scalar_count + 2 + i;
    takeChunks(i >= program.base_registers_, &outputs_[4 * slot]);
    std::copy_n(&outputs_[4 * slot], 4, slots_[slot].limb);
  }
  for (size_t i = 0; i < scalar_count; ++i) {
    const QM31& value = scalars.at(program.scalars_[i]);
    for (size_t k = 0; k < 4; ++k) {
      next[k] = value.limb(k);
      slots_[uses + i].limb[k] = next + k;
    }
    next += 4;
  }
}

// Columns that live in files; those of an extension do not.
void RowEvaluator::announce(uint64_t first_row, uint64_t rows) const {
  for (const ColumnView& view : views_)
    if (!view.isExtension()) readAhead({view.limb[0] + first_row, rows});
}

void RowEvaluator::run(uint64_t first_row, uint64_t rows, Visitor visit) {
  // Of each column 128 KB: enough for a disk, little enough for as many columns as there are.
  constexpr uint64_t kAnnouncedRows = 128 * kChunkRows;
  const uint64_t begin = first_row;
  for (uint64_t end = first_row + rows; first_row < end;) {
    if (announced_ && (first_row - begin) % kAnnouncedRows == 0)
      announce(first_row, std::min(kAnnouncedRows, end - first_row));
    size_t count = static_cast<size_t>(std::min<uint64_t>(end - first_row, kChunkRows));
    bindColumns(first_row, count);
    const uint64_t last = program_.height_ - 1;
    bool has_first = first_row == 0, has_last = last >= first_row && last < first_row + count;
    if (has_first) is_first_[0] = 1;
    if (has_last) is_last_[last - first_row] = 1;
    runChunk(first_row, count, visit);
    if (has_first) is_first_[0] = 0;
    if (has_last) is_last_[last - first_row] = 0;
    first_row += count;
  }
}

void RowEvaluator::run(absl::Span<const uint64_t> rows, Visitor visit) {
  for (size_t first = 0; first < rows.size(); first += kChunkRows) {
    const absl::Span<const uint64_t> chunk = rows.subspan(first, kChunkRows);
    gatherColumns(chunk);
    for (size_t r = 0; r < chunk.size(); ++r) {
      is_first_[r] = chunk[r] == 0;
      is_last_[r] = chunk[r] == program_.height_ - 1;
    }
    runChunk(first, chunk.size(), visit);
    std::fill_n(is_first_, chunk.size(), 0);
    std::fill_n(is_last_, chunk.size(), 0);
  }
}

void RowEvaluator::bindColumns(uint64_t first_row, size_t rows) {
  const uint64_t height = program_.height_;
  for (size_t i = 0; i < views_.size(); ++i) {
    const RowProgram::ColumnUse& use = program_.columns_[i];
    const size_t limbs = use.extension ? 4 : 1;
    // Vector loads read whole lanes: in place only where those lie in the column.
    int64_t begin = static_cast<int64_t>(first_row) + use.offset;
    uint64_t padded = (rows + kLanes - 1) / kLanes * kLanes;
    bool inside = begin >= 0 && static_cast<uint64_t>(begin) + padded <= height;
    for (size_t k = 0; k < limbs; ++k) {
      const uint32_t* column = views_[i].limb[k];
      if (inside) {
        slots_[i].limb[k] = column + begin;
        continue;
      }
      uint32_t* copy = scratch_[4 * i + k];
      for (size_t r = 0; r < rows; ++r) {
        copy[r] = column[(static_cast<uint64_t>(begin) + r) & (height - 1)];
      }
      slots_[i].limb[k] = copy;
    }
  }
}

void RowEvaluator::gatherColumns(absl::Span<const uint64_t> rows) {
  for (size_t i = 0; i < views_.size(); ++i) {
    const RowProgram::ColumnUse& use = program_.columns_[i];
    const uint64_t offset = static_cast<uint64_t>(int64_t{use.offset}), mask = program_.height_ - 1;
    for (size_t k = 0; k < (use.extension ? 4 : 1); ++k) {
      const uint32_t* column = views_[i].limb[k];
      uint32_t* copy = scratch_[4 * i + k];
      for (size_t r = 0; r < rows.size(); ++r) copy[r] = column[(rows[r] + offset) & mask];
      slots_[i].limb[k] = copy;
    }
  }
}

void RowEvaluator::runChunk(uint64_t first, size_t rows, Visitor visit) {
  size_t done = 0;
  for (const RowProgram::Group& group : program_.groups_) {
    for (; done < group.ready_after; ++done) {
      const RowProgram::Instruction& instruction = program_.instructions_[done];
      instruction.kernel(&outputs_[4 * instruction.out], slots_[instruction.a],
                         slots_[instruction.b], rows);
    }
    roots_.clear();
    for (const RowProgram::Root& root : group.roots)
      roots_.push_back({slots_[root.slot], root.kind});
    visit(group.index, first, rows, roots_);
  }
}

}  // namespace lindero::runtime
