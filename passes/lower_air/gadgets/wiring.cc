#include "passes/lower_air/gadgets/wiring.h"

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"

namespace lindero::passes {

absl::Status cannotLower(const ir::Op& op, const std::string& why) {
  return absl::UnimplementedError(absl::StrCat("cannot lower ", ir::describe(op), ": ", why));
}

MatrixShape matrixOf(const ir::Type& type) {
  MatrixShape matrix;
  if (type.shape.empty()) return matrix;
  matrix.columns = type.shape.back();
  for (int64_t extent : llvm::ArrayRef<int64_t>(type.shape).drop_back()) matrix.rows *= extent;
  return matrix;
}

Wiring::Wiring(const ir::Function& function, const LowerToAirOptions& options, LinkEnds links)
    : options_(options), links_(std::move(links)) {
  for (const auto& argument : function.body().arguments()) {
    inputs_.insert(argument.get());
    pinLanes(argument->name(), argument->type());
  }
  if (const ir::Op* end = function.body().terminator(); end != nullptr && end->has("names")) {
    const auto& names = std::get<std::vector<std::string>>(*end->find("names"));
    for (auto [name, value] : llvm::zip(names, end->operands())) pinLanes(name, value->type());
  }
  LaneRule weights{.pads = true, .least = 16, .most = 2048};
  if (options.weight_lanes != 0) weights.least = weights.most = options.weight_lanes;
  rules_ = {{}};
  for (LaneRule rule :
       {LaneRule{.most = options.lanes}, LaneRule{.most = options.lanes}, weights}) {
    addLanes(std::move(rule));
  }
}

const LinkEnd* Wiring::findLink(llvm::StringRef name) const {
  const auto found = links_.find(name.str());
  return found == links_.end() ? nullptr : &found->second;
}

std::optional<int64_t> Wiring::linkAddress(CopyId copy) const {
  const auto found = link_addresses_.find(copy);
  return found == link_addresses_.end() ? std::nullopt : std::optional(found->second);
}

void Wiring::pinLanes(llvm::StringRef name, const ir::Type& type) {
  if (const LinkEnd* link = findLink(name)) pinned_[matrixOf(type).rows] = link->rows;
}

const ir::Value* Wiring::resolve(const ir::Value* value) const {
  for (auto it = alias_.find(value); it != alias_.end(); it = alias_.find(value)) {
    value = it->second;
  }
  return value;
}

View Wiring::view(const ir::Value* value) const {
  value = resolve(value);
  if (auto it = views_.find(value); it != views_.end()) return it->second;
  return {value, 0, matrixOf(value->type()).columns};
}

void Wiring::addRead(const ir::Op& op, unsigned operand) {
  View v = view(op.operand(operand));
  reads_[v.base].push_back({&op, operand, v});
}

llvm::ArrayRef<Read> Wiring::readers(const ir::Value* value) const {
  auto it = reads_.find(value);
  if (it == reads_.end()) return {};
  return it->second;
}

LaneId Wiring::addLanes(LaneRule rule) {
  rule.family = rules_.size();
  rules_.push_back(std::move(rule));
  return rules_.size() - 1;
}

LaneId Wiring::ofLength(LaneId family, int64_t length, bool partial) {
  auto [it, made] = of_length_.try_emplace({family, length, partial}, rules_.size());
  if (!made) return it->second;
  LaneRule rule = rules_[family];
  (partial ? rule.length : rule.lengths.emplace_back()) = length;
  const auto pinned = pinned_.find(length);
  if (family == down() && partial && pinned != pinned_.end()) {
    rule.least = rule.most = pinned->second;
  }
  rules_.push_back(std::move(rule));
  return it->second;
}

std::optional<LaneId> Wiring::findDown(int64_t rows) const {
  const auto found = of_length_.find({down(), rows, /*partial=*/true});
  return found == of_length_.end() ? std::nullopt : std::optional(found->second);
}

Product* Wiring::product(int64_t count, int64_t rows, int64_t inner, int64_t columns) {
  products_.push_back({next_product_, count, rows, inner, columns});
  next_product_ += count;
  return &products_.back();
}

void Wiring::gives(const ir::Value* value, Major major, LaneId lanes, std::vector<CopyId>* out) {
  givers_[value] = {major, lanes, out};
}

void Wiring::passesOn(const ir::Value* value, LaneId lanes, std::vector<CopyId>* out) {
  View v = view(value);
  if (!v.rows.empty() || !passed_on_.insert(v.base).second) return;
  givers_[v.base] = {Major::kRow, lanes, out};
}

const Wiring::Giver* Wiring::findGiver(const ir::Value* base) const {
  auto it = givers_.find(base);
  return it == givers_.end() ? nullptr : &it->second;
}

absl::StatusOr<Wiring::Giver> Wiring::giver(const Origin& origin, const View& view, Major reader) {
  absl::StatusOr<Giver> found = absl::NotFoundError("");
  if (const Giver* giver = findGiver(view.base)) {
    found = *giver;
  } else if (auto it = offers_.find(view.base); it != offers_.end()) {
    found = it->second(reader);
    if (!found.ok()) return found;
  }
  if (found.ok()) {
    if (!view.rows.empty() && found->major == Major::kColumn) {
      return cannotLower(*origin.op, "rows can be selected after a LayerNorm only");
    }
    return found;
  }
  if (!isInput(view.base) || !view.rows.empty()) {
    return cannotLower(*origin.op, "its input comes from no encoded op");
  }
  auto read = llvm::find_if(public_inputs_, [&](auto& p) { return p.value == view.base; });
  if (read == public_inputs_.end()) {
    const bool relayed = llvm::any_of(relays_, [&](auto& r) { return r.value == view.base; });
    if (isLinked(view.base) && !relayed) return relay(origin, view.base);
    return Giver{};
  }
  // The verifier gives each element once: to a relay, from which both readers take it.
  Copy& first = copies_[read->copy];
  const CopyId id = read->copy;
  first.group.clear();
  if (read->major == Major::kColumn) {
    first.same_rows = down(first.rows);
  } else {
    first.row_lanes = down(first.rows);
  }
  public_inputs_.erase(read);
  absl::StatusOr<Giver> from = relay(origin, view.base);
  if (from.ok()) from->out->push_back(id);
  return from;
}

// Column-major: a reader of either layout can take from it.
absl::StatusOr<Wiring::Giver> Wiring::relay(const Origin& origin, const ir::Value* value) {
  value = resolve(value);
  for (Relay& r : relays_) {
    if (r.value == value) return Giver{Major::kColumn, r.lanes, &r.out, true};
  }
  const auto [rows, columns] = matrixOf(value->type());
  Relay& r = relays_.emplace_back(Relay{origin, value, rows, columns, down(rows)});
  absl::StatusOr<CopyId> in = copy(origin, value, Major::kColumn, r.lanes);
  if (!in.ok()) return in.status();
  r.in = *in;
  const Giver relayed{Major::kColumn, r.lanes, &r.out, true};
  if (isInput(value)) givers_[value] = relayed;
  return relayed;
}

absl::StatusOr<CopyId> Wiring::copy(const Origin& origin, const ir::Value* value, Major major,
                                    LaneId lanes, const std::string& group) {
  const View v = view(value);
  const MatrixShape matrix = matrixOf(v.base->type());
  if (v.start != 0 || v.size != matrix.columns) {
    return cannotLower(*origin.op, "reads some columns of a requantized tensor");
  }
  const bool by_columns = major == Major::kColumn, published = !group.empty();
  const bool linked = llvm::StringRef(group).starts_with(linkGroup(""));
  absl::StatusOr<Giver> from = giver(origin, v, major);
  if (!from.ok()) return from.status();
  const bool from_verifier = from->out == nullptr;
  // All tensors of a link with the same number of rows have tiles of one height.
  const bool other_tiles =
      linked && !from_verifier && from->major == Major::kColumn && from->lanes != down(matrix.rows);
  if (from_verifier ? published
                    : other_tiles || (from->major == Major::kRow && !by_columns && !published &&
                                      from->lanes != lanes)) {
    from = relay(origin, value);
    if (!from.ok()) return from.status();
  }
  Copy copy{.origin = origin, .columns = v.size, .group = group};
  if (!from->holds_view) copy.selected = v.rows;
  copy.rows = v.rows.empty() ? matrix.rows : v.rows.size();
  copy.row_lanes = by_columns ? lanes : down();
  copy.column_lanes = by_columns ? along() : lanes;
  if (from->out == nullptr) {
    PublicInput& input =
        public_inputs_.emplace_back(PublicInput{v.base, v.base->name().str(), 0, major});
    copy.group = publicGroup(input.name);
    if (const LinkEnd* link = findLink(input.name)) {
      copy.group = linkGroup(input.name);
      copy.column_lanes = exactly(link->columns);
      link_addresses_[copies_.size()] = link->address;
    }
    return input.copy = openCopy(std::move(copy));
  }
  if (published && from->major == Major::kRow) {
    if (laneRules()[from->lanes].length > 0) divides(from->lanes, v.size);
    // The verifier's end has no lanes: tiles are as wide as the giver's, and one row. That of a
    // link is a relay's.
    copy.row_lanes = linked ? exactly(pinned_.at(copy.rows)) : kOneLane;
    copy.column_lanes = from->lanes;
  } else if (from->major == major) {
    (by_columns ? copy.same_rows : copy.same_columns) = from->lanes;
  } else {
    (by_columns ? copy.column_lanes : copy.row_lanes) = from->lanes;
    if (linked) copy.same_rows = exactly(pinned_.at(copy.rows));
  }
  CopyId id = openCopy(std::move(copy));
  from->out->push_back(id);
  return id;
}

CopyId Wiring::openCopy(Copy copy) {
  copies_.push_back(std::move(copy));
  return copies_.size() - 1;
}

void Wiring::exportTensor(const Origin& origin, const ir::Value* value, const std::string& name) {
  public_outputs_.push_back({origin, value, name});
}

absl::Status Wiring::connect() {
  if (absl::Status s = connectOutputs(); !s.ok()) return s;
  // An op may read a value of which nobody needs an element: of two that one copy joins, the one
  // that a copy of that leaves out. Its other end gives it all the same.
  for (const ir::Value* input : inputs_) {
    if (!isLinked(input) || findGiver(input)) continue;
    if (absl::Status s = relay({*input->users().begin()}, input).status(); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status Wiring::connectOutputs() {
  for (PublicOutput& p : public_outputs_) {
    Major reader = Major::kRow;
    const ir::Value* base = view(p.value).base;
    if (auto it = offers_.find(base); it != offers_.end() && !findGiver(base)) {
      absl::StatusOr<Giver> made = it->second(std::nullopt);
      if (!made.ok()) return made.status();
      if (made->major == Major::kRow) reader = Major::kColumn;
    }
    const LinkEnd* link = findLink(p.name);
    const LaneId lanes = reader == Major::kRow && link == nullptr ? along() : kOneLane;
    absl::StatusOr<CopyId> id =
        copy(p.origin, p.value, reader, lanes, link ? linkGroup(p.name) : publicGroup(p.name));
    if (!id.ok()) return id.status();
    if (link) link_addresses_[*id] = link->address;
    p.copy = *id;
  }
  return absl::OkStatus();
}

}  // namespace lindero::passes
