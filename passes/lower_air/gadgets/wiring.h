// Analysis: how the items of a circuit's tables are tied together: which values stand in tables,
// the products that they are sides of, and the copies from where a value is given to where it is
// read.
//
// Gadgets fill it while they walk the integer function, and in connect(), once all items are
// listed. Numbers that depend on how many lanes a table has (addresses, rows) are not here but in a
// Layout.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"
#include "passes/lower_air/circuit/copies.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"

namespace lindero::passes {

// What an item stands for: for messages and costs.
struct Origin {
  const ir::Op* op = nullptr;
  std::string region = {};
};

absl::Status cannotLower(const ir::Op& op, const std::string& why);

// A value as tables see it: leading axes are rows, the last axis is columns, in row-major order. A
// vector is one row, a scalar 1 x 1.
struct MatrixShape {
  int64_t rows = 1, columns = 1;
  int64_t elements() const { return rows * columns; }
};
MatrixShape matrixOf(const ir::Type& type);

// A number of lanes: that of the items of a family that are equally long along their lanes. Items
// that copy from one another along one axis have the same.
using LaneId = size_t;
inline constexpr LaneId kOneLane = 0;

struct LaneRule {
  // Lanes divide all of these; if there are none, any number will do: lengths are padded.
  std::vector<int64_t> lengths = {};
  bool pads = false;
  int64_t least = 1, most = 1;
  // Whose number for items of one length this is; the family itself has its largest number.
  LaneId family = kOneLane;
  // That length, if it may be no multiple of the lanes: the last row of a line is partial then.
  int64_t length = 0;
};

// Matrix products of one shape: `count` products of rows x inner by inner x columns, with
// consecutive ids. Columns are padded to a multiple of these lanes.
struct Product {
  int64_t id = 0, count = 1;
  int64_t rows = 0, inner = 0, columns = 0;
  LaneId padded_to = kOneLane;
};

// A copy of a matrix. Tiles have as many rows as the lanes of its column-major end, and as many
// columns as those of its row-major end.
using CopyId = size_t;
struct Copy {
  Origin origin = {};
  int64_t rows = 0, columns = 0;
  LaneId row_lanes = kOneLane, column_lanes = kOneLane;
  std::string group = {};              // Edge::group
  std::vector<int64_t> selected = {};  // Edge::selected
  // Lanes that must turn out as many as those of the tile, for both ends have them on one axis.
  std::optional<LaneId> same_rows = {}, same_columns = {};
  int64_t blocks = 1;  // Edge::blocks
};

// Columns [start, start + size) and some rows of a value.
struct View {
  const ir::Value* base;
  int64_t start = 0;
  int64_t size = 0;
  std::vector<int64_t> rows = {};  // empty: all
};

// An op that reads a value, or a view of it, as one of its operands.
struct Read {
  const ir::Op* op = nullptr;
  unsigned operand = 0;
  View view;
};

// A value that an item holds only to give it to its readers, where its giver cannot: an input that
// several read, and what stands along the rows with other lanes than those that a reader has there.
struct Relay {
  Origin origin;
  const ir::Value* value = nullptr;
  int64_t rows = 0, columns = 0;
  LaneId lanes = kOneLane;
  CopyId in = 0;
  std::vector<CopyId> out = {};
};

// An input that is a stored tensor (integers from the verifier), and an output that is one: a copy
// whose other end the verifier computes.
struct PublicInput {
  const ir::Value* value = nullptr;
  std::string name;
  CopyId copy = 0;
  Major major = Major::kColumn;  // of the reader
};
struct PublicOutput {
  Origin origin;
  const ir::Value* value = nullptr;
  std::string name;
  CopyId copy = 0;
};

class Wiring {
 public:
  Wiring(const ir::Function& function, const LowerToAirOptions& options, LinkEnds links = {});
  const LowerToAirOptions& options() const { return options_; }
  // With a step table, which has the tokens and choices that are public elsewhere.
  bool decode() const { return options_.decode; }

  // What the results of regions and yields stand for.
  void alias(const ir::Value* value, const ir::Value* of) { alias_[value] = of; }
  const ir::Value* resolve(const ir::Value* value) const;
  void setView(const ir::Value* value, View view) { views_[value] = std::move(view); }
  View view(const ir::Value* value) const;
  bool isInput(const ir::Value* value) const { return inputs_.contains(value); }
  // The end of a link that an input or output of this name is; null: the verifier has the tensor.
  const LinkEnd* findLink(llvm::StringRef name) const;
  // An input that a link brings. A relay takes it, whoever reads it.
  bool isLinked(const ir::Value* value) const {
    return isInput(value) && findLink(value->name()) != nullptr;
  }
  // All ops that read a value, in program order. Known before the first item is listed.
  void addRead(const ir::Op& op, unsigned operand);
  llvm::ArrayRef<Read> readers(const ir::Value* value) const;
  size_t inputs() const { return inputs_.size(); }

  // Lanes down a tensor's rows, in the tables of matrix products and their results, and along its
  // columns, in those that reduce rows: the families, and of tensors with so many of them. Only the
  // last rows of tensors may be partial.
  LaneId down() const { return 1; }
  LaneId along() const { return 2; }
  LaneId down(int64_t rows) { return ofLength(down(), rows, /*partial=*/true); }
  // That of `down`, if it was asked for.
  std::optional<LaneId> findDown(int64_t rows) const;
  LaneId along(int64_t columns) { return ofLength(along(), columns); }
  // Of constant matrices.
  LaneId weightLanes() const { return 3; }
  LaneId addLanes(LaneRule rule);
  // Of the family's items of this length, which the lanes divide if rows may not be partial.
  LaneId ofLength(LaneId family, int64_t length, bool partial = false);
  void divides(LaneId lanes, int64_t length) { rules_[lanes].lengths.push_back(length); }
  llvm::ArrayRef<LaneRule> laneRules() const { return rules_; }

  Product* product(int64_t count, int64_t rows, int64_t inner, int64_t columns);

  // Says where `value` stands: its copies are listed in `out`, for the item to give. A row-major
  // item that only reads it may pass it on: the copies asked for later are then its to give.
  void gives(const ir::Value* value, Major major, LaneId lanes, std::vector<CopyId>* out);
  void passesOn(const ir::Value* value, LaneId lanes, std::vector<CopyId>* out);
  // An item that holds a value, and to whose `out` its copies are listed.
  struct Giver {
    Major major;
    LaneId lanes;
    std::vector<CopyId>* out;
    bool holds_view = false;  // the rows of the view, and no others
  };
  // Says that `value` is given by an item that is made for its readers of a major, or of any.
  using Offer = std::function<absl::StatusOr<Giver>(std::optional<Major> reader)>;
  void offers(const ir::Value* value, Offer offer) { offers_[value] = std::move(offer); }
  // Who gives the value, if that is settled: null for inputs, and for what is made for its readers.
  const Giver* findGiver(const ir::Value* base) const;
  absl::StatusOr<CopyId> copy(const Origin& origin, const ir::Value* value, Major major,
                              LaneId lanes, const std::string& group = "");
  // The copy's rows are so many equal parts, none of which shares a tile with another.
  void setBlocks(CopyId copy, int64_t blocks) { copies_[copy].blocks = blocks; }
  // One whose other end is no item's.
  CopyId openCopy(Copy copy);
  // Addresses of single elements.
  CopyId scalars(int64_t count) { return openCopy({.rows = count, .columns = 1}); }
  llvm::ArrayRef<Copy> copies() const { return copies_; }
  // Of a copy that is an end of a link; others have addresses of the circuit's own.
  std::optional<int64_t> linkAddress(CopyId copy) const;
  const LinkEnds& links() const { return links_; }
  const std::deque<Relay>& relays() const { return relays_; }

  // An output that is a stored tensor.
  void exportTensor(const Origin& origin, const ir::Value* value, const std::string& name);
  // Copies of the outputs, and of what links bring but no item copies.
  absl::Status connect();
  const std::deque<PublicInput>& publicInputs() const { return public_inputs_; }
  const std::deque<PublicOutput>& publicOutputs() const { return public_outputs_; }

 private:
  LaneId exactly(int64_t lanes) { return addLanes({.least = lanes, .most = lanes}); }
  // The lanes of what stands down the rows of a link's tensor are those of its tile.
  void pinLanes(llvm::StringRef name, const ir::Type& type);
  absl::StatusOr<Giver> giver(const Origin& origin, const View& view, Major reader);
  absl::StatusOr<Giver> relay(const Origin& origin, const ir::Value* value);
  absl::Status connectOutputs();

  const LowerToAirOptions options_;
  llvm::SetVector<const ir::Value*> inputs_;
  llvm::DenseMap<const ir::Value*, const ir::Value*> alias_;
  std::map<const ir::Value*, View> views_;
  llvm::DenseMap<const ir::Value*, std::vector<Read>> reads_;
  std::vector<LaneRule> rules_;
  std::map<std::tuple<LaneId, int64_t, bool>, LaneId> of_length_;
  std::deque<Product> products_;  // pointed to
  int64_t next_product_ = 1;
  std::vector<Copy> copies_;
  llvm::DenseMap<const ir::Value*, Giver> givers_;
  llvm::DenseMap<const ir::Value*, Offer> offers_;
  llvm::DenseSet<const ir::Value*> passed_on_;
  std::deque<Relay> relays_;  // pointed to
  std::deque<PublicInput> public_inputs_;
  std::deque<PublicOutput> public_outputs_;
  const LinkEnds links_;
  std::map<int64_t, int64_t> pinned_;  // lanes, by the rows of tensors of links
  std::map<CopyId, int64_t> link_addresses_;
};

}  // namespace lindero::passes
