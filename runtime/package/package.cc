#include "runtime/package/package.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/field/m31.h"
#include "runtime/package/field_path.h"
#include "runtime/package/files.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

// Parsed messages take a few times their bytes in memory; real packages are far below.
constexpr uint64_t kMaxMessageBytes = uint64_t{1} << 28;
constexpr char kBucketPrefix[] = "bucket-";

// The file's name in an error becomes its path.
absl::Status within(const std::string& path, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

absl::StatusOr<Digest> readMessage(const std::string& folder, const char* name,
                                   google::protobuf::Message& message) {
  const std::string path = absl::StrCat(folder, "/", name);
  std::error_code code;
  if (const auto size = std::filesystem::file_size(path, code); !code && size > kMaxMessageBytes) {
    return FieldPath(path).error(FormatRule::kLimits, "has more than ", kMaxMessageBytes, " bytes");
  }
  LINDERO_ASSIGN_OR_RETURN(std::string bytes, readFile(path, kMaxMessageBytes));
  LINDERO_RETURN_IF_ERROR(within(folder, parseCanonicalProto(bytes, name, message)));
  return sha256(bytes);
}

absl::StatusOr<MappedFile> mapFixed(const std::string& folder, const ColumnLayout& layout) {
  std::string path = absl::StrCat(folder, "/", kFixedFile);
  LINDERO_ASSIGN_OR_RETURN(MappedFile file, MappedFile::openReadOnly(path));
  if (file.size() != layout.bytes()) {
    return FieldPath(path).error(FormatRule::kColumnFiles, "has ", file.size(), " bytes; ",
                                 kCircuitFile, " describes ", layout.bytes());
  }
  return file;
}

}  // namespace

std::string bucketFolder(const std::string& package, int64_t bucket) {
  return absl::StrCat(package, "/", kBucketPrefix, bucket);
}

std::vector<int64_t> listBuckets(const std::string& package) {
  std::vector<int64_t> buckets;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(package, code)) {
    const std::string name = entry.path().filename().string();
    absl::string_view digits = name;
    int64_t bucket = 0;
    // The name must be the one that bucketFolder gives.
    if (absl::ConsumePrefix(&digits, kBucketPrefix) && absl::SimpleAtoi(digits, &bucket) &&
        bucket > 0 && digits == absl::StrCat(bucket) &&
        std::filesystem::exists(entry.path() / kCircuitFile, code)) {
      buckets.push_back(bucket);
    }
  }
  std::sort(buckets.begin(), buckets.end());
  return buckets;
}

ColumnLayout::ColumnLayout(const Circuit& circuit, uint32_t phase) {
  places_.reserve(circuit.tables_size());
  for (const Table& table : circuit.tables()) {
    uint64_t height = tableHeight(table);
    places_.push_back({cells_, height, static_cast<uint32_t>(firstColumnOfPhase(table, phase))});
    cells_ += height * columnsOfPhase(table, phase);
  }
}

bool isThere(const std::string& path) {
  std::error_code code;
  return std::filesystem::symlink_status(path, code).type() !=
         std::filesystem::file_type::not_found;
}

absl::StatusOr<Bundle> readBundle(const std::string& folder) {
  if (!isThere(absl::StrCat(folder, "/", kBundleFile))) return bundleOfOne();
  Bundle bundle;
  LINDERO_RETURN_IF_ERROR(readMessage(folder, kBundleFile, bundle).status());
  return bundle;
}

absl::StatusOr<Package> Package::open(const std::string& path, const PackageOptions& options) {
  if (!isThere(path))
    return absl::NotFoundError(absl::StrCat("cannot open ", path, ": no such folder"));
  std::error_code code;
  if (!std::filesystem::is_directory(path, code)) {
    return absl::NotFoundError(absl::StrCat(
        path, " is no circuit package: a package is a folder that holds ", kCircuitFile));
  }
  LINDERO_ASSIGN_OR_RETURN(Bundle bundle, readBundle(path));
  if (bundle.members_size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": its bundle has ", bundle.members_size(),
                                                   " members, and one is taken here"));
  }
  Package package;
  package.path_ = path;
  package.circuit_ = std::make_unique<Circuit>();
  LINDERO_ASSIGN_OR_RETURN(package.circuit_digest_,
                           readMessage(path, kCircuitFile, *package.circuit_));
  absl::StatusOr<CircuitInfo> info = analyzeCircuit(*package.circuit_, options.rules);
  if (!info.ok()) return within(path, info.status());
  package.circuit_info_ = std::make_unique<CircuitInfo>(*std::move(info));
  const Circuit* const circuits[] = {package.circuit_.get()};
  LINDERO_RETURN_IF_ERROR(within(path, checkBundle(bundle, circuits)));
  package.bundle_ = std::make_unique<Bundle>(std::move(bundle));
  package.linked_ = runtime::linkedGroups(*package.bundle_, 0, *package.circuit_);
  package.fixed_layout_ = std::make_unique<ColumnLayout>(*package.circuit_, 0);
  package.trace_layout_ = std::make_unique<ColumnLayout>(*package.circuit_, 1);
  package.program_ = std::make_unique<Program>();
  package.program_info_ = std::make_unique<ProgramInfo>();
  if (options.program) {
    LINDERO_RETURN_IF_ERROR(readMessage(path, kProgramFile, *package.program_).status());
    absl::StatusOr<ProgramInfo> program = analyzeProgram(*package.program_, *package.circuit_);
    if (!program.ok()) return within(path, program.status());
    *package.program_info_ = *std::move(program);
  }
  if (options.fixed) {
    LINDERO_ASSIGN_OR_RETURN(package.fixed_, mapFixed(path, *package.fixed_layout_));
  }
  return package;
}

absl::Status Package::checkFixedValues() const {
  return within(path_, checkCanonical(*circuit_, *fixed_layout_, 0, fixed_.words(), kFixedFile));
}

absl::Status checkCanonical(const Circuit& circuit, const ColumnLayout& layout, uint32_t phase,
                            absl::Span<const uint32_t> cells, absl::string_view file) {
  // The largest cell of a block first: one comparison per block, and a loop that vectorizes.
  constexpr size_t kBlock = size_t{1} << 21;
  uint32_t largest = 0;
  for (size_t first = 0; first < cells.size(); first += kBlock) {
    const absl::Span<const uint32_t> block = cells.subspan(first, kBlock);
    if (layout.bytes() >= kAnnouncedBytes) readAhead(block);
    for (uint32_t cell : block) largest = std::max(largest, cell);
  }
  if (largest < kModulus) return absl::OkStatus();
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    int first = firstColumnOfPhase(table, phase);
    for (int c = first; c < first + columnsOfPhase(table, phase); ++c) {
      absl::Span<const uint32_t> column = layout.column(cells, t, c);
      auto bad =
          std::find_if(column.begin(), column.end(), [](uint32_t v) { return v >= kModulus; });
      if (bad == column.end()) continue;
      return FieldPath(file).error(FormatRule::kColumnFiles, "table \"", table.name(),
                                   "\", column \"", table.columns(c).name(), "\", row ",
                                   bad - column.begin(), ": ", *bad, " is no residue below ",
                                   kModulus);
    }
  }
  return absl::OkStatus();
}

}  // namespace lindero::runtime
