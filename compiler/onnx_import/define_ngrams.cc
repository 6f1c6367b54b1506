#include "compiler/onnx_import/define_ngrams.h"

#include <map>

#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using Ints = FunctionText::Ints;

// Of comparisons with a token, and of products of them.
constexpr size_t kMostProducts = 4096;

struct Ngram {
  Ints tokens;
  int64_t place;  // in the result
  double weight;
};

struct Counting {
  std::vector<Ngram> ngrams;
  int64_t places = 0, rows = 1, length = 0, skips = 0;
  std::string mode;
};

// The pool has all 1-grams, then all 2-grams, and so on: counts say where each size begins.
absl::StatusOr<Counting> countingOf(const FunctionText& b) {
  Counting c;
  c.mode = b.stringAttr("mode", "");
  if (c.mode != "TF" && c.mode != "IDF" && c.mode != "TFIDF")
    return absl::InvalidArgumentError(absl::StrCat("mode is ", c.mode));
  if (b.rank(0) > 2) return absl::InvalidArgumentError("its input has more than two axes");
  if (b.rank(0) == 2) c.rows = b.shape(0)[0];
  c.length = b.rank(0) == 0 ? 1 : b.shape(0).back();
  c.skips = b.intAttr("max_skip_count", 0);
  const Ints pool = b.intsAttr("pool_int64s"), counts = b.intsAttr("ngram_counts"),
             indexes = b.intsAttr("ngram_indexes");
  const std::vector<double> weights = b.floatsAttr("weights");
  const int64_t least = b.intAttr("min_gram_length", 1), most = b.intAttr("max_gram_length", 1);
  if (!b.stringAttr("pool_strings", "").empty() || c.skips < 0 ||
      c.skips > kMostNewElements)  // runtimes add 1 in 64 bits
    return absl::InvalidArgumentError(
        "its pool is of strings, or its max_skip_count is negative or without any bound");
  for (size_t size = 1; size <= counts.size(); ++size) {
    const int64_t begin = counts[size - 1],
                  end = size < counts.size() ? counts[size] : int64_t(pool.size());
    if (begin < 0 || end < begin || end > int64_t(pool.size()) || (end - begin) % size != 0)
      return absl::InvalidArgumentError("its ngram_counts do not fit its pool");
    for (int64_t at = begin; at < end; at += int64_t(size)) {
      const size_t i = c.ngrams.size();
      if (i >= indexes.size() || indexes[i] < 0 || indexes[i] > kMostNewElements ||
          (!weights.empty() && i >= weights.size()))
        return absl::InvalidArgumentError("its ngram_indexes or weights do not fit its pool");
      c.ngrams.push_back({Ints(pool.begin() + at, pool.begin() + at + int64_t(size)), indexes[i],
                          weights.empty() ? 1 : weights[i]});
    }
  }
  for (int64_t index : indexes) c.places = std::max(c.places, index + 1);
  IR_RETURN_IF_ERROR(checkNewElements({c.rows, c.places}));
  c.skips = std::min(c.skips, c.length);  // of more, no n-gram has a start
  if (c.ngrams.size() * size_t(c.skips + 1) > kMostProducts || c.places > int64_t(kMostProducts))
    return absl::UnimplementedError("its pool, with all skips, is too large");
  llvm::erase_if(c.ngrams, [&](const Ngram& ngram) {
    const auto size = static_cast<int64_t>(ngram.tokens.size());
    return size < least || size > most;
  });
  return c;
}

// `token<v>` = 1 where the input is v, [rows, length].
void addTokens(FunctionText& b, const Counting& c, std::map<int64_t, std::string>& names) {
  b.ints("flat", {c.rows, c.length});
  b.add("tokens = Reshape (i0, flat)");
  for (const Ngram& ngram : c.ngrams) {
    for (int64_t token : ngram.tokens) {
      const auto [it, fresh] = names.try_emplace(token, absl::StrCat("token", names.size()));
      if (!fresh) continue;
      b.scalarInt(it->second + "_id", token);
      b.add(it->second, "_id_like = CastLike (", it->second, "_id, i0)");
      b.add(it->second, "_is = Equal (tokens, ", it->second, "_id_like)");
      b.add(it->second, " = Cast <to = 1> (", it->second, "_is)");
    }
  }
}

}  // namespace

absl::Status writeTfIdfVectorizer(FunctionText& b) {
  IR_ASSIGN_OR_RETURN(const Counting c, countingOf(b));
  std::map<int64_t, std::string> names;
  addTokens(b, c, names);
  b.ints("columns", {1});
  b.scalar("one", 1);
  std::vector<std::string> results(c.places, "none");
  b.ints("none_shape", {c.rows, 1});
  b.add("none = ConstantOfShape (none_shape)");
  for (size_t i = 0; i < c.ngrams.size(); ++i) {
    const Ngram& ngram = c.ngrams[i];
    const auto size = static_cast<int64_t>(ngram.tokens.size());
    std::string total;
    for (int64_t step = 1; step <= (size == 1 ? 1 : c.skips + 1); ++step) {
      const int64_t starts = c.length - step * (size - 1);
      if (starts < 1) break;
      std::string all;
      for (int64_t k = 0; k < size; ++k) {
        const std::string name = absl::StrCat("gram", i, "_", step, "_", k);
        b.columns(name + "_is", names[ngram.tokens[k]], k * step, starts);
        b.add(name, " = ", all.empty() ? "Identity (" : absl::StrCat("Mul (", all, ", "), name,
              "_is)");
        all = name;
      }
      const std::string sum = absl::StrCat("gram", i, "_", step);
      b.add(sum, "_here = ReduceSum (", all, ", columns)");
      b.add(sum, " = ", total.empty() ? "Identity (" : absl::StrCat("Add (", total, ", "), sum,
            "_here)");
      total = sum;
    }
    if (total.empty()) continue;
    const std::string name = absl::StrCat("gram", i);
    b.add(name, "_count = ",
          c.mode == "IDF" ? absl::StrCat("Min (", total, ", one)")
                          : absl::StrCat("Identity (", total, ")"));
    b.scalar(name + "_weight", c.mode == "TF" ? 1 : ngram.weight);
    b.add(name, " = Mul (", name, "_count, ", name, "_weight)");
    std::string& result = results[ngram.place];
    if (result == "none") {
      result = name;
    } else {
      if (c.mode == "IDF")  // of those that are there, the first one in the input
        return absl::UnimplementedError(
            "two n-grams of its pool have one place in the result, in mode IDF; give each its own");
      b.add(name, "_all = Add (", result, ", ", name, ")");
      result = name + "_all";
    }
  }
  b.add("all = Concat <axis = 1> (", absl::StrJoin(results, ", "), ")");
  b.ints("shape", b.rank(0) == 2 ? Ints{c.rows, c.places} : Ints{c.places});
  b.add("o0 = Reshape (all, shape)");
  return absl::OkStatus();
}

}  // namespace lindero::compiler
