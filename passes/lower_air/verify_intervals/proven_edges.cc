// What edges prove. An edge is a copy argument: a send/receive bus whose addresses are fixed, so
// that its two ends hold the same elements.
//
// The terms of a group sum to zero for random challenges za, zr, zc, so at every pole (za, zr, zc)
// = (address, place, lane) the values of all terms cancel. An element that one term gives and one
// takes is therefore the same field element at both ends.
#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "passes/lower_air/verify_intervals/proven_ranges.h"

namespace lindero::passes {
namespace {

constexpr int64_t kMaxPlaces = 64;

uint64_t firstPlaces(int64_t n) { return n >= kMaxPlaces ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }

// Whether both have the same lanes, whatever columns stand there.
bool sameLanes(const std::vector<ProvenRanges::Lane>& a, const std::vector<ProvenRanges::Lane>& b) {
  std::set<int64_t> of_a, of_b;
  for (const ProvenRanges::Lane& lane : a) of_a.insert(lane.lane);
  for (const ProvenRanges::Lane& lane : b) of_b.insert(lane.lane);
  return of_a == of_b;
}

}  // namespace

bool ProvenRanges::namesElements(const ir::Value* challenge) const {
  return challenge == address_challenge_ || llvm::any_of(ends_, [&](const Ends& ends) {
           return challenge == ends.lane_challenge || challenge == ends.place_challenge;
         });
}

// A fixed cell or a number, times `sign`.
bool ProvenRanges::readPole(int table, const Polynomial& p, int64_t sign, Pole& pole) const {
  const TableRows& rows = tables_[table].rows;
  if (p.empty()) return true;
  const auto& [monomial, k] = *p.begin();
  if (p.size() != 1 || monomial.size() > 1) return false;
  if (monomial.empty()) {
    pole.number = sign * k;
    return true;
  }
  pole.column = monomial[0].column;
  return k == sign && !monomial[0].before && rows.phase(pole.column) == 0 &&
         rows.isStored(pole.column);
}

// z - a; or z y - a y - b z + c, which is (z - a) (y - b) where c = a b.
absl::StatusOr<ProvenRanges::Poles> ProvenRanges::poles(int table, int c, ir::Op& term) {
  auto isChallenge = [](const Factor& f) {
    return f.lane == 0 && f.exponent == 1 && f.challenge->definingOp()->is("air.challenge");
  };
  const Form* form = tables_[table].rows.form(c, term.operand(1));
  const Weight* most = nullptr;
  for (const auto& [weight, p] : form ? *form : Form()) {
    if (!most || weight.size() > most->size()) most = &form->find(weight)->first;
  }
  Poles out;
  bool simple = most && (most->size() == 1 || most->size() == 2) &&
                llvm::all_of(*most, isChallenge) && form->at(*most) == Polynomial{{{}, 1}};
  for (const Factor& f : simple ? *most : Weight()) out.factors.push_back({f.challenge, -1, 0});
  if (simple && most->size() == 2) {
    simple = out.factors[0].challenge != out.factors[1].challenge;
    if (out.factors[1].challenge == address_challenge_) {
      std::swap(out.factors[0], out.factors[1]);
    }
  }
  Polynomial rest, coefficients[2];  // of the other factor's challenge
  for (const auto& [weight, p] : simple ? *form : Form()) {
    if (weight == *most) continue;
    if (weight.empty()) {
      rest = p;
      continue;
    }
    const bool first = weight[0].challenge == out.factors.back().challenge;
    simple &= most->size() == 2 && weight.size() == 1 && isChallenge(weight[0]) &&
              weight[0].challenge == out.factors[first ? 1 : 0].challenge;
    coefficients[first ? 0 : 1] = p;
  }
  if (simple && most->size() == 1) {
    simple = readPole(table, rest, -1, out.factors[0]);
  } else if (simple) {
    out.multiplied = rest == product(coefficients[0], coefficients[1]);
    simple = readPole(table, coefficients[0], -1, out.factors[0]) &&
             readPole(table, coefficients[1], -1, out.factors[1]) &&
             (out.multiplied || readPole(table, rest, 1, out.corner));
  }
  if (!simple) {
    return refused(table, c, term.stringAttr("name"),
                   "its denominator is no product of challenge - fixed cell");
  }
  return out;
}

// A sum of cells, each times 1 / (challenge - lane), all of one sign. A cell that stands alone in
// its tile has two such factors, of lane 0 and place 0.
absl::StatusOr<ProvenRanges::Ends> ProvenRanges::endsOf(int table, int c, ir::Op& term,
                                                        const Form& numerator) {
  Ends ends;
  ends.table = table, ends.term = &term, ends.c = c, ends.sign = 0;
  ends.group = term.symbolAttr("group");
  auto no = [&](const char* why) { return refused(table, c, term.stringAttr("name"), why); };
  for (const auto& [weight, p] : numerator) {
    bool inverses = !weight.empty() && weight.size() <= 2;
    for (const Factor& f : weight) {
      inverses &= f.exponent == -1 && f.challenge->definingOp()->is("air.challenge");
    }
    if (!inverses || p.size() != 1) return no("is no sum of cells with weights 1 / (z - lane)");
    const auto& [monomial, k] = *p.begin();
    if (monomial.size() != 1 || monomial[0].before || (k != 1 && k != -1) ||
        !tables_[table].rows.isWitness(monomial[0].column)) {
      return no("gives or takes what is not a witness cell");
    }
    const ir::Value* place = weight.size() == 2 ? weight[1].challenge : nullptr;
    if (ends.lanes.empty()) {
      ends.sign = k, ends.lane_challenge = weight[0].challenge, ends.place_challenge = place;
    }
    if (k != ends.sign || weight[0].challenge != ends.lane_challenge ||
        place != ends.place_challenge || (place && (weight[0].lane != 0 || weight[1].lane != 0))) {
      return no("mixes signs or layouts");
    }
    ends.lanes.push_back({weight[0].lane, monomial[0].column});
  }
  return ends;
}

absl::Status ProvenRanges::addRow(int64_t row, int index) {
  const Ends& ends = ends_[index];
  const int table = ends.table;
  const TableRows& rows = tables_[table].rows;
  int64_t address = ends.address.at(rows, row), place = ends.place.at(rows, row);
  if (!ends.multiplied && ends.corner.at(rows, row) != symmetric(__int128(address) * place)) {
    return refused(table, ends.c, ends.term->stringAttr("name"),
                   absl::StrCat("address ", address, ", place ", place,
                                ": its denominator is no product of challenge - fixed cell"));
  }
  if (place < 0 || place >= kMaxPlaces) {
    return refused(table, ends.c, ends.term->stringAttr("name"), "has a place outside of [0, 64)");
  }
  uint64_t bit = uint64_t{1} << place;
  auto& tile = open_[address];
  for (const auto& [other, places] : tile) {
    const Ends& o = ends_[other];
    if (o.sign != ends.sign) continue;
    if (o.lane_challenge != ends.lane_challenge) {
      return refused(table, ends.c, ends.term->stringAttr("name"),
                     absl::StrCat("address ", address, ": its rows differ in layout"));
    }
    if (o.term != ends.term || (places & bit)) {
      return refused(table, ends.c, ends.term->stringAttr("name"),
                     absl::StrCat("address ", address, ", place ", place,
                                  ": another row gives or takes this element too"));
    }
  }
  tile[index] |= bit;
  return absl::OkStatus();
}

absl::Status ProvenRanges::readTerm(int table, ir::Op& term) {
  TableRows& rows = tables_[table].rows;
  size_t classes = rows.classes().size();
  std::vector<int> index(classes, -1);
  for (size_t c = 0; c < classes; ++c) {
    const Form* numerator = rows.form(c, term.operand(0));
    if (!numerator) return refused(table, c, term.stringAttr("name"), "reads the row after");
    if (numerator->empty()) continue;
    bool folded = false;
    for (const auto& [weight, p] : *numerator) {
      for (const auto& [monomial, k] : p) {
        for (Cell cell : monomial) folded |= rows.phase(cell.column) >= 2;
      }
    }
    if (folded) return absl::OkStatus();  // a product or a copy: folds.cc
    absl::StatusOr<Ends> ends = endsOf(table, c, term, *numerator);
    if (!ends.ok()) return ends.status();
    absl::StatusOr<Poles> at = this->poles(table, c, term);
    if (!at.ok()) return at.status();
    const std::vector<Pole>& factors = at->factors;
    if (!address_challenge_) address_challenge_ = factors[0].challenge;
    bool two = factors.size() == 2 && !ends->place_challenge;
    if (two) ends->place_challenge = factors[1].challenge;
    if ((!two && factors.size() != 1) || factors[0].challenge != address_challenge_ ||
        ends->lane_challenge == address_challenge_ ||
        ends->place_challenge == ends->lane_challenge ||
        ends->place_challenge == address_challenge_) {
      return refused(table, c, term.stringAttr("name"),
                     "does not name its elements by address, place and lane");
    }
    ends->address = factors[0];
    if (two) ends->place = factors[1], ends->corner = at->corner;
    ends->multiplied = at->multiplied || !two;
    index[c] = ends_.size();
    ends_.push_back(*std::move(ends));
  }
  for (int64_t row = 0; row < rows.height(); ++row) {
    int c = rows.classOf(row);
    if (index[c] >= 0) IR_RETURN_IF_ERROR(addRow(row, index[c]));
  }
  return absl::OkStatus();
}

// The challenge of addresses is that of the public tensors.
void ProvenRanges::nameAddresses() {
  std::map<std::string, const ir::Value*> challenges;
  for (ir::Op& op : circuit_->body().ops()) {
    if (op.is("air.challenge")) challenges[op.stringAttr("name")] = op.result();
    if (!op.is("air.public") || address_challenge_) continue;
    address_challenge_ = challenges[std::get<std::vector<std::string>>(*op.find("challenges"))[0]];
  }
}

absl::Status ProvenRanges::readPublics() {
  std::map<std::string, const ir::Value*> challenges;
  for (ir::Op& op : circuit_->body().ops()) {
    if (op.is("air.challenge")) challenges[op.stringAttr("name")] = op.result();
    if (!op.is("air.public")) continue;
    const auto& names = std::get<std::vector<std::string>>(*op.find("challenges"));
    if (challenges[names[0]] != address_challenge_) {
      return absl::FailedPreconditionError(absl::StrCat("public tensor ", op.stringAttr("name"),
                                                        " has an address challenge of its own"));
    }
    int64_t rows = op.intAttr("rows"), columns = op.intAttr("columns");
    int64_t tile_rows = op.intAttr("tile_rows"), tile_columns = op.intAttr("tile_columns");
    Ends ends;
    ends.term = &op;
    ends.sign = op.boolAttr("negative") ? -1 : 1;
    ends.group = op.symbolAttr("group");
    ends.linked = op.has("slot");
    ends.lane_challenge = challenges[names[1]], ends.place_challenge = challenges[names[2]];
    if (names[0] == names[1] || names[1] == names[2] || names[2] == names[0]) {
      return absl::FailedPreconditionError(
          absl::StrCat("public tensor ", op.stringAttr("name"),
                       " does not name its elements by address, row and column"));
    }
    ends.given = Interval::between(op.intAttr("low"), op.intAttr("high"));
    int64_t across = (columns + tile_columns - 1) / tile_columns;
    int64_t tiles = (rows + tile_rows - 1) / tile_rows * across;
    for (int64_t i = 0; i < tiles; ++i) {
      int64_t address = symmetric(op.intAttr("address") + i);
      for (const auto& [other, places] : open_[address]) {
        if (ends_[other].sign == ends.sign) {
          return absl::FailedPreconditionError(absl::StrCat("public tensor ", op.stringAttr("name"),
                                                            ": address ", address,
                                                            " is given or taken by others too"));
        }
      }
      open_[address][ends_.size()] = firstPlaces(std::min(tile_columns, columns));
    }
    ends_.push_back(std::move(ends));
  }
  return absl::OkStatus();
}

// By induction over the blocks: the first one is given zeros, and each must give what lies in the
// range in which it takes.
absl::Status ProvenRanges::readLink() {
  for (ir::Op& op : circuit_->body().ops()) {
    if (!op.is("air.link")) continue;
    link_ = Link{op.symbolAttr("in"), op.symbolAttr("out"),
                 Interval::between(op.intAttr("low"), op.intAttr("high"))};
  }
  for (const Ends& ends : ends_) {
    const bool in = link_ && ends.group == link_->in, out = link_ && ends.group == link_->out;
    if ((!in && !out) || (ends.table >= 0 && ends.sign == (in ? -1 : 1))) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(ends.term->stringAttr("name"), ": a block takes from @", link_->in,
                     " and gives to @", link_->out, ", and no public tensor does"));
  }
  return absl::OkStatus();
}

std::string ProvenRanges::sumOf(const Ends& ends) const {
  return link_ && ends.group == link_->out ? link_->in : ends.group;
}

absl::Status ProvenRanges::readEdges() {
  nameAddresses();
  for (size_t t = 0; t < tables_.size(); ++t) {
    for (ir::Op& op : tables_[t].rows.op().block()->ops()) {
      if (op.is("air.term")) IR_RETURN_IF_ERROR(readTerm(t, op));
    }
  }
  IR_RETURN_IF_ERROR(readPublics());
  IR_RETURN_IF_ERROR(readLink());
  return closeTiles();
}

absl::StatusOr<ProvenRanges::TileKind> ProvenRanges::readTile(
    int64_t address, const std::map<int, uint64_t>& tile) const {
  TileKind kind;
  uint64_t given = 0, taken = 0;
  for (const auto& [index, places] : tile) {
    (ends_[index].sign > 0 ? kind.gives : kind.takes).push_back(index);
    (ends_[index].sign > 0 ? given : taken) |= places;
  }
  const Ends& some = ends_[tile.begin()->first];
  auto no = [&](const std::string& why) { return absl::FailedPreconditionError(why); };
  if (kind.gives.empty() || kind.takes.empty()) {
    std::string why = absl::StrCat("address ", address, " has one end only");
    if (some.table >= 0) return refused(some.table, some.c, some.term->stringAttr("name"), why);
    return no(absl::StrCat("public tensor ", some.term->stringAttr("name"), ": ", why));
  }
  for (const auto& [index, places] : tile) {
    if (sumOf(ends_[index]) == sumOf(some)) continue;
    return no(absl::StrCat("the ends of address ", address, " stand in two sums"));
  }
  kind.linked = link_ && sumOf(some) == link_->in;
  const Ends &a = ends_[kind.gives[0]], &b = ends_[kind.takes[0]];
  std::set challenges_a{a.lane_challenge, a.place_challenge};
  std::set challenges_b{b.lane_challenge, b.place_challenge};
  if (challenges_a != challenges_b) {
    return no(absl::StrCat("the ends of address ", address,
                           " do not name elements by the same challenges"));
  }
  kind.same_layout =
      a.table >= 0 && b.table >= 0 && a.lane_challenge == b.lane_challenge && given == taken;
  for (const auto& [index, places] : tile) {
    kind.same_layout &= sameLanes(ends_[index].lanes, a.lanes);
  }
  return kind;
}

absl::Status ProvenRanges::closeTiles() {
  std::map<std::tuple<std::vector<int>, std::vector<int>, bool>, int> found;
  for (const auto& [address, tile] : open_) {
    absl::StatusOr<TileKind> kind = readTile(address, tile);
    if (!kind.ok()) return kind.status();
    auto key = std::tuple(kind->gives, kind->takes, kind->same_layout);
    auto [it, made] = found.try_emplace(std::move(key), kinds_.size());
    if (made) kinds_.push_back(*std::move(kind));
    kind_of_[address] = it->second;
  }
  open_.clear();
  return absl::OkStatus();
}

MaybeInterval ProvenRanges::otherEnd(const TileKind& kind, bool gives, int64_t lane) const {
  if (kind.linked) return gives ? std::nullopt : MaybeInterval(link_->range);
  MaybeInterval out;
  auto add = [&](const Interval& r) { out = out ? hull(*out, r) : r; };
  for (int index : gives ? kind.takes : kind.gives) {
    const Ends& ends = ends_[index];
    // Who takes from a link relies on the range; who gives is to prove it.
    if (ends.linked && gives) return std::nullopt;
    if (ends.table < 0) add(ends.given);
    for (const Lane& l : ends.lanes) {
      if (kind.same_layout && l.lane != lane) continue;
      const MaybeInterval& r = cell(ends.table, ends.c, l.column);
      if (!r) return std::nullopt;
      add(*r);
    }
  }
  // An element of one end only is zero.
  if (out && !kind.same_layout) add(Interval::of(0));
  return out;
}

bool ProvenRanges::useEdges() {
  std::vector<std::vector<int>> kinds_of(ends_.size());
  for (size_t k = 0; k < kinds_.size(); ++k) {
    for (int i : kinds_[k].gives) kinds_of[i].push_back(k);
    for (int i : kinds_[k].takes) kinds_of[i].push_back(k);
  }
  bool changed = false;
  for (size_t i = 0; i < ends_.size(); ++i) {
    if (ends_[i].table < 0) continue;
    for (const Lane& lane : ends_[i].lanes) {
      MaybeInterval all;
      for (int k : kinds_of[i]) {
        MaybeInterval other = otherEnd(kinds_[k], ends_[i].sign > 0, lane.lane);
        if (!other) {
          all.reset();
          break;
        }
        all = all ? hull(*all, *other) : *other;
      }
      if (all) changed |= narrow(ends_[i].table, ends_[i].c, lane.column, *all);
    }
  }
  return changed;
}

}  // namespace lindero::passes
