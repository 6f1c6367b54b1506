// Memory-mapped files: columns are read and written in place, and the kernel pages them.
//
// A mapping is move-only and unmaps itself. Values in files are little-endian; `words` views them
// as native integers, which is the same thing on every machine that this project builds for
// (asserted in the source).
#ifndef LINDERO_RUNTIME_PACKAGE_MAPPED_FILE_H_
#define LINDERO_RUNTIME_PACKAGE_MAPPED_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace lindero::runtime {

// Columns are read side by side, in as many places of the file at once: what a system reads around
// each of them, up to megabytes, may be more than memory holds, and is then read again and again.
// Of files of this size or more, therefore, only the pages that are read come into memory, and
// those that are announced.
inline constexpr uint64_t kAnnouncedBytes = uint64_t{1} << 28;

// Announces that these words of a mapped file are read next. Costs a system call for each 128 KB.
void readAhead(absl::Span<const uint32_t> words);

class MappedFile {
 public:
  // The whole file, read-only. An empty file maps to an empty span.
  static absl::StatusOr<MappedFile> openReadOnly(const std::string& path);
  // The whole file, writable in memory only: the file never changes (copy on write).
  static absl::StatusOr<MappedFile> openPrivate(const std::string& path);
  // A new file of `size` zero bytes, writable; an existing file is replaced. The disk space is
  // reserved here, so that a full disk is an error now and not a signal while writing.
  static absl::StatusOr<MappedFile> create(const std::string& path, uint64_t size);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  absl::Span<const uint32_t> words() const {
    return absl::MakeConstSpan(static_cast<const uint32_t*>(data_), size_ / sizeof(uint32_t));
  }
  // Not for openReadOnly: the pages are write-protected.
  absl::Span<uint32_t> mutableWords() {
    return absl::MakeSpan(static_cast<uint32_t*>(data_), size_ / sizeof(uint32_t));
  }

 private:
  static absl::StatusOr<MappedFile> map(const std::string& path, int descriptor, uint64_t size,
                                        int protection, int flags);
  static absl::StatusOr<MappedFile> openExisting(const std::string& path, int protection,
                                                 int flags);
  void unmap();

  std::string path_;
  void* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_MAPPED_FILE_H_
