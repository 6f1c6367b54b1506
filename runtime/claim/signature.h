// Ed25519 signatures (RFC 8032) with keys as PEM files, by OpenSSL.
#ifndef LINDERO_RUNTIME_CLAIM_SIGNATURE_H_
#define LINDERO_RUNTIME_CLAIM_SIGNATURE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/package/digest.h"

struct evp_pkey_st;

namespace lindero::runtime {

// A public key, or a private one, which holds its public key.
class SigningKey {
 public:
  static absl::StatusOr<SigningKey> generate();
  // PKCS #8, without a password.
  static absl::StatusOr<SigningKey> fromPrivatePem(absl::string_view pem);
  static absl::StatusOr<SigningKey> fromPublicPem(absl::string_view pem);

  absl::StatusOr<std::string> privatePem() const;
  absl::StatusOr<std::string> publicPem() const;
  // SHA-256 of the public key's DER form (SubjectPublicKeyInfo).
  absl::StatusOr<Digest> id() const;

  // 64 bytes. Requires a private key.
  absl::StatusOr<std::string> sign(absl::string_view message) const;
  absl::Status verify(absl::string_view message, absl::string_view signature) const;

 private:
  using Handle = std::unique_ptr<evp_pkey_st, void (*)(evp_pkey_st*)>;
  explicit SigningKey(Handle handle) : handle_(std::move(handle)) {}
  static absl::StatusOr<SigningKey> checked(evp_pkey_st* key, absl::string_view what);

  Handle handle_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_SIGNATURE_H_
