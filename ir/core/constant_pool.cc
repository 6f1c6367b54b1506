#include "ir/core/constant_pool.h"

#include <openssl/evp.h>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/ErrorHandling.h"

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

const Constant& ConstantPool::add(Constant constant) {
  std::string base = constant.name;
  for (unsigned suffix = 1; by_name_.contains(constant.name); ++suffix) {
    constant.name = (llvm::Twine(base) + "_" + llvm::Twine(suffix)).str();
  }
  constants_.push_back(std::make_unique<Constant>(std::move(constant)));
  by_name_[constants_.back()->name] = constants_.back().get();
  return *constants_.back();
}

const Constant* ConstantPool::find(llvm::StringRef name) const { return by_name_.lookup(name); }

void ConstantPool::erase(llvm::StringRef name) {
  if (by_name_.erase(name)) {
    llvm::erase_if(constants_, [&](const auto& constant) { return constant->name == name; });
  }
}

std::vector<const Constant*> ConstantPool::constants() const {
  std::vector<const Constant*> all;
  all.reserve(constants_.size());
  for (const auto& constant : constants_) all.push_back(constant.get());
  return all;
}

}  // namespace lindero::ir
