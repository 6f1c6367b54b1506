#include "runtime/package/files.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {

absl::Status systemError(absl::string_view what, int error) {
  std::string message = absl::StrCat(what, ": ", std::generic_category().message(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return absl::ResourceExhaustedError(
        absl::StrCat(message, "; free disk space or choose another folder"));
  }
  if (error == ENOMEM) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

absl::StatusOr<std::string> readFile(const std::string& path, uint64_t limit) {
  std::error_code code;
  auto status = std::filesystem::status(path, code);
  if (status.type() == std::filesystem::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat("cannot open ", path, ": no such file"));
  }
  if (code) return systemError(absl::StrCat("cannot open ", path), code.value());
  if (status.type() != std::filesystem::file_type::regular) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));
  }
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return systemError(absl::StrCat("cannot open ", path), errno);
  std::string bytes;
  char block[1 << 16];
  size_t count;
  while (bytes.size() <= limit && (count = std::fread(block, 1, sizeof(block), file)) > 0) {
    bytes.append(block, count);
  }
  bool failed = std::ferror(file) != 0;
  int error = errno;
  std::fclose(file);
  if (failed) return systemError(absl::StrCat("cannot read ", path), error);
  if (bytes.size() > limit) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is larger than the limit of ", limit, " bytes for this kind of file"));
  }
  return bytes;
}

absl::Status writeFile(const std::string& path, absl::string_view bytes) {
  LINDERO_RETURN_IF_ERROR(checkFileDestination(path));
  std::string beside = temporaryPath(path);
  std::FILE* file = std::fopen(beside.c_str(), "wbe");
  if (file == nullptr) return systemError(absl::StrCat("cannot create ", beside), errno);
  bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  int error = errno;
  // A full disk may show only when the last block leaves the buffer.
  if (std::fclose(file) != 0 && written) {
    written = false;
    error = errno;
  }
  if (!written) {
    ::unlink(beside.c_str());
    return systemError(absl::StrCat("cannot write ", path), error);
  }
  absl::Status renamed = renamePath(beside, path);
  if (!renamed.ok()) ::unlink(beside.c_str());
  return renamed;
}

absl::Status checkFileDestination(const std::string& path) {
  std::error_code code;
  std::filesystem::file_type type = std::filesystem::status(path, code).type();
  if (type != std::filesystem::file_type::not_found &&
      type != std::filesystem::file_type::regular) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot write ", path, ": it exists and is not a file; choose another name"));
  }
  std::string folder = std::filesystem::absolute(path, code).parent_path().string();
  if (!std::filesystem::is_directory(folder, code)) {
    return absl::NotFoundError(
        absl::StrCat("cannot write ", path, ": there is no folder ", folder));
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    return systemError(absl::StrCat("cannot write ", path), errno);
  }
  return absl::OkStatus();
}

std::string temporaryPath(const std::string& path) {
  static std::atomic<uint64_t> counter{0};
  absl::string_view stem = path;
  while (stem.size() > 1 && stem.back() == '/') stem.remove_suffix(1);
  return absl::StrCat(stem, ".partial-", ::getpid(), "-", counter.fetch_add(1));
}

absl::Status renamePath(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    return systemError(absl::StrCat("cannot rename ", from, " to ", to), errno);
  }
  return absl::OkStatus();
}

}  // namespace lindero::runtime
