#include "ir/air/points.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "ir/air/analysis.h"
#include "ir/air/walk.h"
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
  if (op.is("air.first")) return Variable::first(op.parent());
  if (op.is("air.last")) return Variable::last(op.parent());
  return std::nullopt;
}

TotalDegree TotalDegree::plus(const TotalDegree& other) const {
  return {std::min(std::max(above + other.below, other.above + below), kMaxTotalDegree + 1),
          std::min(below + other.below, kMaxTotalDegree + 1)};
}

TotalDegree TotalDegree::times(const TotalDegree& other) const {
  return {std::min(above + other.above, kMaxTotalDegree + 1),
          std::min(below + other.below, kMaxTotalDegree + 1)};
}

const TotalDegree& TotalDegrees::of(const Value* expression) {
  auto is_known = [&](const Value* v) { return degrees_.count(v) > 0; };
  walkOperandsFirst(expression, is_known, [&](const Value* v) {
    TotalDegree degree;
    if (isLeaf(v)) {
      if (!v->definingOp() || variableOf(*v->definingOp())) degree.above = 1;
    } else {
      const Op& op = *v->definingOp();
      degree = degrees_.lookup(op.operand(0));
      if (op.is("air.add") || op.is("air.sub")) {
        degree = degree.plus(degrees_.lookup(op.operand(1)));
      } else if (op.is("air.mul")) {
        degree = degree.times(degrees_.lookup(op.operand(1)));
      } else if (op.is("air.inverse")) {
        std::swap(degree.above, degree.below);
      }
    }
    degrees_[v] = degree;
    return true;
  });
  return degrees_[expression];
}

TotalDegree TotalDegrees::ofOp(const Op& op) {
  auto read = [&](unsigned i) { return of(op.operand(i)); };
  constexpr TotalDegree kColumn{.above = 1};
  if (op.is("air.expression")) return kColumn.plus(read(0));
  // The column at the row before, its factor, and a selector of the first row.
  if (op.is("air.scan")) return kColumn.times(kColumn).times(read(0)).plus(read(1));
  if (op.is("air.fraction")) {
    TotalDegree step = kColumn;
    // A claimed sum, with a selector.
    if (op.boolAttr("running")) step = step.times(kColumn);
    if (op.numOperands() > 2) step = step.plus(read(2));
    return step.times(read(1)).plus(read(0));
  }
  TotalDegree highest;
  for (unsigned i = 0; i < op.numOperands(); ++i) {
    const TotalDegree degree = read(i);
    if (degree.above + degree.below > highest.above + highest.below) highest = degree;
  }
  return highest;
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
  auto is_known = [&](const Value* v) { return memo_.count(v) > 0; };
  const bool defined = walkOperandsFirst(value, is_known, [&](const Value* v) {
    if (!v->definingOp()) return false;  // an argument, which no circuit has
    const Op& op = *v->definingOp();
    auto operand = [&](unsigned i) { return memo_.lookup(op.operand(i)); };
    uint32_t result = 0;
    if (std::optional<Variable> variable = variableOf(op)) {
      result = at(*variable);
    } else if (op.is("air.constant")) {
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
      return false;
    }
    memo_[v] = result;
    return true;
  });
  if (!defined) return std::nullopt;
  return memo_.lookup(value);
}

}  // namespace lindero::ir::air
