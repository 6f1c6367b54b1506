#include "runtime/tamper/adaptive/derivatives.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "runtime/field/m31.h"

namespace lindero::runtime {
namespace {

std::optional<Leaf> leafOf(const Node& node) {
  switch (node.op()) {
    case Node::COLUMN:
      return Leaf{Leaf::Kind::kColumn, node.b(), node.offset()};
    case Node::CLAIMED_SUM:
      return Leaf{Leaf::Kind::kClaimedSum, node.a(), 0};
    case Node::CHALLENGE:
      return Leaf{Leaf::Kind::kChallenge, node.a(), 0};
    default:
      return std::nullopt;
  }
}

bool isUnary(Node::Op op) { return op == Node::NEG || op == Node::INVERSE; }

}  // namespace

Derivatives::Derivatives(const Circuit& circuit, const CircuitInfo& info)
    : circuit_(circuit), info_(info) {
  for (int i = 0; i < circuit.nodes_size(); ++i) {
    const Node& n = circuit.nodes(i);
    known_.try_emplace({static_cast<int>(n.op()), n.a(), n.b(), n.offset()},
                       static_cast<uint32_t>(i));
  }
}

uint32_t Derivatives::make(Node::Op op, uint32_t a, uint32_t b) {
  const uint32_t next = static_cast<uint32_t>(circuit_.nodes_size());
  auto [it, fresh] = known_.try_emplace({static_cast<int>(op), a, b, 0}, next);
  if (!fresh) return it->second;
  Node* made = circuit_.add_nodes();
  made->set_op(op);
  made->set_a(a);
  made->set_b(b);
  NodeInfo info;
  if (op != Node::CONSTANT) {
    const NodeInfo& x = info_.nodes[a];
    const NodeInfo& y = info_.nodes[isUnary(op) ? a : b];
    info.table = std::max(x.table, y.table);
    const unsigned degree =
        op == Node::MUL ? unsigned{x.degree} + y.degree : std::max(x.degree, y.degree);
    info.degree = static_cast<uint8_t>(std::min(255u, degree));
    info.phase = std::max(x.phase, y.phase);
    info.challenge_phase = std::max(x.challenge_phase, y.challenge_phase);
    info.claimed_sum_phase = std::max(x.claimed_sum_phase, y.claimed_sum_phase);
    info.extension = x.extension || y.extension;
    info.row_independent = x.row_independent && y.row_independent;
  }
  info_.nodes.push_back(info);
  return next;
}

bool Derivatives::isConstant(uint32_t index, uint32_t value) const {
  return node(index).op() == Node::CONSTANT && node(index).a() == value;
}

uint32_t Derivatives::constant(uint32_t value) { return make(Node::CONSTANT, value, 0); }

uint32_t Derivatives::add(uint32_t a, uint32_t b) {
  if (isConstant(a, 0)) return b;
  if (isConstant(b, 0)) return a;
  if (node(a).op() == Node::CONSTANT && node(b).op() == Node::CONSTANT) {
    return constant((M31::fromCanonical(node(a).a()) + M31::fromCanonical(node(b).a())).value());
  }
  return make(Node::ADD, a, b);
}

uint32_t Derivatives::multiply(uint32_t a, uint32_t b) {
  if (isConstant(a, 0) || isConstant(b, 0)) return constant(0);
  if (isConstant(a, 1)) return b;
  if (isConstant(b, 1)) return a;
  return make(Node::MUL, a, b);
}

uint32_t Derivatives::negate(uint32_t a) {
  if (node(a).op() == Node::CONSTANT) {
    return constant((-M31::fromCanonical(node(a).a())).value());
  }
  return node(a).op() == Node::NEG ? node(a).a() : make(Node::NEG, a, 0);
}

std::vector<uint32_t> Derivatives::cone(uint32_t root) const {
  std::unordered_set<uint32_t> seen{root};
  std::vector<uint32_t> nodes{root};
  auto visit = [&](uint32_t operand) {
    if (seen.insert(operand).second) nodes.push_back(operand);
  };
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& n = node(nodes[i]);
    if (n.op() < Node::ADD) continue;
    visit(n.a());
    if (!isUnary(n.op())) visit(n.b());
  }
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

std::vector<Leaf> Derivatives::leaves(uint32_t root) const {
  std::vector<Leaf> result;
  for (uint32_t index : cone(root)) {
    if (auto leaf = leafOf(node(index))) result.push_back(*leaf);
  }
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

bool Derivatives::reads(uint32_t root, const Leaf& leaf) const {
  const std::vector<Leaf> all = leaves(root);
  return std::binary_search(all.begin(), all.end(), leaf);
}

std::map<Leaf, uint32_t> Derivatives::of(uint32_t root,
                                         absl::FunctionRef<bool(const Leaf&)> wanted) {
  const std::vector<uint32_t> nodes = cone(root);
  std::map<uint32_t, uint32_t> adjoints;  // of nodes that depend on a wanted leaf; 0: none yet
  constexpr uint32_t kNone = ~uint32_t{0};
  for (uint32_t index : nodes) {
    const Node& n = node(index);
    const auto leaf = leafOf(n);
    bool live = leaf && wanted(*leaf);
    if (n.op() >= Node::ADD) {
      live = adjoints.contains(n.a()) || (!isUnary(n.op()) && adjoints.contains(n.b()));
    }
    if (live) adjoints.emplace(index, kNone);
  }
  std::map<Leaf, uint32_t> result;
  if (!adjoints.contains(root)) return result;
  adjoints[root] = constant(1);
  auto pass = [&](uint32_t operand, uint32_t value) {
    auto it = adjoints.find(operand);
    if (it == adjoints.end() || isConstant(value, 0)) return;
    it->second = it->second == kNone ? value : add(it->second, value);
  };
  for (auto at = nodes.rbegin(); at != nodes.rend(); ++at) {
    auto it = adjoints.find(*at);
    if (it == adjoints.end() || it->second == kNone) continue;
    const uint32_t g = it->second;
    const Node n = node(*at);  // a copy: nodes are added
    switch (n.op()) {
      case Node::ADD:
      case Node::SUB:
        pass(n.a(), g);
        pass(n.b(), n.op() == Node::ADD ? g : negate(g));
        break;
      case Node::MUL:
        if (adjoints.contains(n.a())) pass(n.a(), multiply(g, n.b()));
        if (adjoints.contains(n.b())) pass(n.b(), multiply(g, n.a()));
        break;
      case Node::NEG:
        pass(n.a(), negate(g));
        break;
      case Node::INVERSE:
        pass(n.a(), negate(multiply(g, multiply(*at, *at))));
        break;
      default: {
        const Leaf leaf = *leafOf(n);
        auto [place, fresh] = result.try_emplace(leaf, g);
        if (!fresh) place->second = add(place->second, g);
      }
    }
  }
  std::erase_if(result, [&](const auto& entry) { return isConstant(entry.second, 0); });
  return result;
}

}  // namespace lindero::runtime
