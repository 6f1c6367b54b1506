#include "runtime/claim/signature.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

using Bio = std::unique_ptr<BIO, int (*)(BIO*)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)>;

const unsigned char* bytesOf(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Bio memoryOf(absl::string_view text) {
  bool fits = text.size() <= static_cast<size_t>(std::numeric_limits<int>::max());
  return {fits ? BIO_new_mem_buf(text.data(), static_cast<int>(text.size())) : nullptr, BIO_free};
}

Bio emptyMemory() { return {BIO_new(BIO_s_mem()), BIO_free}; }

std::string contentOf(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

// Nobody is asked for a password.
int noPassword(char*, int, int, void*) { return -1; }

}  // namespace

absl::StatusOr<SigningKey> SigningKey::checked(EVP_PKEY* key, absl::string_view what) {
  Handle handle(key, EVP_PKEY_free);
  if (key == nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) {
    return absl::InvalidArgumentError(absl::StrCat("no Ed25519 ", what, " in PEM form"));
  }
  return SigningKey(std::move(handle));
}

absl::StatusOr<SigningKey> SigningKey::generate() {
  return checked(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), "key");
}

absl::StatusOr<SigningKey> SigningKey::fromPrivatePem(absl::string_view pem) {
  Bio bio = memoryOf(pem);
  if (!bio) return checked(nullptr, "private key");
  return checked(PEM_read_bio_PrivateKey(bio.get(), nullptr, noPassword, nullptr), "private key");
}

absl::StatusOr<SigningKey> SigningKey::fromPublicPem(absl::string_view pem) {
  Bio bio = memoryOf(pem);
  if (!bio) return checked(nullptr, "public key");
  return checked(PEM_read_bio_PUBKEY(bio.get(), nullptr, noPassword, nullptr), "public key");
}

absl::StatusOr<std::string> SigningKey::privatePem() const {
  Bio bio = emptyMemory();
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), handle_.get(), nullptr, nullptr, 0, nullptr,
                                            nullptr) != 1) {
    return absl::InternalError("OpenSSL does not write the private key");
  }
  return contentOf(bio.get());
}

absl::StatusOr<std::string> SigningKey::publicPem() const {
  Bio bio = emptyMemory();
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), handle_.get()) != 1) {
    return absl::InternalError("OpenSSL does not write the public key");
  }
  return contentOf(bio.get());
}

absl::StatusOr<Digest> SigningKey::id() const {
  Bio bio = emptyMemory();
  if (!bio || i2d_PUBKEY_bio(bio.get(), handle_.get()) != 1) {
    return absl::InternalError("OpenSSL does not write the public key");
  }
  return sha256(contentOf(bio.get()));
}

absl::StatusOr<std::string> SigningKey::sign(absl::string_view message) const {
  DigestContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::string signature(64, '\0');
  size_t size = signature.size();
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, handle_.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytesOf(message), message.size()) != 1 ||
      size != signature.size()) {
    return absl::InternalError("OpenSSL does not sign with this key");
  }
  return signature;
}

absl::Status SigningKey::verify(absl::string_view message, absl::string_view signature) const {
  DigestContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (context &&
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, handle_.get()) == 1 &&
      EVP_DigestVerify(context.get(), bytesOf(signature), signature.size(), bytesOf(message),
                       message.size()) == 1) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("the signature is not of this key and these bytes");
}

}  // namespace lindero::runtime
