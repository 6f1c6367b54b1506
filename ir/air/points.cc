#include "ir/air/points.h"

#include <openssl/evp.h>

#include "ir/air/analysis.h"
#include "ir/core/field.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/ErrorHandling.h"

namespace lindero::ir::air {
namespace {

// A uniform residue: 31 bits of the hash, the next ones if they are p.
uint32_t residueOf(const std::string& bytes) {
  unsigned char digest[32];
  if (!EVP_Digest(bytes.data(), bytes.size(), digest, nullptr, EVP_sha256(), nullptr)) {
    llvm::report_fatal_error("SHA-256 is not available in this build of OpenSSL");
  }
  for (size_t i = 0; i + 4 <= sizeof(digest); i += 4) {
    const uint32_t v = llvm::support::endian::read32le(digest + i) & 0x7fffffff;
    if (v != kFieldModulus) return v;
  }
  return 0;
}

void append(std::string& bytes, uint32_t v) {
  char word[4];
  llvm::support::endian::write32le(word, v);
  bytes.append(word, sizeof(word));
}

}  // namespace

uint32_t addResidues(uint32_t a, uint32_t b) { return residue(int64_t{a} + b); }
uint32_t subtractResidues(uint32_t a, uint32_t b) { return residue(int64_t{a} - b); }
uint32_t multiplyResidues(uint32_t a, uint32_t b) { return residue(int64_t{a} * b); }

uint32_t inverseResidue(uint32_t a) {  // a^(p-2)
  uint32_t result = 1;
  for (int64_t e = kFieldModulus - 2; e; e >>= 1) {
    if (e & 1) result = multiplyResidues(result, a);
    a = multiplyResidues(a, a);
  }
  return result;
}

std::optional<Variable> variableOf(const Op& op) {
  if (isColumn(op)) return Variable::column(op.result());
  if (op.is("air.shift")) return Variable::column(op.operand(0), op.intAttr("offset"));
  if (op.is("air.challenge")) return Variable::challenge(op.result());
  if (op.is("air.first")) return Variable{op.parent(), 0, Variable::kFirst};
  if (op.is("air.last")) return Variable{op.parent(), 0, Variable::kLast};
  return std::nullopt;
}

uint32_t PointSource::value(int point, const Variable& variable) {
  const uint32_t number =
      numbers_.try_emplace(variable, static_cast<uint32_t>(numbers_.size())).first->second;
  auto [it, made] = values_.try_emplace(uint64_t(point) << 32 | number);
  if (made) {
    std::string bytes = seed_;
    append(bytes, static_cast<uint32_t>(point));
    append(bytes, number);
    it->second = residueOf(bytes);
  }
  return it->second;
}

Point Point::with(const Variable& variable, uint32_t value) const {
  Point other(*source_, number_);
  other.given_ = given_;
  other.given_[variable] = value;
  return other;
}

uint32_t Point::at(const Variable& variable) const {
  auto it = given_.find(variable);
  return it == given_.end() ? source_->value(number_, variable) : it->second;
}

std::optional<uint32_t> Point::evaluate(const Value* value) {
  // Depth first without recursion: expressions may be long sums.
  llvm::SmallVector<const Value*, 32> stack{value};
  while (!stack.empty()) {
    const Value* v = stack.back();
    if (memo_.count(v)) {
      stack.pop_back();
      continue;
    }
    if (v->definingOp() == nullptr) return std::nullopt;  // an argument, which no circuit has
    const Op& op = *v->definingOp();
    if (std::optional<Variable> variable = variableOf(op)) {
      memo_[v] = at(*variable);
      continue;
    }
    bool ready = true;
    for (const Value* operand : op.operands()) {
      if (memo_.count(operand)) continue;
      stack.push_back(operand);
      ready = false;
    }
    if (!ready) continue;
    auto operand = [&](unsigned i) { return memo_.lookup(op.operand(i)); };
    uint32_t result = 0;
    if (op.is("air.constant")) {
      result = residue(op.intAttr("value"));
    } else if (op.is("air.add")) {
      result = addResidues(operand(0), operand(1));
    } else if (op.is("air.sub")) {
      result = subtractResidues(operand(0), operand(1));
    } else if (op.is("air.mul")) {
      result = multiplyResidues(operand(0), operand(1));
    } else if (op.is("air.neg")) {
      result = subtractResidues(0, operand(0));
    } else if (op.is("air.inverse") && operand(0) != 0) {
      result = inverseResidue(operand(0));
    } else {
      return std::nullopt;
    }
    memo_[v] = result;
  }
  return memo_.lookup(value);
}

}  // namespace lindero::ir::air
