#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/package/rule_context.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kDrawVisits = 32;  // what it costs to draw a column's points

// Something that reads a column, and the constraints that define columns do not count.
struct Reader {
  int count = 0;
  ColumnRef last;                // a generated column
  bool adds_to_running = false;  // it is the `add` of the running column `last`
};

class GatheredColumns {
 public:
  explicit GatheredColumns(const RuleContext& context)
      : context_(context), circuit_(context.circuit), reads_(context.reads) {
    for (const Table& table : circuit_.tables()) {
      gathered_.emplace_back(table.columns_size(), false);
      readers_.emplace_back(table.columns_size());
      numerators_.emplace_back(table.columns_size());
      for (int c = 0; c < table.columns_size(); ++c) {
        gathered_.back()[c] = table.columns(c).has_gather();
      }
    }
  }

  absl::Status check() {
    for (uint32_t t = 0; t < gathered_.size(); ++t) {
      readGenerators(t);
      LINDERO_RETURN_IF_ERROR(readConstraints(t));
    }
    LINDERO_RETURN_IF_ERROR(objections_.first(context_, "R2"));
    LINDERO_RETURN_IF_ERROR(readFractions());
    readPublics();
    over_gathered_ = dependents([&](const Column& column) { return column.has_gather(); });
    std::vector<Binding> bindings;
    for (uint32_t t = 0; t < gathered_.size(); ++t) {
      for (uint32_t c = 0; c < gathered_[t].size(); ++c) {
        if (!gathered_[t][c]) continue;
        absl::StatusOr<Binding> binding = checkBinding({t, c});
        if (!binding.ok()) return binding.status();
        bindings.push_back(*binding);
      }
    }
    for (const Binding& binding : bindings) LINDERO_RETURN_IF_ERROR(checkUnbound(binding));
    return absl::OkStatus();
  }

 private:
  using Flags = std::vector<std::vector<bool>>;  // by table and column
  struct Binding {
    ColumnRef column;
    uint32_t fraction;                 // of CircuitReads::fractions
    std::optional<uint32_t> selector;  // a fixed column; none: 1
  };
  // The denominators that read a challenge, as fractions, and what else does.
  struct ChallengeUses {
    std::vector<uint32_t> fractions;
    std::string other;
  };

  const SingleFraction& fraction(uint32_t index) const { return reads_.fractions()[index]; }

  // R2, as far as generators and lookups go; counts readers.
  void readGenerators(uint32_t t) {
    const Table& table = context_.table(t);
    for (uint32_t c = firstColumnOfPhase(table, 2); c < gathered_[t].size(); ++c) {
      const Column& column = table.columns(static_cast<int>(c));
      const std::vector<uint32_t> nodes = generatorNodes(column);
      for (size_t i = 0; i < nodes.size(); ++i) {
        const bool add = column.has_fraction() && i == 2;
        readNode(t, nodes[i], absl::StrCat("\"", column.name(), "\" reads it"),
                 column.has_fraction() && i == 0, {{t, c}, add});
      }
      for (const GatherSource& source : column.gather().sources()) {
        ++readers_[source.table()][source.column()].count;
        if (!gathered_[source.table()][source.column()]) continue;
        objections_.add({source.table(), source.column()},
                        absl::StrCat("\"", table.name(), ".", column.name(), "\" gathers from it"));
      }
      if (!column.has_fraction()) {
        for (uint32_t node : nodes) useChallenges(node, column.name());
      } else if (column.fraction().running()) {
        useChallenges(column.fraction().add(), column.name());
      }
    }
    for (const Lookup& lookup : table.lookups()) {
      for (uint32_t node : lookupNodes(lookup)) {
        readNode(t, node, absl::StrCat("the lookup \"", lookup.name(), "\" reads it"), false, {});
      }
    }
  }

  struct By {
    ColumnRef column;
    bool add = false;
  };
  void readNode(uint32_t t, uint32_t node, const std::string& reason, bool numerator, By by) {
    const NodeReads& reads = reads_.of(node);
    uint32_t before = UINT32_MAX;
    for (auto [c, offset] : reads.columns) {
      if (c != before) {
        Reader& reader = readers_[t][c];
        ++reader.count;
        reader.last = by.column;
        reader.adds_to_running = by.add;
      }
      before = c;
      if (!gathered_[t][c]) continue;
      if (!numerator) objections_.add({t, c}, absl::StrCat(reason, ", and not as a factor"));
      if (offset != 0) objections_.add({t, c}, absl::StrCat(reason, " on another row"));
    }
  }

  // R2: constraints.
  absl::Status readConstraints(uint32_t t) {
    const Table& table = context_.table(t);
    for (int i = 0; i < table.constraints_size(); ++i) {
      const uint32_t node = table.constraints(i).node();
      const int32_t defined = context_.info.definitions[t][i];
      if (defined < 0) useChallenges(node, table.constraints(i).name());
      for (auto [c, offset] : reads_.of(node).columns) {
        if (defined < 0) ++readers_[t][c].count;
        if (!gathered_[t][c]) continue;
        auto object = [&](const char* how) {
          objections_.add({t, c}, absl::StrCat("the constraint \"", table.constraints(i).name(),
                                               "\" reads it", how));
        };
        if (offset != 0) object(" on another row");
        if (defined >= 0) {
          const Column& column = table.columns(defined);
          if (column.has_fraction() && reads_.of(column.fraction().numerator()).readsColumn(c)) {
            continue;
          }
        }
        LINDERO_RETURN_IF_ERROR(reads_.visit(kDrawVisits * reads_.of(node).columns.size()));
        if (!readZeroing({t, c}, node)) object(", and does not set it to zero where a column is");
      }
    }
    return absl::OkStatus();
  }

  // y - s y up to sign, for a fixed column s.
  bool readZeroing(ColumnRef y, uint32_t node) {
    const PointValues value = context_.points.column(y.table, y.column, 0);
    for (auto [s, offset] : reads_.of(node).columns) {
      if (offset != 0 || context_.column({y.table, s}).phase() != 0) continue;
      const PointValues zero = value - value * context_.points.column(y.table, s, 0);
      if (!context_.points.at(node).isUpToSign(zero)) continue;
      zeroed_.insert({{y.table, y.column}, s});
      return true;
    }
    return false;
  }

  void useChallenges(uint32_t node, const std::string& who) {
    for (uint32_t challenge : reads_.of(node).challenges) {
      std::string& other = uses_[challenge].other;
      if (other.empty()) other = who;
    }
  }

  absl::Status readFractions() {
    for (uint32_t i = 0; i < reads_.fractions().size(); ++i) {
      const SingleFraction& single = fraction(i);
      const NodeReads& above = reads_.of(single.numerator);
      const NodeReads& below = reads_.of(single.denominator);
      LINDERO_RETURN_IF_ERROR(
          reads_.visit(above.columns.size() + above.challenges.size() + below.challenges.size()));
      useChallenges(single.numerator, context_.column(single.column).name());
      for (uint32_t challenge : below.challenges) uses_[challenge].fractions.push_back(i);
      for (auto [c, offset] : above.columns) {
        if (gathered_[single.column.table][c]) numerators_[single.column.table][c].push_back(i);
      }
    }
    return absl::OkStatus();
  }

  void readPublics() {
    public_.assign(circuit_.sum_groups_size(), false);
    exported_ = public_;
    for (const PublicTensor& tensor : circuit_.publics()) {
      public_[tensor.group()] = true;
      for (uint32_t challenge :
           {tensor.address_challenge(), tensor.row_challenge(), tensor.column_challenge()}) {
        std::string& other = uses_[challenge].other;
        if (other.empty()) other = tensor.name();
      }
    }
    for (int g = 0; g < circuit_.sum_groups_size(); ++g) {
      exported_[g] = circuit_.sum_groups(g).exported();
    }
  }

  // The columns for which `is` holds, and those whose generators read one of the columns.
  template <typename Is>
  Flags dependents(Is is) const {
    Flags flags;
    for (const std::vector<bool>& table : gathered_) flags.emplace_back(table.size(), false);
    for (int phase : {2, 3}) {
      for (const std::vector<ColumnRef>& level : context_.info.levels[phase]) {
        for (const ColumnRef& ref : level) {
          const Column& column = context_.column(ref);
          bool found = is(column);
          for (uint32_t node : generatorNodes(column)) {
            found = found || readsAny(ref.table, node, flags);
          }
          for (const GatherSource& source : column.gather().sources()) {
            found = found || flags[source.table()][source.column()];
          }
          flags[ref.table][ref.column] = found;
        }
      }
    }
    return flags;
  }

  bool readsAny(uint32_t t, uint32_t node, const Flags& flags, uint32_t except = UINT32_MAX) const {
    const NodeReads& reads = reads_.of(node);
    for (auto [c, offset] : reads.columns) {
      if (c != except && flags[t][c]) return true;
    }
    for (uint32_t claimed_sum : reads.claimed_sums) {
      const ColumnRef& running = context_.info.claimed_sum_columns[claimed_sum];
      if (flags[running.table][running.column]) return true;
    }
    return false;
  }

  // The columns that depend on the challenge.
  absl::StatusOr<const Flags*> over(uint32_t challenge) {
    auto [at, fresh] = over_challenge_.try_emplace(challenge);
    if (!fresh) return &at->second;
    uint64_t nodes = 0;
    at->second = dependents([&](const Column& column) {
      bool found = false;
      for (uint32_t node : generatorNodes(column)) {
        found = found || reads_.of(node).readsChallenge(challenge);
        nodes += reads_.of(node).columns.size() + 1;
      }
      nodes += column.gather().sources_size();
      return found;
    });
    LINDERO_RETURN_IF_ERROR(reads_.visit(nodes));
    return &at->second;
  }

  // With another value of a column at offset 0, or of two.
  absl::StatusOr<PointValues> with(uint32_t node, uint32_t column, const PointValues& value,
                                   std::optional<uint32_t> zero = std::nullopt) {
    const Cone cone = reads_.cone(node);
    LINDERO_RETURN_IF_ERROR(reads_.visit(cone.steps.size()));
    const PointValues none;
    return context_.points.evaluate(cone, [&](const Node& n) {
      const bool own = n.op() == Node::COLUMN && n.offset() == 0;
      if (own && n.b() == column) return &value;
      return own && zero.has_value() && n.b() == *zero ? &none : nullptr;
    });
  }

  // Is the denominator c - a or a - c, for this challenge c and a over fixed columns?
  absl::StatusOr<bool> isPole(uint32_t denominator, uint32_t challenge) {
    auto [at, fresh] = pole_.try_emplace(denominator, false);
    if (!fresh) return at->second;
    const NodeReads& reads = reads_.of(denominator);
    if (reads.challenges != std::vector<uint32_t>{challenge} || !reads.inverted.empty() ||
        !reads.claimed_sums.empty() || reads.selector ||
        context_.info.nodes[denominator].phase != 0) {
      return false;
    }
    const Cone cone = reads_.cone(denominator);
    LINDERO_RETURN_IF_ERROR(reads_.visit(cone.steps.size()));
    const PointValues none;
    const PointValues rest =
        context_.points.evaluate(cone, [&](const Node& n) -> const PointValues* {
          return n.op() == Node::CHALLENGE ? &none : nullptr;
        });
    at->second =
        (context_.points.at(denominator) - rest).isUpToSign(context_.points.challenge(challenge));
    return at->second;
  }

  // R3.
  absl::StatusOr<Binding> checkBinding(ColumnRef y) {
    const FieldPath field = context_.field(y);
    const uint32_t phase = context_.column(y).phase();
    std::vector<uint32_t> binding;
    for (uint32_t i : numerators_[y.table][y.column]) {
      if (context_.info.nodes[fraction(i).denominator].challenge_phase >= phase) {
        binding.push_back(i);
      }
    }
    if (binding.size() != 1) {
      return field.reject("R3: ", binding.size(),
                          " fractions under a challenge drawn after it read it, and not one");
    }
    const SingleFraction& single = fraction(binding[0]);
    const std::string name = context_.column(single.column).name();
    const NodeReads& below = reads_.of(single.denominator);
    const uint32_t challenge = below.challenges.front();
    LINDERO_ASSIGN_OR_RETURN(const bool pole, isPole(single.denominator, challenge));
    if (!pole || context_.challengePhase(challenge) < phase) {
      return field.reject("R3: the denominator of \"", name,
                          "\" under it is not c - a, for one challenge c and fixed columns");
    }
    Binding result{y, binding[0], std::nullopt};
    LINDERO_RETURN_IF_ERROR(checkNumerator(result, name));
    LINDERO_ASSIGN_OR_RETURN(const Flags* over, this->over(challenge));
    if (readsAny(y.table, single.numerator, *over)) {
      return field.reject("R3: \"", name, "\" sums what depends on the challenge that binds it");
    }
    LINDERO_ASSIGN_OR_RETURN(const int64_t group, groupOf(single.column));
    if (group < 0) {
      return field.reject("R3: \"", name, "\" is not what one running column adds, alone and once");
    }
    if (exported_[group] || public_[group]) {
      return field.reject("R3: the sum group of \"", name,
                          exported_[group] ? "\" is exported" : "\" has a public tensor");
    }
    LINDERO_RETURN_IF_ERROR(checkChallenge(field, challenge));
    return result;
  }

  // s y + rest, without other gathered columns; sets the selector.
  absl::Status checkNumerator(Binding& binding, const std::string& name) {
    const ColumnRef y = binding.column;
    const uint32_t numerator = fraction(binding.fraction).numerator;
    LINDERO_ASSIGN_OR_RETURN(const PointValues rest, with(numerator, y.column, PointValues()));
    const PointValues term = context_.points.at(numerator) - rest;
    const PointValues value = context_.points.column(y.table, y.column, 0);
    bool found = term.isUpToSign(value);
    LINDERO_RETURN_IF_ERROR(reads_.visit(kDrawVisits * reads_.of(numerator).columns.size()));
    for (auto [s, offset] : reads_.of(numerator).columns) {
      if (found) break;
      if (offset != 0 || context_.column({y.table, s}).phase() != 0) continue;
      found = term.isUpToSign(value * context_.points.column(y.table, s, 0));
      if (found) binding.selector = s;
    }
    if (!found) {
      return context_.field(y).reject("R3: the numerator of \"", name,
                                      "\" is not s y + rest, for one fixed column s or 1");
    }
    if (readsAny(y.table, numerator, over_gathered_, y.column)) {
      return context_.field(y).reject("R3: \"", name,
                                      "\" sums another gathered column, or what depends on one");
    }
    return absl::OkStatus();
  }

  // The sum group in which a fraction column is summed, or -1: not in one alone.
  absl::StatusOr<int64_t> groupOf(ColumnRef ref) {
    const Column& column = context_.column(ref);
    if (column.fraction().running()) {
      return circuit_.claimed_sums(static_cast<int>(column.fraction().claimed_sum())).group();
    }
    const Reader& reader = readers_[ref.table][ref.column];
    if (reader.count != 1 || !reader.adds_to_running) return -1;
    const Fraction& running = context_.column(reader.last).fraction();
    if (reads_.of(running.add()).readsOtherRows(ref.column)) return -1;
    LINDERO_ASSIGN_OR_RETURN(const PointValues rest,
                             with(running.add(), ref.column, PointValues()));
    const PointValues value = context_.points.column(ref.table, ref.column, 0);
    if (context_.points.at(running.add()) - rest != value) return -1;
    return circuit_.claimed_sums(static_cast<int>(running.claimed_sum())).group();
  }

  // What reads a challenge that binds is a pole, and summed once.
  absl::Status checkChallenge(const FieldPath& field, uint32_t challenge) {
    auto [at, fresh] = binds_.insert(challenge);
    if (!fresh) return absl::OkStatus();
    const ChallengeUses& uses = uses_[challenge];
    const std::string name = circuit_.challenges(static_cast<int>(challenge)).name();
    if (!uses.other.empty()) {
      return field.reject("R3: the challenge \"", name, "\" that binds it is read by \"",
                          uses.other, "\" as well, and not as a denominator");
    }
    for (uint32_t i : uses.fractions) {
      const ColumnRef column = fraction(i).column;
      LINDERO_ASSIGN_OR_RETURN(const bool pole, isPole(fraction(i).denominator, challenge));
      const std::string who =
          absl::StrCat(context_.table(column.table).name(), ".", context_.column(column).name());
      if (!pole) {
        return field.reject("R3: the challenge \"", name,
                            "\" that binds it is in a denominator of ", "\"", who,
                            "\" that is not c - a over fixed columns");
      }
      if (!summed_.insert({column.table, column.column}).second) continue;
      LINDERO_ASSIGN_OR_RETURN(const int64_t group, groupOf(column));
      if (group < 0) {
        return field.reject("R3: \"", who, "\" under the challenge \"", name,
                            "\" that binds it is not what one running column adds, alone and once");
      }
    }
    return absl::OkStatus();
  }

  // R4.
  absl::Status checkUnbound(const Binding& binding) {
    const ColumnRef y = binding.column;
    if (!binding.selector.has_value()) return absl::OkStatus();
    if (zeroed_.contains({{y.table, y.column}, *binding.selector})) return absl::OkStatus();
    for (uint32_t i : numerators_[y.table][y.column]) {
      if (i == binding.fraction) continue;
      const uint32_t numerator = fraction(i).numerator;
      const PointValues value = context_.points.column(y.table, y.column, 0);
      LINDERO_ASSIGN_OR_RETURN(const PointValues one,
                               with(numerator, y.column, value, binding.selector));
      LINDERO_ASSIGN_OR_RETURN(const PointValues other,
                               with(numerator, y.column, PointValues(), binding.selector));
      if (one == other) continue;
      return context_.field(y).reject(
          "R4: it is free where \"", context_.column({y.table, *binding.selector}).name(),
          "\" is 0, and \"", context_.column(fraction(i).column).name(), "\" sums it there");
    }
    return absl::OkStatus();
  }

  const RuleContext& context_;
  const Circuit& circuit_;
  CircuitReads& reads_;
  Objections objections_;
  Flags gathered_;
  std::vector<std::vector<Reader>> readers_;
  std::vector<std::vector<std::vector<uint32_t>>> numerators_;  // fractions that read the column
  std::set<std::pair<std::pair<uint32_t, uint32_t>, uint32_t>> zeroed_;  // y - s y: y, then s
  std::map<uint32_t, ChallengeUses> uses_;
  std::vector<bool> public_, exported_;  // sum groups
  Flags over_gathered_;
  std::map<uint32_t, Flags> over_challenge_;
  std::map<uint32_t, bool> pole_;  // by denominator
  std::set<uint32_t> binds_;       // challenges that checkChallenge has seen
  std::set<std::pair<uint32_t, uint32_t>> summed_;
};

}  // namespace

absl::Status checkGatheredColumns(const RuleContext& context) {
  return GatheredColumns(context).check();
}

}  // namespace lindero::runtime
