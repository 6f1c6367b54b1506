#include "passes/region/form_regions/sort_ops.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::passes {
namespace {

using ir::Op;

bool allReaders(const Op& op, llvm::function_ref<bool(const Op&)> holds) {
  llvm::ArrayRef<Op*> readers = op.result()->users();
  return !readers.empty() &&
         llvm::all_of(readers, [&](const Op* reader) { return holds(*reader); });
}

bool isProductOfAttention(const Op& op) {
  return op.is("integer.scores") || op.is("integer.mix") || op.is("integer.append_rows");
}

// Q, K or V: what only the products of attention read.
bool isAttentionInput(const Op& op) {
  return op.is("integer.requantize") && allReaders(op, isProductOfAttention);
}

bool isHead(const Op& linear) {
  return allReaders(linear, [](const Op& reader) {
    return reader.is("integer.argmax") || reader.is("integer.return");
  });
}

// A LayerNorm whose result is projected only, and not also the residual stream.
bool opensLayer(const Op& op) {
  return op.is("integer.layernorm") &&
         allReaders(op, [](const Op& reader) { return reader.is("integer.linear"); });
}

class Sorter {
 public:
  explicit Sorter(const ir::Function& function) : function_(function) {}

  llvm::DenseMap<const Op*, RegionPath> run() {
    for (const Op& op : function_.body().ops()) {
      position_[&op] = static_cast<int64_t>(position_.size());
      if (std::optional<RegionPath> path = kindOf(op)) paths_[&op] = *std::move(path);
    }
    findLayers();
    for (const Op& op : function_.body().ops()) {
      if (auto it = paths_.find(&op); it != paths_.end()) it->second.label = label(op, it->second);
    }
    return std::move(paths_);
  }

 private:
  // Kinds only; labels come later. Ops are visited after what they read.
  std::optional<RegionPath> kindOf(const Op& op) const {
    if (op.is("integer.linear")) return RegionPath{isHead(op) ? "decode" : "linear", "", ""};
    if (isAttentionInput(op)) return RegionPath{"attention", "", "views"};
    if (op.is("integer.slice") && allReaders(op, [](const Op& reader) {
          return isAttentionInput(reader) || isProductOfAttention(reader);
        })) {
      return RegionPath{"attention", "", "views"};
    }
    if (op.is("integer.requantize") || op.is("integer.slice")) return kindOfSource(op);
    const auto [kind, inner] = llvm::StringSwitch<std::pair<const char*, const char*>>(op.name())
                                   .Case("integer.embedding", {"embedding", ""})
                                   .Case("integer.layernorm", {"normalization", ""})
                                   .Case("integer.scores", {"attention", "compare"})
                                   .Case("integer.softmax", {"attention", "normalize"})
                                   .Case("integer.mix", {"attention", "mix"})
                                   .Case("integer.append_rows", {"attention", "views"})
                                   .Case("integer.lookup", {"lookup", ""})
                                   .Case("integer.select_rows", {"decode", ""})
                                   .Case("integer.argmax", {"decode", ""})
                                   .Default({"", ""});
    if (*kind == '\0') return std::nullopt;
    return RegionPath{kind, "", inner};
  }

  std::optional<RegionPath> kindOfSource(const Op& op) const {
    auto it = paths_.find(op.operand(0)->definingOp());
    if (it == paths_.end()) return std::nullopt;
    return it->second;
  }

  // The earliest op that makes an input of attention, back to the projection and its LayerNorm.
  int64_t start(const Op& attention, unsigned operand) const {
    int64_t first = position_.lookup(&attention);
    const Op* op = attention.operand(operand)->definingOp();
    while (op != nullptr) {
      const bool appends = op->is("integer.append_rows");
      const bool follow = appends || op->is("integer.requantize") || op->is("integer.slice") ||
                          op->is("integer.linear") || opensLayer(*op);
      if (!follow) break;
      first = std::min(first, position_.lookup(op));
      if (op->is("integer.layernorm")) break;
      op = op->operand(appends ? 1 : 0)->definingOp();
    }
    return first;
  }

  void findLayers() {
    for (const Op& op : function_.body().ops()) {
      if (!op.is("integer.mix")) continue;
      int64_t first = start(op, 1);
      const Op* softmax = op.operand(0)->definingOp();
      // Probabilities may be given, too: constants, an input, what another op makes.
      const bool computed = softmax != nullptr && softmax->is("integer.softmax");
      const Op* scores = computed ? softmax->operand(0)->definingOp() : nullptr;
      if (scores != nullptr && scores->is("integer.scores")) {
        first = std::min({first, start(*scores, 0), start(*scores, 1)});
      }
      starts_.push_back(first);
    }
    llvm::sort(starts_);
    starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
  }

  std::string label(const Op& op, const RegionPath& path) const {
    if (path.kind == "embedding" || path.kind == "decode") return path.kind;
    const bool last = op.is("integer.layernorm") && allReaders(op, [&](const Op& reader) {
                        auto it = paths_.find(&reader);
                        return it != paths_.end() && it->second.kind == "decode";
                      });
    const auto layer = llvm::upper_bound(starts_, position_.lookup(&op)) - starts_.begin();
    if (last || layer == 0) return path.kind;
    return absl::StrCat("layer", layer - 1, "/", path.kind);
  }

  const ir::Function& function_;
  llvm::DenseMap<const Op*, int64_t> position_;
  llvm::DenseMap<const Op*, RegionPath> paths_;
  std::vector<int64_t> starts_;  // position of each layer's first op
};

}  // namespace

llvm::DenseMap<const ir::Op*, RegionPath> sortOps(const ir::Function& function) {
  return Sorter(function).run();
}

}  // namespace lindero::passes
