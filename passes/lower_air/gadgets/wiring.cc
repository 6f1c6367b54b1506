#include "passes/lower_air/gadgets/wiring.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lindero::passes {

absl::Status cannotLower(const ir::Op& op, const std::string& why) {
  return absl::UnimplementedError(absl::StrCat("cannot lower ", op.name().str(), " (node ",
                                               absl::StrJoin(op.location(), " + "), "): ", why));
}

MatrixShape matrixOf(const ir::Type& type) {
  MatrixShape matrix;
  if (type.shape.empty()) return matrix;
  matrix.columns = type.shape.back();
  for (int64_t extent : llvm::ArrayRef<int64_t>(type.shape).drop_back()) matrix.rows *= extent;
  return matrix;
}

Wiring::Wiring(const ir::Function& function, const LowerToAirOptions& options) : options_(options) {
  for (const auto& argument : function.body().arguments()) inputs_.insert(argument.get());
  LaneRule weights{.pads = true, .least = 16, .most = 512};
  if (options.weight_lanes != 0) weights.least = weights.most = options.weight_lanes;
  rules_ = {{}, {.most = options.lanes}, {.most = options.lanes}, weights};
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

LaneId Wiring::addLanes(LaneRule rule) {
  rules_.push_back(std::move(rule));
  return rules_.size() - 1;
}

Product* Wiring::product(int64_t count, int64_t rows, int64_t inner, int64_t columns) {
  products_.push_back({next_product_, count, rows, inner, columns});
  next_product_ += count;
  return &products_.back();
}

void Wiring::gives(const ir::Value* value, Major major, LaneId lanes, std::vector<CopyId>* out,
                   int64_t batch) {
  givers_[value] = {major, lanes, out, batch};
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
  if (isInput(view.base) && view.rows.empty()) {
    if (llvm::any_of(public_inputs_, [&](auto& p) { return p.value == view.base; })) {
      return cannotLower(*origin.op, "reads an input of the model that another op reads too");
    }
    public_inputs_.push_back({view.base, view.base->name().str()});
    return Giver{};
  }
  return cannotLower(*origin.op, "its input comes from no encoded op");
}

absl::StatusOr<CopyId> Wiring::copy(const Origin& origin, const ir::Value* value, Major major,
                                    LaneId lanes, const std::string& group, int64_t batch) {
  const View v = view(value);
  const MatrixShape matrix = matrixOf(v.base->type());
  if (v.start != 0 || v.size != matrix.columns) {
    return cannotLower(*origin.op, "reads some columns of a requantized tensor");
  }
  absl::StatusOr<Giver> from = giver(origin, v, major);
  if (!from.ok()) return from.status();
  if (from->batch != batch) {
    return cannotLower(*origin.op, "reads a matrix for each head as one tensor");
  }
  Copy copy{.origin = origin, .columns = v.size, .group = group, .selected = v.rows};
  copy.rows = (v.rows.empty() ? matrix.rows : int64_t(v.rows.size())) / batch;
  copy.batch = batch;
  const bool by_columns = major == Major::kColumn;
  copy.row_lanes = by_columns ? lanes : down();
  copy.column_lanes = by_columns ? along() : lanes;
  if (from->out == nullptr) {
    copy.group = publicGroup(public_inputs_.back().name);
    return public_inputs_.back().copy = openCopy(std::move(copy));
  }
  if (from->major == major) {
    (by_columns ? copy.same_rows : copy.same_columns) = from->lanes;
  } else {
    (by_columns ? copy.column_lanes : copy.row_lanes) = from->lanes;
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
  for (PublicOutput& p : public_outputs_) {
    // A public tensor is one matrix: of probabilities it would be the first head's alone.
    if (auto it = givers_.find(view(p.value).base); it != givers_.end() && it->second.batch > 1) {
      return cannotLower(*p.origin.op, "output " + p.name + " is no matrix");
    }
    Major reader = Major::kRow;
    const ir::Value* base = view(p.value).base;
    if (auto it = offers_.find(base); it != offers_.end() && !findGiver(base)) {
      absl::StatusOr<Giver> made = it->second(std::nullopt);
      if (!made.ok()) return made.status();
      if (made->major == Major::kRow) reader = Major::kColumn;
    }
    absl::StatusOr<CopyId> id = copy(
        p.origin, p.value, reader, reader == Major::kRow ? along() : kOneLane, publicGroup(p.name));
    if (!id.ok()) return id.status();
    p.copy = *id;
    // The verifier's end has no lanes: tiles are as tall as the giver's, and one row if that has
    // none down the rows.
    Copy& made = copies_[*id];
    if (made.same_columns) made.row_lanes = kOneLane;
  }
  return absl::OkStatus();
}

}  // namespace lindero::passes
