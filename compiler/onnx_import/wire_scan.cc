#include "compiler/onnx_import/wire_scan.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/StringRef.h"

namespace lindero::compiler {
namespace {

// Field numbers of onnx.proto.
constexpr uint64_t kModelGraph = 7;
constexpr uint64_t kGraphInitializer = 5;
constexpr uint64_t kTensorRawData = 9;

enum WireType : uint8_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

struct Field {
  uint64_t number = 0;
  uint8_t wire_type = 0;
  llvm::ArrayRef<uint8_t> whole;    // tag included
  llvm::ArrayRef<uint8_t> payload;  // of a length-delimited field
};

// Reads the fields of one message, front to back.
class Reader {
 public:
  Reader(const uint8_t* file, llvm::ArrayRef<uint8_t> message) : file_(file), rest_(message) {}

  bool done() const { return rest_.empty(); }

  absl::StatusOr<Field> next() {
    const llvm::ArrayRef<uint8_t> start = rest_;
    Field field;
    std::optional<uint64_t> tag = varint();
    if (!tag) return malformed(start);
    field.number = *tag >> 3;
    field.wire_type = *tag & 7;
    std::optional<uint64_t> size = payloadSize(field.wire_type);
    if (!size || *size > rest_.size() || field.number == 0) return malformed(start);
    if (field.wire_type == kLengthDelimited) field.payload = rest_.take_front(*size);
    rest_ = rest_.drop_front(*size);
    field.whole = start.drop_back(rest_.size());
    return field;
  }

 private:
  absl::Status malformed(llvm::ArrayRef<uint8_t> at) const {
    return absl::InvalidArgumentError(absl::StrCat("not an ONNX model, or cut short: byte ",
                                                   at.data() - file_,
                                                   " does not start a protobuf field"));
  }

  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const uint8_t byte = rest_.front();
      rest_ = rest_.drop_front();
      value |= uint64_t(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }

  std::optional<uint64_t> payloadSize(uint8_t wire_type) {
    switch (wire_type) {
      case kVarint:
        return varint() ? std::optional<uint64_t>(0) : std::nullopt;
      case kFixed64:
        return 8;
      case kFixed32:
        return 4;
      case kLengthDelimited:
        return varint();
      default:
        return std::nullopt;  // groups, which ONNX does not use
    }
  }

  const uint8_t* file_;
  llvm::ArrayRef<uint8_t> rest_;
};

void append(std::string& out, llvm::ArrayRef<uint8_t> bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void appendVarint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void appendMessage(std::string& out, uint64_t field, llvm::StringRef message) {
  appendVarint(out, field << 3 | kLengthDelimited);
  appendVarint(out, message.size());
  out.append(message.data(), message.size());
}

struct Scanner {
  const uint8_t* file;
  size_t least;
  ScannedModel result;

  absl::StatusOr<std::string> tensor(llvm::ArrayRef<uint8_t> message) {
    std::string out;
    llvm::ArrayRef<uint8_t>& cut = result.raw_data.emplace_back();
    for (Reader reader(file, message); !reader.done();) {
      IR_ASSIGN_OR_RETURN(Field field, reader.next());
      const bool raw = field.number == kTensorRawData && field.wire_type == kLengthDelimited;
      if (!raw || field.payload.size() < least) {
        append(out, field.whole);
        continue;
      }
      if (!cut.empty()) return absl::InvalidArgumentError("an initializer has raw data twice");
      cut = field.payload;
    }
    return out;
  }

  absl::StatusOr<std::string> graph(llvm::ArrayRef<uint8_t> message) {
    std::string out;
    for (Reader reader(file, message); !reader.done();) {
      IR_ASSIGN_OR_RETURN(Field field, reader.next());
      if (field.number != kGraphInitializer || field.wire_type != kLengthDelimited) {
        append(out, field.whole);
        continue;
      }
      IR_ASSIGN_OR_RETURN(std::string initializer, tensor(field.payload));
      appendMessage(out, kGraphInitializer, initializer);
    }
    return out;
  }
};

}  // namespace

absl::StatusOr<ScannedModel> scanModel(llvm::ArrayRef<uint8_t> file, size_t least) {
  Scanner scanner{file.data(), least, {}};
  for (Reader reader(file.data(), file); !reader.done();) {
    IR_ASSIGN_OR_RETURN(Field field, reader.next());
    if (field.number != kModelGraph || field.wire_type != kLengthDelimited) {
      append(scanner.result.skeleton, field.whole);
      continue;
    }
    IR_ASSIGN_OR_RETURN(std::string graph, scanner.graph(field.payload));
    appendMessage(scanner.result.skeleton, kModelGraph, graph);
  }
  return std::move(scanner.result);
}

}  // namespace lindero::compiler
