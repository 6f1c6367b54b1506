#include "passes/lower_air/verify_intervals/forms.h"

#include "ir/air/analysis.h"

namespace lindero::passes {
namespace {

Weight productOf(const Weight& a, const Weight& b) {
  Weight out;
  size_t i = 0, j = 0;
  auto key = [](const Factor& f) { return std::pair(f.challenge, f.lane); };
  while (i < a.size() || j < b.size()) {
    if (j == b.size() || (i < a.size() && key(a[i]) < key(b[j]))) {
      out.push_back(a[i++]);
    } else if (i == a.size() || key(b[j]) < key(a[i])) {
      out.push_back(b[j++]);
    } else {
      Factor f = a[i++];
      f.exponent += b[j++].exponent;
      if (f.exponent != 0) out.push_back(f);
    }
  }
  return out;
}

void addTo(Form& sum, const Form& form, int64_t factor) {
  for (const auto& [weight, p] : form) {
    Polynomial& to = sum[weight];
    addTo(to, p, factor);
    if (to.empty()) sum.erase(weight);
  }
}

Form productOf(const Form& a, const Form& b) {
  Form out;
  for (const auto& [wa, pa] : a) {
    for (const auto& [wb, pb] : b) {
      Weight w = productOf(wa, wb);
      Polynomial& to = out[w];
      addTo(to, product(pa, pb));
      if (to.empty()) out.erase(w);
    }
  }
  return out;
}

Polynomial number(int64_t v) {
  v = symmetric(v);
  return v ? Polynomial{{{}, v}} : Polynomial{};
}

int64_t inverseOf(int64_t v) {  // v^(p-2)
  __int128 result = 1, base = v;
  for (int64_t e = kFieldModulus - 2; e; e >>= 1) {
    if (e & 1) result = symmetric(result * base);
    base = symmetric(base * base);
  }
  return symmetric(result);
}

}  // namespace

void addTo(Polynomial& sum, const Polynomial& p, int64_t factor) {
  for (const auto& [monomial, c] : p) {
    int64_t& to = sum[monomial];
    to = symmetric(__int128(c) * factor + to);
    if (to == 0) sum.erase(monomial);
  }
}

Polynomial product(const Polynomial& a, const Polynomial& b) {
  Polynomial out;
  for (const auto& [ma, ca] : a) {
    for (const auto& [mb, cb] : b) {
      Monomial m = ma;
      m.insert(m.end(), mb.begin(), mb.end());
      std::sort(m.begin(), m.end());
      int64_t& to = out[m];
      to = symmetric(__int128(ca) * cb + to);
      if (to == 0) out.erase(m);
    }
  }
  return out;
}

int64_t coefficient(const Polynomial& p, const Monomial& monomial) {
  auto it = p.find(monomial);
  return it == p.end() ? 0 : it->second;
}

bool isLinear(const Polynomial& p) {
  for (const auto& [monomial, c] : p) {
    if (monomial.size() > 1) return false;
  }
  return true;
}

const Polynomial* plain(const Form& form) {
  static const Polynomial zero;
  if (form.empty()) return &zero;
  return form.size() == 1 && form.begin()->first.empty() ? &form.begin()->second : nullptr;
}

// Of a single weight: the negative exponents. Of challenge - lane: a factor of its own. Anything
// else stands for itself.
Form FormEvaluator::inverse(ir::Value* value, const Form& form) const {
  if (form.size() == 1) {
    const auto& [weight, p] = *form.begin();
    if (p.size() == 1 && p.begin()->first.empty()) {
      Weight w = weight;
      for (Factor& f : w) f.exponent = -f.exponent;
      return {{w, number(inverseOf(p.begin()->second))}};
    }
  }
  if (form.size() == 2) {
    const auto& [none, shift] = *form.begin();
    const auto& [weight, one] = *std::next(form.begin());
    if (none.empty() && weight.size() == 1 && weight[0].exponent == 1 && weight[0].lane == 0 &&
        one == number(1) && shift.size() == 1 && shift.begin()->first.empty()) {
      return {{{{weight[0].challenge, -shift.begin()->second, -1}}, number(1)}};
    }
  }
  return {{{{value, 0, 1}}, number(1)}};
}

// The form of an operand. A value with one use is read once: keeping it would hold each prefix of a
// long sum.
Form FormEvaluator::take(ir::Value* operand, Memo& memo) const {
  if (!operand->hasOneUse()) return memo[operand];
  return std::move(memo.extract(operand).mapped());
}

bool FormEvaluator::step(ir::Value* value, Memo& memo, ReadCell cell, Form& out) {
  ir::Op* op = value->definingOp();
  if (ir::air::isColumn(*op)) {
    Polynomial p = cell(value, false);
    if (!p.empty()) out[{}] = std::move(p);
  } else if (op->is("air.shift")) {
    int64_t offset = op->intAttr("offset");
    if (offset == 1) return false;
    Polynomial p = cell(op->operand(0), offset == -1);
    if (!p.empty()) out[{}] = std::move(p);
  } else if (op->is("air.constant")) {
    Polynomial p = number(op->intAttr("value"));
    if (!p.empty()) out[{}] = std::move(p);
  } else if (op->is("air.challenge")) {
    out[{{value, 0, 1}}] = number(1);
  } else if (op->is("air.add") || op->is("air.sub")) {
    out = take(op->operand(0), memo);
    addTo(out, take(op->operand(1), memo), op->is("air.add") ? 1 : -1);
  } else if (op->is("air.neg")) {
    addTo(out, take(op->operand(0), memo), -1);
  } else if (op->is("air.mul")) {
    out = productOf(take(op->operand(0), memo), take(op->operand(1), memo));
  } else if (op->is("air.inverse")) {
    out = inverse(value, take(op->operand(0), memo));
  } else {
    return false;  // air.first, air.last
  }
  return true;
}

const Form* FormEvaluator::evaluate(ir::Value* value, Memo& memo, ReadCell cell) {
  llvm::SmallVector<ir::Value*, 32> stack{value};
  while (!stack.empty()) {
    ir::Value* v = stack.back();
    if (memo.count(v)) {
      stack.pop_back();
      continue;
    }
    bool ready = true;
    ir::Op* op = v->definingOp();
    if (!ir::air::isColumn(*op) && !op->is("air.shift")) {
      for (ir::Value* operand : op->operands()) {
        if (memo.count(operand)) continue;
        stack.push_back(operand);
        ready = false;
      }
    }
    if (!ready) continue;
    Form form;
    if (!step(v, memo, cell, form)) return nullptr;
    memo[v] = std::move(form);
    stack.pop_back();
  }
  return &memo[value];
}

}  // namespace lindero::passes
