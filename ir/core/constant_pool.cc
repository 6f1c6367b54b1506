#include "ir/core/constant_pool.h"

#include <openssl/evp.h>

#include <algorithm>
#include <limits>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Parallel.h"

namespace lindero::ir {

namespace {

struct ScalarInfo {
  Scalar scalar;
  size_t size;
  llvm::StringRef name;
};

constexpr ScalarInfo kScalars[] = {
    {Scalar::kF32, 4, "f32"}, {Scalar::kF64, 8, "f64"},   {Scalar::kI64, 8, "i64"},
    {Scalar::kI32, 4, "i32"}, {Scalar::kI16, 2, "i16"},   {Scalar::kI8, 1, "i8"},
    {Scalar::kU8, 1, "u8"},   {Scalar::kBool, 1, "bool"},
};

// Columns whose accumulators stay in the first cache, and rows whose sums fit them.
constexpr size_t kColumns = 256;
constexpr size_t kRows = size_t{1} << 15;

template <typename Element>
using PartialSum = std::conditional_t<sizeof(Element) <= 2, int32_t,
                                      std::conditional_t<sizeof(Element) <= 4, int64_t, __int128>>;

// Rows [first, end) of a block of columns.
template <typename Element>
void addRows(llvm::ArrayRef<Element> elements, size_t first, size_t end, size_t column,
             size_t columns, IntegerFacts& facts) {
  const size_t stride = facts.positive.size();
  Element low[kColumns], high[kColumns];
  PartialSum<Element> positive[kColumns] = {}, negative[kColumns] = {};
  std::fill_n(low, columns, std::numeric_limits<Element>::max());
  std::fill_n(high, columns, std::numeric_limits<Element>::min());
  for (size_t row = first; row < end; ++row) {
    const Element* at = elements.data() + row * stride + column;
    for (size_t c = 0; c < columns; ++c) {
      low[c] = std::min(low[c], at[c]);
      high[c] = std::max(high[c], at[c]);
      positive[c] += std::max<Element>(at[c], 0);
      negative[c] += std::min<Element>(at[c], 0);
    }
  }
  for (size_t c = 0; c < columns; ++c) {
    int64_t &least = facts.column_low[column + c], &greatest = facts.column_high[column + c];
    least = std::min<int64_t>(least, low[c]);
    greatest = std::max<int64_t>(greatest, high[c]);
    facts.positive[column + c] += positive[c];
    facts.negative[column + c] += negative[c];
  }
}

template <typename Element>
void addColumns(llvm::ArrayRef<Element> elements, size_t columns, IntegerFacts& facts) {
  facts.column_low.assign(columns, std::numeric_limits<int64_t>::max());
  facts.column_high.assign(columns, std::numeric_limits<int64_t>::min());
  facts.positive.resize(columns);
  facts.negative.resize(columns);
  const size_t rows = elements.size() / columns;
  llvm::parallelFor(0, (columns + kColumns - 1) / kColumns, [&](size_t block) {
    const size_t column = block * kColumns;
    for (size_t row = 0; row < rows; row += kRows) {
      addRows(elements, row, std::min(rows, row + kRows), column,
              std::min(kColumns, columns - column), facts);
    }
  });
  facts.low = *llvm::min_element(facts.column_low);
  facts.high = *llvm::max_element(facts.column_high);
}

}  // namespace

size_t scalarSize(Scalar scalar) { return kScalars[static_cast<size_t>(scalar)].size; }
llvm::StringRef scalarName(Scalar scalar) { return kScalars[static_cast<size_t>(scalar)].name; }

std::optional<Scalar> scalarFromName(llvm::StringRef name) {
  for (const ScalarInfo& info : kScalars) {
    if (info.name == name) return info.scalar;
  }
  return std::nullopt;
}

int64_t Constant::elements() const {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

const std::string& Constant::sha256() const {
  if (sha256_.empty()) {
    uint8_t digest[32];
    if (!EVP_Digest(bytes.data(), bytes.size(), digest, nullptr, EVP_sha256(), nullptr)) {
      llvm::report_fatal_error("SHA-256 is not available in this build of OpenSSL");
    }
    sha256_ = llvm::toHex(digest, /*LowerCase=*/true);
  }
  return sha256_;
}

const IntegerFacts* Constant::integerFacts() const {
  if (integer_facts_) return integer_facts_.get();
  auto facts = std::make_shared<IntegerFacts>();
  bool known = false;
  visitIntegers(*this, [&](auto elements) {
    known = !elements.empty();
    if (!known) return;
    if (shape.size() >= 2) return addColumns(elements, shape.back(), *facts);
    const auto [least, greatest] = std::minmax_element(elements.begin(), elements.end());
    facts->low = *least;
    facts->high = *greatest;
  });
  if (known) integer_facts_ = std::move(facts);
  return integer_facts_.get();
}

const Constant& ConstantPool::add(Constant constant) {
  if (by_name_.contains(constant.name)) {
    const std::string base = constant.name;
    unsigned& tried = suffixes_[base];
    do {
      constant.name = (llvm::Twine(base) + "_" + llvm::Twine(++tried)).str();
    } while (by_name_.contains(constant.name));
  }
  constants_.push_back(std::make_unique<Constant>(std::move(constant)));
  by_name_[constants_.back()->name] = constants_.back().get();
  return *constants_.back();
}

const Constant* ConstantPool::find(llvm::StringRef name) const { return by_name_.lookup(name); }

void ConstantPool::erase(llvm::StringRef name) {
  if (by_name_.erase(name)) {
    suffixes_.clear();
    llvm::erase_if(constants_, [&](const auto& constant) { return constant->name == name; });
  }
}

void ConstantPool::keepOnly(const llvm::StringSet<>& names) {
  suffixes_.clear();
  llvm::erase_if(constants_, [&](const auto& constant) {
    const bool drop = !names.contains(constant->name);
    if (drop) by_name_.erase(constant->name);
    return drop;
  });
}

std::vector<const Constant*> ConstantPool::constants() const {
  std::vector<const Constant*> all;
  all.reserve(constants_.size());
  for (const auto& constant : constants_) all.push_back(constant.get());
  return all;
}

}  // namespace lindero::ir
