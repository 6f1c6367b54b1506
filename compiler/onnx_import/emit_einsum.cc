// ONNX Einsum: operands are joined one by one, each time by a product over the letters that nothing
// needs any more.

#include <algorithm>
#include <cctype>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using Ints = std::vector<int64_t>;

// Axes are named by letters. Those of an ellipsis have numbers of their own, of which the last is
// the same in every term: they line up at the end, as axes that broadcast do.
constexpr int kEllipsis = 1000;
constexpr int64_t kMostRank = 64;
using Letters = std::vector<int>;

bool has(const Letters& letters, int letter) { return llvm::is_contained(letters, letter); }

struct Term {
  Value* value;
  Letters letters;  // of its axes; each once
};

// The letters of a term with `rank` axes; of the result, whose ellipsis has `ellipsis` axes, if
// rank is -1.
absl::StatusOr<Letters> parseTerm(llvm::StringRef text, int64_t rank, int64_t ellipsis) {
  Letters letters;
  const size_t dots = text.find("...");
  const int64_t named = int64_t(text.size()) - (dots == llvm::StringRef::npos ? 0 : 3);
  if (rank >= 0) ellipsis = rank - named;
  if (ellipsis < 0 || ellipsis > kMostRank ||
      (dots == llvm::StringRef::npos && rank >= 0 && ellipsis != 0))
    return absl::InvalidArgumentError(
        absl::StrCat("term '", text.str(), "' is for another rank than ", rank));
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == dots) {
      for (int64_t k = kMostRank - ellipsis; k < kMostRank; ++k)
        letters.push_back(kEllipsis + static_cast<int>(k));
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(text[i]))) {
      letters.push_back(text[i]);
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("its equation has a '", text.substr(i, 1).str(), "'"));
    }
  }
  return letters;
}

class Einsum {
 public:
  explicit Einsum(NodeEmitter& e) : e_(e) {}

  absl::Status emit() {
    IR_RETURN_IF_ERROR(parse());
    for (Term& term : terms_) IR_RETURN_IF_ERROR(takeDiagonals(term));
    Term result = terms_[0];
    for (size_t i = 1; i < terms_.size(); ++i) {
      Letters needed = result_;
      for (size_t k = i + 1; k < terms_.size(); ++k)
        needed.insert(needed.end(), terms_[k].letters.begin(), terms_[k].letters.end());
      IR_ASSIGN_OR_RETURN(result, join(result, terms_[i], needed));
    }
    IR_RETURN_IF_ERROR(sumAllBut(result, result_));
    IR_ASSIGN_OR_RETURN(Value * y, ordered(result, result_));
    e_.setOutput(0, y);
    return absl::OkStatus();
  }

 private:
  absl::Status parse() {
    const std::string equation = e_.stringAttr("equation", "");
    const std::vector<std::string> sides = absl::StrSplit(equation, "->");
    const std::vector<std::string> operands = absl::StrSplit(sides[0], ',');
    if (sides.size() > 2 || int64_t(operands.size()) != e_.numInputs())
      return absl::InvalidArgumentError("its equation is not for its operands");
    int64_t ellipsis = 0;
    for (int i = 0; i < e_.numInputs(); ++i) {
      if (e_.input(i)->type().element != ir::Element::kFloat)
        return absl::UnimplementedError("products of integers");
      IR_ASSIGN_OR_RETURN(Letters letters, parseTerm(operands[i], e_.rank(i), 0));
      ellipsis = std::max<int64_t>(
          ellipsis, llvm::count_if(letters, [](int letter) { return letter >= kEllipsis; }));
      for (size_t axis = 0; axis < letters.size(); ++axis)
        IR_RETURN_IF_ERROR(noteSize(letters[axis], e_.shape(i)[axis]));
      terms_.push_back({e_.input(i), std::move(letters)});
    }
    if (sides.size() == 1) {
      impliedResult(ellipsis);
      return absl::OkStatus();
    }
    IR_ASSIGN_OR_RETURN(result_, parseTerm(sides[1], -1, ellipsis));
    for (int letter : result_) {
      if (!sizes_.contains(letter) || llvm::count(result_, letter) != 1)
        return absl::InvalidArgumentError("its result has an axis twice, or one of no operand");
    }
    return absl::OkStatus();
  }

  // Sizes agree, but for one that broadcasts.
  absl::Status noteSize(int letter, int64_t size) {
    int64_t& noted = sizes_.try_emplace(letter, size).first->second;
    if (noted == 1) noted = size;
    if (noted == size || size == 1) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("axes of one letter have sizes ", noted, " and ", size));
  }

  // Without "->": the ellipsis, then the letters that appear once, by the alphabet.
  void impliedResult(int64_t ellipsis) {
    for (int64_t k = kMostRank - ellipsis; k < kMostRank; ++k)
      result_.push_back(kEllipsis + static_cast<int>(k));
    std::map<int, int> uses;
    for (const Term& term : terms_) {
      for (int letter : term.letters) ++uses[letter];
    }
    for (const auto& [letter, count] : uses) {
      if (count == 1 && letter < kEllipsis) result_.push_back(letter);
    }
  }

  // Letters twice in one term: the diagonal, of elements (n + 1) apart.
  absl::Status takeDiagonals(Term& term) {
    for (size_t i = 0; i < term.letters.size(); ++i) {
      for (size_t k = i + 1; k < term.letters.size(); ++k) {
        if (term.letters[k] != term.letters[i]) continue;
        const auto& shape = term.value->type().shape;
        const int64_t n = shape[i];
        if (shape[k] != n) return absl::InvalidArgumentError("a diagonal of unequal axes");
        Ints perm, kept, indices;
        for (int64_t axis = 0; axis < int64_t(shape.size()); ++axis) {
          if (axis == int64_t(i) || axis == int64_t(k)) continue;
          perm.push_back(axis);
          kept.push_back(shape[axis]);
        }
        perm.insert(perm.end(), {int64_t(i), int64_t(k)});
        for (int64_t at = 0; at < n; ++at) indices.push_back(at * (n + 1));
        kept.push_back(n * n);
        IR_ASSIGN_OR_RETURN(term.value, e_.transpose(term.value, perm));
        IR_ASSIGN_OR_RETURN(term.value, e_.reshape(term.value, kept));
        IR_ASSIGN_OR_RETURN(
            term.value, e_.gather(term.value, int64_t(kept.size()) - 1, {n}, std::move(indices)));
        const int letter = term.letters[i];
        term.letters.erase(term.letters.begin() + int64_t(k));
        term.letters.erase(term.letters.begin() + int64_t(i));
        term.letters.push_back(letter);
        return takeDiagonals(term);
      }
    }
    return absl::OkStatus();
  }

  absl::Status sumAllBut(Term& term, const Letters& needed) {
    Ints axes;
    Letters left;
    for (size_t axis = 0; axis < term.letters.size(); ++axis) {
      if (has(needed, term.letters[axis])) {
        left.push_back(term.letters[axis]);
      } else {
        axes.push_back(int64_t(axis));
      }
    }
    if (axes.empty()) return absl::OkStatus();
    term.letters = left;
    IR_ASSIGN_OR_RETURN(term.value, e_.emit("tensor.reduce_sum", {term.value},
                                            {{"axes", axes}, {"keepdims", false}}));
    return absl::OkStatus();
  }

  // The term's axes in that order, those that it lacks with size 1.
  absl::StatusOr<Value*> ordered(const Term& term, const Letters& order) {
    Ints perm, shape;
    for (int letter : order) {
      const auto found = llvm::find(term.letters, letter);
      if (found == term.letters.end()) {
        shape.push_back(1);
        continue;
      }
      perm.push_back(found - term.letters.begin());
      shape.push_back(term.value->type().shape[perm.back()]);
    }
    IR_ASSIGN_OR_RETURN(Value * value, e_.transpose(term.value, perm));
    return e_.reshape(value, shape);
  }

  int64_t sizeOf(const Letters& letters) {
    int64_t product = 1;
    for (int letter : letters) product *= sizes_[letter];
    return product;
  }

  Ints sizesOf(const Letters& letters) {
    Ints list;
    for (int letter : letters) list.push_back(sizes_[letter]);
    return list;
  }

  absl::StatusOr<Term> join(Term a, Term b, const Letters& needed) {
    for (auto [term, other] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
      Letters kept = needed;
      kept.insert(kept.end(), other->letters.begin(), other->letters.end());
      IR_RETURN_IF_ERROR(sumAllBut(*term, kept));
    }
    Letters batch, summed, left, right;
    for (int letter : a.letters) {
      (!has(b.letters, letter) ? left : has(needed, letter) ? batch : summed).push_back(letter);
    }
    for (int letter : b.letters) {
      if (!has(a.letters, letter)) right.push_back(letter);
    }
    Letters all = batch;
    all.insert(all.end(), left.begin(), left.end());
    all.insert(all.end(), right.begin(), right.end());
    IR_RETURN_IF_ERROR(checkNewElements(sizesOf(all)));
    if (summed.empty()) {
      IR_ASSIGN_OR_RETURN(Value * x, ordered(a, all));
      IR_ASSIGN_OR_RETURN(Value * y, ordered(b, all));
      IR_ASSIGN_OR_RETURN(Value * product, e_.emit("tensor.mul", {x, y}));
      return Term{product, all};
    }
    IR_ASSIGN_OR_RETURN(Value * x, matrices(a, batch, left, summed));
    IR_ASSIGN_OR_RETURN(Value * y, matrices(b, batch, summed, right));
    IR_ASSIGN_OR_RETURN(Value * product, e_.emit("tensor.matmul", {x, y}));
    // A batch axis has size 1 if both operands' have.
    IR_ASSIGN_OR_RETURN(product, e_.reshape(product, sizesOf(all)));
    return Term{product, all};
  }

  // [batch..., rows, columns], of axes with their full sizes.
  absl::StatusOr<Value*> matrices(const Term& term, const Letters& batch, const Letters& rows,
                                  const Letters& columns) {
    Letters order = batch;
    order.insert(order.end(), rows.begin(), rows.end());
    order.insert(order.end(), columns.begin(), columns.end());
    IR_ASSIGN_OR_RETURN(Value * value, ordered(term, order));
    const Ints full = sizesOf(order);
    IR_RETURN_IF_ERROR(checkNewElements(full));
    if (llvm::ArrayRef<int64_t>(value->type().shape) != llvm::ArrayRef<int64_t>(full)) {
      IR_ASSIGN_OR_RETURN(value, e_.emit("tensor.expand", {value}, {{"shape", full}}));
    }
    Ints shape = sizesOf(batch);
    shape.insert(shape.end(), {sizeOf(rows), sizeOf(columns)});
    return e_.reshape(value, shape);
  }

  NodeEmitter& e_;
  std::vector<Term> terms_;
  Letters result_;
  std::map<int, int64_t> sizes_;  // by letter
};

absl::Status einsum(NodeEmitter& e, llvm::StringRef) { return Einsum(e).emit(); }

constexpr NamedEmitter kEmitters[] = {{"Einsum", einsum}};

}  // namespace

llvm::ArrayRef<NamedEmitter> einsumEmitters() { return kEmitters; }

}  // namespace lindero::compiler
