// model.json, in the package and in the key: which model was compiled, and how. With the ONNX file
// it is all that is needed to make the key again (CLAIM.md, section 4).
#ifndef LINDERO_RUNTIME_CLAIM_MODEL_RECORD_H_
#define LINDERO_RUNTIME_CLAIM_MODEL_RECORD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/claim/json.h"
#include "runtime/package/digest.h"

namespace lindero::runtime {

inline constexpr char kModelFormat[] = "lindero/model/4";
// What integers, scales and rounding of the integer program mean; another meaning is another name.
inline constexpr char kArithmetic[] = "lindero/integer/1";

// A file that holds weights of the model, beside its ONNX file.
struct ExternalFile {
  std::string name;  // relative to the ONNX file
  Digest sha256 = {};

  friend bool operator==(const ExternalFile&, const ExternalFile&) = default;
};

struct DimensionSize {
  std::string name;
  int64_t size = 0;
};

// The shape that a tensor has in the ONNX graph.
struct TensorShape {
  std::string name;
  std::vector<int64_t> shape;

  friend bool operator==(const TensorShape&, const TensorShape&) = default;
};

// The options of `lindero compile` that shape the circuit.
struct CompileOptions {
  bool argmax = false;
  int64_t block = 0;                // steps of a block that carries context; 0: one for all
  bool decode = false;              // with a step table
  std::vector<DimensionSize> dims;  // by name
  int64_t lanes = 0;
  std::vector<std::string> outputs;  // by name; empty: all
  std::string positions;
  std::string prefer = "balance";  // what the layout of tables was chosen for
  // Where there are several proofs: of each atom of the program, in order, the one that it is in.
  std::vector<int64_t> segments;
};

struct ModelRecord {
  std::string format = kModelFormat;
  std::string arithmetic = kArithmetic;
  std::string boundary = "whole";      // boundaryOf(options)
  int64_t bucket = 0;                  // positions that the circuit was compiled for
  int64_t context = 0;                 // most positions that the model can have
  std::string compiler;                // version
  Json exponents;                      // exponents.json
  std::vector<ExternalFile> external;  // by name
  Digest id = {};
  Digest onnx = {};
  CompileOptions options;
  // Of public tensors of the circuit, in its order, that have as many elements in the graph. A
  // circuit of decode runs lists none: it has step tables in their place.
  std::vector<TensorShape> shapes;
  std::vector<TensorShape> unread;  // inputs of the graph that no output depends on
};

// Has the shape this number of elements, and no axis that is empty?
bool hasElements(const std::vector<int64_t>& shape, uint64_t elements);

// Where a proof ends and the next one begins: "whole"; "per-step=16" of runs in blocks;
// "segments=4" of a program in so many.
std::string boundaryOf(const CompileOptions& options);

// SHA-256 of what determines the model's integers at every length.
absl::StatusOr<Digest> modelId(const ModelRecord& record);

// The canonical bytes. Fails on a string that is no UTF-8.
absl::StatusOr<std::string> encodeModelRecord(const ModelRecord& record);

// Refuses whatever encodeModelRecord does not write, another format, and an id or boundary that is
// not that of the record.
absl::StatusOr<ModelRecord> decodeModelRecord(absl::string_view bytes);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_MODEL_RECORD_H_
