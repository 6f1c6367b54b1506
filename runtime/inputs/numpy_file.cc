#include "runtime/inputs/numpy_file.h"

#include <zip.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/error/error.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kMostBytes = uint64_t{1} << 30;

absl::Status malformed(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("not a .npy array: ", why));
}

// The text between the header's `'key':` and what ends it.
std::optional<absl::string_view> headerValue(absl::string_view header, absl::string_view key,
                                             absl::string_view end) {
  std::vector<absl::string_view> parts = absl::StrSplit(header, absl::MaxSplits(key, 1));
  if (parts.size() != 2) return std::nullopt;
  absl::string_view rest = absl::StripLeadingAsciiWhitespace(parts[1]);
  if (!absl::ConsumePrefix(&rest, ":")) return std::nullopt;
  size_t stop = rest.find(end);
  if (stop == absl::string_view::npos) return std::nullopt;
  return absl::StripAsciiWhitespace(rest.substr(0, stop));
}

absl::StatusOr<std::vector<int64_t>> parseShape(absl::string_view header) {
  std::optional<absl::string_view> text = headerValue(header, "'shape'", ")");
  if (!text || !absl::ConsumePrefix(&*text, "(")) return malformed("its header has no shape");
  std::vector<int64_t> shape;
  uint64_t elements = 1;
  for (absl::string_view size : absl::StrSplit(*text, ',', absl::SkipWhitespace())) {
    int64_t value = 0;
    if (!absl::SimpleAtoi(size, &value) || value < 0) return malformed("its shape is malformed");
    if (value > 0 && elements > kMostBytes / value) return malformed("its shape is too large");
    elements *= value;
    shape.push_back(value);
  }
  return shape;
}

template <typename From, typename To>
void convert(absl::string_view data, std::vector<To>& out) {
  out.resize(data.size() / sizeof(From));
  for (size_t i = 0; i < out.size(); ++i) {
    From value;
    std::memcpy(&value, data.data() + i * sizeof(From), sizeof(From));
    out[i] = static_cast<To>(value);
  }
}

// What the elements are, by NumPy's name for their type.
struct ElementReader {
  absl::string_view name;
  size_t size;
  bool integer;
  void (*read)(absl::string_view data, InputArray& array);
};

template <typename T>
constexpr ElementReader reader(absl::string_view name) {
  constexpr bool integer = std::is_integral_v<T>;
  return {name, sizeof(T), integer, [](absl::string_view data, InputArray& array) {
            if constexpr (integer) {
              convert<T>(data, array.integers);
            } else {
              convert<T>(data, array.reals);
            }
          }};
}

// IEEE half precision: 1 sign, 5 exponent, 10 mantissa bits.
void readHalves(absl::string_view data, InputArray& array) {
  InputArray bits;
  convert<uint16_t>(data, bits.integers);
  for (int64_t half : bits.integers) {
    const int exponent = static_cast<int>(half >> 10 & 31);
    const auto mantissa = static_cast<double>(half & 1023);
    double value =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(mantissa + 1024, exponent - 25);
    if (exponent == 31) value = mantissa == 0 ? HUGE_VAL : std::nan("");
    array.reals.push_back(half >> 15 ? -value : value);
  }
}

constexpr ElementReader kReaders[] = {
    reader<int64_t>("<i8"), reader<int32_t>("<i4"),        reader<int16_t>("<i2"),
    reader<int8_t>("|i1"),  reader<uint32_t>("<u4"),       reader<uint16_t>("<u2"),
    reader<uint8_t>("|u1"), reader<uint8_t>("|b1"),        reader<float>("<f4"),
    reader<double>("<f8"),  {"<f2", 2, false, readHalves},
};

// Splits "\x93NUMPY", version, header length, header from the data after them.
absl::StatusOr<std::pair<absl::string_view, absl::string_view>> splitHeader(
    absl::string_view bytes) {
  if (!absl::ConsumePrefix(&bytes, "\x93NUMPY") || bytes.size() < 6) {
    return malformed("it has no NumPy signature");
  }
  auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])); };
  uint32_t version = byte(0);
  if (version < 1 || version > 3) return malformed(absl::StrCat("format version ", version));
  size_t start = version == 1 ? 4 : 6;
  size_t length = byte(2) | byte(3) << 8;
  if (version > 1) length |= byte(4) << 16 | byte(5) << 24;
  if (bytes.size() < start + length) return malformed("its header is cut off");
  return std::pair(bytes.substr(start, length), bytes.substr(start + length));
}

absl::StatusOr<std::string> readEntry(zip_t* archive, uint64_t index, absl::string_view name) {
  zip_stat_t info;
  if (zip_stat_index(archive, index, 0, &info) != 0 || !(info.valid & ZIP_STAT_SIZE) ||
      info.size > kMostBytes) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' is too large or damaged"));
  }
  std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen_index(archive, index, 0),
                                                         zip_fclose);
  std::string bytes(info.size, '\0');
  if (file == nullptr ||
      zip_fread(file.get(), bytes.data(), bytes.size()) != static_cast<zip_int64_t>(bytes.size())) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' is damaged"));
  }
  return bytes;
}

}  // namespace

absl::StatusOr<InputArray> parseNpy(absl::string_view bytes) {
  LINDERO_ASSIGN_OR_RETURN(auto parts, splitHeader(bytes));
  auto [header, data] = parts;
  std::optional<absl::string_view> order = headerValue(header, "'fortran_order'", ",");
  if (!order || *order != "False") {
    return malformed("it is not row-major; save numpy.ascontiguousarray(a)");
  }
  InputArray array;
  LINDERO_ASSIGN_OR_RETURN(array.shape, parseShape(header));
  std::optional<absl::string_view> type = headerValue(header, "'descr'", ",");
  absl::string_view name = type ? absl::StripSuffix(absl::StripPrefix(*type, "'"), "'") : "";
  for (const ElementReader& reader : kReaders) {
    if (reader.name != name) continue;
    uint64_t elements = 1;
    for (int64_t size : array.shape) elements *= size;
    if (data.size() != elements * reader.size) return malformed("its data is cut off");
    array.integer = reader.integer;
    reader.read(data, array);
    return array;
  }
  return malformed(absl::StrCat("its element type ", name, " is not supported"));
}

absl::StatusOr<std::vector<InputArray>> readNpz(const std::string& path) {
  int error = 0;
  std::unique_ptr<zip_t, void (*)(zip_t*)> archive(zip_open(path.c_str(), ZIP_RDONLY, &error),
                                                   zip_discard);
  if (archive == nullptr) return absl::InvalidArgumentError("not a .npz archive");
  std::vector<InputArray> arrays;
  for (int64_t i = 0; i < zip_get_num_entries(archive.get(), 0); ++i) {
    const char* entry = zip_get_name(archive.get(), i, 0);
    std::string name(absl::StripSuffix(entry == nullptr ? "" : entry, ".npy"));
    LINDERO_ASSIGN_OR_RETURN(std::string bytes, readEntry(archive.get(), i, name));
    absl::StatusOr<InputArray> array = parseNpy(bytes);
    if (!array.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("'", name, "': ", array.status().message()));
    }
    array->name = name;
    arrays.push_back(*std::move(array));
  }
  return arrays;
}

std::string npyOf(const InputArray& array) {
  std::string shape;
  for (int64_t size : array.shape) absl::StrAppend(&shape, size, ", ");
  std::string header = absl::StrCat("{'descr': '", array.integer ? "<i8" : "<f8",
                                    "', 'fortran_order': False, 'shape': (", shape, "), }");
  // Signature, version and length take 10 bytes; the data starts at a multiple of 64.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  auto append = [&](const auto& values) {
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
  };
  array.integer ? append(array.integers) : append(array.reals);
  return bytes;
}

absl::Status writeNpz(const std::string& path, const std::vector<InputArray>& arrays) {
  LINDERO_RETURN_IF_ERROR(withError(checkFileDestination(path), Error::kFile));
  auto failed = [&](absl::string_view why) {
    return failure(Error::kFile, absl::StrCat("cannot write ", path, ": ", why));
  };
  // The archive reads these when it is closed.
  std::vector<std::string> files;
  for (const InputArray& array : arrays) files.push_back(npyOf(array));
  const std::string beside = temporaryPath(path);
  int error = 0;
  std::unique_ptr<zip_t, void (*)(zip_t*)> archive(
      zip_open(beside.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &error), zip_discard);
  if (archive == nullptr) return failed("no archive can be made there");
  for (size_t i = 0; i < files.size(); ++i) {
    zip_source_t* source = zip_source_buffer(archive.get(), files[i].data(), files[i].size(), 0);
    if (source == nullptr ||
        zip_file_add(archive.get(), absl::StrCat(arrays[i].name, ".npy").c_str(), source,
                     ZIP_FL_ENC_UTF_8) < 0) {
      zip_source_free(source);
      return failed(zip_strerror(archive.get()));
    }
  }
  if (zip_close(archive.get()) != 0) return failed(zip_strerror(archive.get()));
  (void)archive.release();
  return withError(renamePath(beside, path), Error::kFile);
}

}  // namespace lindero::runtime
