#include "runtime/claim/key.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/package/circuit_info.h"
#include "runtime/package/formats.h"
#include "runtime/package/proof.pb.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

// Blocks, and what else a proof has.
constexpr uint64_t kMaxProofFields = uint64_t{kMaxBlocks} + 4;

// As far as a claim's shapes are read off it; keyOfProof checks all of the one key that counts.
absl::Status checkShapes(const Circuit& circuit) {
  for (const PublicTensor& tensor : circuit.publics()) {
    if (tensor.rows() > 0 && tensor.columns() > 0) continue;
    return absl::InvalidArgumentError("key: its circuit has an empty public tensor");
  }
  return absl::OkStatus();
}

// What it says about the graph's tensors fits those of the circuits, in their order.
absl::Status checkRecordedShapes(const Key& key) {
  auto known = key.model.shapes.begin();
  const auto end = key.mostSteps() == 1 ? key.model.shapes.end() : known;
  for (const Circuit* circuit : key.memberCircuits()) {
    for (const PublicTensor& tensor : circuit->publics()) {
      if (known != end && known->name == tensor.name() &&
          hasElements(known->shape, uint64_t{tensor.rows()} * tensor.columns())) {
        ++known;
      }
    }
  }
  if (known == key.model.shapes.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "key: model.json: shapes: \"", absl::Utf8SafeCEscape(known->name),
      "\" is no public tensor of the circuit, has other elements there, or is out of order"));
}

// What is proven in several members or steps is not said to be one circuit's, nor in segments that
// there are not.
absl::Status checkBoundary(const Key& key) {
  const std::vector<int64_t>& segments = key.model.options.segments;
  const int64_t members =
      segments.empty() ? 1 : *std::max_element(segments.begin(), segments.end()) + 1;
  if (members != std::ssize(key.members)) {
    return absl::InvalidArgumentError(
        absl::StrCat("key: model.json: boundary \"", absl::Utf8SafeCEscape(key.model.boundary),
                     "\", but its bundle has ", key.members.size(), " members"));
  }
  if (key.mostSteps() == 1 || key.model.options.block > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("key: model.json: boundary \"", absl::Utf8SafeCEscape(key.model.boundary),
                   "\", but its bundle is of up to ", key.mostSteps(), " steps"));
}

// The backend checks a circuit as well: a hole must escape both.
absl::Status checkCircuits(const Key& key) {
  absl::Status status;
  CircuitWork work;
  for (const Circuit& circuit : key.circuits) {
    absl::StatusOr<CircuitInfo> info = analyzeCircuit(circuit);
    status = info.ok() ? work.count(*info) : info.status();
    if (!status.ok()) break;
  }
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat("key: ", status.message(),
                                   "; a key of an old version may have such a circuit "
                                   "(.github/SECURITY.md): compile the model again"));
}

absl::Status wrongFormat(uint32_t format) {
  if (format != 0 && format < kKeyFormat) {
    return absl::InvalidArgumentError(absl::StrCat(
        "key: of format ", format, "; this version reads format ", kKeyFormat,
        ", of which the transcript names the members of a bundle: compile the model again, and "
        "prove the run again"));
  }
  return absl::InvalidArgumentError("key: of another format than this version reads");
}

// The members, which the bundle names.
absl::Status readMembers(Key& key) {
  const Bundle& bundle = key.message.bundle();
  // What a circuit is parsed into takes far more than its bytes.
  if (key.message.circuits_size() > bundle.members_size()) {
    return absl::InvalidArgumentError(absl::StrCat("key: ", key.message.circuits_size(),
                                                   " circuits, but ", bundle.members_size(),
                                                   " members"));
  }
  std::vector<const Circuit*> circuits;
  std::vector<Digest> digests;
  key.circuits.resize(key.message.circuits_size());
  for (int i = 0; i < key.message.circuits_size(); ++i) {
    const std::string& bytes = key.message.circuits(i);
    LINDERO_RETURN_IF_ERROR(parseCanonicalProto(bytes, "key: circuit", key.circuits[i]));
    LINDERO_RETURN_IF_ERROR(checkShapes(key.circuits[i]));
    circuits.push_back(&key.circuits[i]);
    digests.push_back(sha256(bytes));
  }
  if (std::set<Digest>(digests.begin(), digests.end()).size() < digests.size()) {
    return absl::InvalidArgumentError("key: it holds a circuit twice");
  }
  if (absl::Status status = checkBundle(bundle, circuits); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("key: ", status.message()));
  }
  key.bundle_digest = bundleDigest(bundle);
  if (key.message.fixed_roots_size() != bundle.members_size()) {
    return absl::InvalidArgumentError("key: it does not have a fixed root for each member");
  }
  for (int i = 0; i < bundle.members_size(); ++i) {
    const std::string& root = key.message.fixed_roots(i);
    KeyMember member{bundle.members(i).name(), bundle.members(i).circuit()};
    if (root.size() != member.fixed_root.size()) {
      return absl::InvalidArgumentError("key: a fixed root is not 32 bytes long");
    }
    std::copy(root.begin(), root.end(), member.fixed_root.begin());
    member.circuit_digest = digests[member.circuit];
    key.members.push_back(std::move(member));
  }
  return absl::OkStatus();
}

absl::StatusOr<Key> decodeKey(absl::string_view bytes) {
  Key key;
  LINDERO_RETURN_IF_ERROR(parseCanonicalProto(bytes, "key", key.message));
  if (key.message.format() != kKeyFormat) return wrongFormat(key.message.format());
  LINDERO_RETURN_IF_ERROR(readMembers(key));
  if (key.message.model().empty()) {
    return absl::InvalidArgumentError("key: it does not say which model it is of");
  }
  LINDERO_ASSIGN_OR_RETURN(key.model, decodeModelRecord(key.message.model()));
  LINDERO_RETURN_IF_ERROR(checkBoundary(key));
  LINDERO_RETURN_IF_ERROR(checkRecordedShapes(key));
  key.digest = sha256(bytes);
  return key;
}

// What all keys of a set have in common.
absl::StatusOr<std::string> commonPart(const Key& key) {
  ModelRecord model = key.model;
  model.bucket = 0;
  LINDERO_ASSIGN_OR_RETURN(std::string record, encodeModelRecord(model));
  return absl::StrCat(record, key.message.backend(), "\n", serializeProto(key.message.security()));
}

absl::Status checkSet(const KeySet& set) {
  const Key& first = set.keys.front();
  LINDERO_ASSIGN_OR_RETURN(const std::string common, commonPart(first));
  int64_t before = 0;
  for (const Key& key : set.keys) {
    if (key.model.id != first.model.id) {
      return absl::InvalidArgumentError(absl::StrCat("key: its keys are of two models, ",
                                                     toHex(first.model.id), " and ",
                                                     toHex(key.model.id)));
    }
    LINDERO_ASSIGN_OR_RETURN(const std::string part, commonPart(key));
    if (part != common) {
      return absl::InvalidArgumentError(
          "key: its keys differ in more than the bucket: they were not made together");
    }
    if (key.model.bucket <= before || key.model.bucket > key.model.context) {
      return absl::InvalidArgumentError(
          absl::StrCat("key: its buckets do not ascend to the context of ", key.model.context,
                       " positions: ", describeBuckets(set)));
    }
    before = key.model.bucket;
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<const Circuit*> Key::memberCircuits() const {
  std::vector<const Circuit*> result;
  for (size_t m = 0; m < members.size(); ++m) result.push_back(&circuit(m));
  return result;
}

const Key* KeySet::find(absl::Span<const Digest> circuits, const Digest& bundle) const {
  for (const Key& key : keys) {
    const bool same = std::equal(key.members.begin(), key.members.end(), circuits.begin(),
                                 circuits.end(), [](const KeyMember& member, const Digest& digest) {
                                   return member.circuit_digest == digest;
                                 });
    if (same && key.bundle_digest == bundle) return &key;
  }
  return nullptr;
}

absl::StatusOr<KeySet> decodeKeySet(absl::string_view bytes) {
  if (bytes.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("key: larger than the ", kMaxKeyBytes >> 20, " MiB that a key file may have"));
  }
  lindero::KeySet message;
  LINDERO_RETURN_IF_ERROR(parseCanonicalProto(bytes, "key", message));
  if (message.format() != kKeyFormat) return wrongFormat(message.format());
  if (message.keys().empty()) return absl::InvalidArgumentError("key: the file holds none");
  KeySet set;
  for (const std::string& key : message.keys()) {
    LINDERO_ASSIGN_OR_RETURN(set.keys.emplace_back(), decodeKey(key));
  }
  LINDERO_RETURN_IF_ERROR(checkSet(set));
  return set;
}

std::string encodeKeySet(absl::Span<const Key> keys) {
  lindero::KeySet message;
  message.set_format(kKeyFormat);
  for (const Key& key : keys) message.add_keys(serializeProto(key.message));
  return serializeProto(message);
}

absl::StatusOr<Key> keyOfProof(const KeySet& set, absl::string_view proof) {
  LINDERO_RETURN_IF_ERROR(checkFieldCount(proof, "proof", kMaxProofFields));
  Proof message;
  LINDERO_RETURN_IF_ERROR(parseProto(proof, "proof", message));
  if (message.format() == 0) {
    return absl::InvalidArgumentError("proof: damaged or no file of this kind: it has no format");
  }
  if (message.format() == 3) {
    return absl::InvalidArgumentError(
        "proof: format 3 is of a version whose transcript does not name the members of a bundle: "
        "compile the model and prove the run again");
  }
  if (message.format() < kProofFormat) {
    return absl::InvalidArgumentError(absl::StrCat(
        "proof: format ", message.format(),
        " is of a version that accepts proofs of false statements (.github/SECURITY.md, "
        "LINDERO-2026-1): prove the run again"));
  }
  for (const Key& key : set.keys) {
    if (message.key_digest() ==
        absl::string_view(reinterpret_cast<const char*>(key.digest.data()), key.digest.size())) {
      LINDERO_RETURN_IF_ERROR(checkCircuits(key));
      return key;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "key: the proof was made for another key than ", set.keys.size() == 1 ? "that" : "those",
      " of ", describeBuckets(set), " of the model ", toHex(set.model().id)));
}

std::string regimeName(SecurityTarget::Regime regime) {
  switch (regime) {
    case SecurityTarget::PROVEN:
      return "proven";
    case SecurityTarget::LIST_DECODING:
      return "list-decoding";
    default:
      return "";
  }
}

std::string describeBuckets(const KeySet& set) {
  auto bucket = [](std::string* out, const Key& key) { absl::StrAppend(out, key.model.bucket); };
  return absl::StrCat(set.keys.size() == 1 ? "bucket " : "buckets ",
                      absl::StrJoin(set.keys, ", ", bucket));
}

}  // namespace lindero::runtime
