#include "compiler/onnx_import/external_data.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace lindero::compiler {
namespace {

namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

absl::Status checkLocation(const std::string& location) {
  if (location.empty()) return absl::InvalidArgumentError("has no location");
  if (location.find('\0') != std::string::npos || path::is_absolute(location)) {
    return absl::InvalidArgumentError(
        absl::StrCat("location '", location, "' is not a relative path"));
  }
  for (auto part = path::begin(location), end = path::end(location); part != end; ++part) {
    if (*part == "..") {
      return absl::InvalidArgumentError(
          absl::StrCat("location '", location, "' leaves the model's folder"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> number(const std::string& key, const std::string& text) {
  uint64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    return absl::InvalidArgumentError(absl::StrCat(key, " '", text, "' is not a size"));
  }
  return value;
}

}  // namespace

ExternalData::ExternalData(const std::string& model_path)
    : folder_(path::has_parent_path(model_path) ? path::parent_path(model_path)
                                                : llvm::StringRef(".")) {}

absl::StatusOr<const MappedFile*> ExternalData::open(const std::string& location) {
  if (auto found = files_.find(location); found != files_.end()) return &found->second;
  IR_RETURN_IF_ERROR(checkLocation(location));
  llvm::SmallString<256> joined(folder_), real, folder;
  path::append(joined, location);
  if (fs::real_path(folder_, folder) || fs::real_path(joined, real)) {
    return absl::NotFoundError(absl::StrCat("file '", location, "' is not beside the model"));
  }
  // A symbolic link may point anywhere: what counts is where it ends.
  llvm::StringRef inside = real;
  if (!inside.consume_front(folder) || (!folder.str().ends_with("/") && !inside.starts_with("/"))) {
    return absl::InvalidArgumentError(
        absl::StrCat("location '", location, "' leaves the model's folder"));
  }
  IR_ASSIGN_OR_RETURN(MappedFile file, mapFile(real.str().str()));
  return &files_.emplace(location, std::move(file)).first->second;
}

std::vector<std::string> ExternalData::locations() const {
  std::vector<std::string> names;
  for (const auto& [location, file] : files_) names.push_back(location);
  return names;
}

absl::Status ExternalData::attach(Initializer& initializer) {
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  for (const onnx::StringStringEntryProto& entry : initializer.tensor->external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") {
      IR_ASSIGN_OR_RETURN(offset, number("offset", entry.value()));
    }
    if (entry.key() == "length") {
      IR_ASSIGN_OR_RETURN(length, number("length", entry.value()));
    }
  }
  IR_ASSIGN_OR_RETURN(const MappedFile* file, open(location));
  const uint64_t size = file->bytes.size();
  if (offset > size || (length && *length > size - offset)) {
    return absl::InvalidArgumentError(absl::StrCat("offset ", offset, " and length ",
                                                   length.value_or(0), " exceed file '", location,
                                                   "' of ", size, " bytes"));
  }
  initializer.bytes = file->bytes.slice(offset, length.value_or(size - offset));
  initializer.owner = file->owner;
  initializer.detached = true;
  return absl::OkStatus();
}

}  // namespace lindero::compiler
