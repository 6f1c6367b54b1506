#include "runtime/package/package_writer.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/package/bundle_package.h"
#include "runtime/package/files.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

namespace fs = std::filesystem;

}  // namespace

absl::Status checkDestination(const std::string& path) {
  std::error_code code;
  fs::file_status status = fs::symlink_status(path, code);
  if (status.type() == fs::file_type::not_found) return absl::OkStatus();
  if (fs::is_directory(path, code) &&
      (fs::exists(absl::StrCat(path, "/", kCircuitFile), code) ||
       fs::exists(absl::StrCat(path, "/", kBundleFile), code) || !listBuckets(path).empty())) {
    return absl::OkStatus();
  }
  if (fs::is_directory(path, code) && fs::is_empty(path, code)) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat(path, " exists and is no circuit package; remove it or choose another name"));
}

absl::Status installPackage(const std::string& folder, const std::string& path) {
  std::error_code code;
  std::string old;
  if (fs::exists(path, code)) {
    // A folder cannot be renamed over another one that has content.
    old = temporaryPath(path);
    LINDERO_RETURN_IF_ERROR(renamePath(path, old));
  }
  if (absl::Status renamed = renamePath(folder, path); !renamed.ok()) {
    if (!old.empty()) renamePath(old, path).IgnoreError();
    return renamed;
  }
  if (!old.empty()) fs::remove_all(old, code);
  return absl::OkStatus();
}

absl::StatusOr<PackageWriter> PackageWriter::create(const std::string& path, const Circuit& circuit,
                                                    const Program& program, const Bundle& bundle) {
  const bool alone = bundle.members_size() == 1;
  absl::StatusOr<CircuitInfo> info = analyzeCircuit(circuit);
  if (!info.ok()) return info.status();
  absl::StatusOr<ProgramInfo> program_info = analyzeProgram(program, circuit);
  if (!program_info.ok()) return program_info.status();
  const Circuit* const circuits[] = {&circuit};
  if (alone) LINDERO_RETURN_IF_ERROR(checkBundle(bundle, circuits));
  const Program* const programs[] = {&program};
  if (alone) LINDERO_RETURN_IF_ERROR(checkSlots(programs));
  LINDERO_RETURN_IF_ERROR(checkDestination(path));

  PackageWriter writer;
  writer.path_ = path;
  writer.circuit_ = &circuit;
  writer.layout_ = std::make_unique<ColumnLayout>(circuit, 0);
  std::string folder = temporaryPath(path);
  std::error_code code;
  if (!fs::create_directories(folder, code)) {
    return systemError(absl::StrCat("cannot create the folder ", folder), code.value());
  }
  writer.folder_ = folder;
  LINDERO_RETURN_IF_ERROR(writer.addFile(kCircuitFile, serializeProto(circuit)));
  if (alone && serializeProto(bundle) != serializeProto(bundleOfOne())) {
    LINDERO_RETURN_IF_ERROR(writer.addFile(kBundleFile, serializeProto(bundle)));
  }
  LINDERO_RETURN_IF_ERROR(writer.addFile(kProgramFile, serializeProto(program)));
  LINDERO_ASSIGN_OR_RETURN(writer.fixed_, MappedFile::create(absl::StrCat(folder, "/", kFixedFile),
                                                             writer.layout_->bytes()));
  return writer;
}

PackageWriter::PackageWriter(PackageWriter&& other) noexcept
    : path_(std::move(other.path_)),
      folder_(std::exchange(other.folder_, "")),
      circuit_(other.circuit_),
      layout_(std::move(other.layout_)),
      fixed_(std::move(other.fixed_)) {}

PackageWriter::~PackageWriter() {
  if (folder_.empty()) return;
  std::error_code code;
  fs::remove_all(folder_, code);
}

absl::Status PackageWriter::addFile(absl::string_view name, absl::string_view bytes) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" is no plain file name"));
  }
  return writeFile(absl::StrCat(folder_, "/", name), bytes);
}

absl::Status PackageWriter::finish() {
  LINDERO_RETURN_IF_ERROR(
      checkCanonical(*circuit_, *layout_, 0, fixed_.mutableWords(), kFixedFile));
  fixed_ = MappedFile();
  LINDERO_RETURN_IF_ERROR(installPackage(folder_, path_));
  folder_.clear();
  return absl::OkStatus();
}

}  // namespace lindero::runtime
