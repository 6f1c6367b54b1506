#include "runtime/package/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "runtime/package/files.h"

namespace lindero::runtime {

static_assert(std::endian::native == std::endian::little, "columns are mapped, not converted");

namespace {

// Closes the descriptor on every path; a mapping outlives it.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

void readAhead(absl::Span<const uint32_t> words) {
  if (words.empty()) return;
  // Linux takes no more of a call than its own read-ahead, by default this.
  constexpr uintptr_t kPiece = 128 << 10;
  static const uintptr_t page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto end = reinterpret_cast<uintptr_t>(words.data() + words.size());
  auto at = reinterpret_cast<uintptr_t>(words.data()) / page * page;
  // Advice: where it is not taken, pages come as they are read.
  for (; at < end; at += kPiece)
    (void)::madvise(reinterpret_cast<void*>(at), std::min(kPiece, end - at), MADV_WILLNEED);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    unmap();
    path_ = std::move(other.path_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

MappedFile::~MappedFile() { unmap(); }

void MappedFile::unmap() {
  if (data_ != nullptr) ::munmap(data_, size_);
  data_ = nullptr;
  size_ = 0;
}

absl::StatusOr<MappedFile> MappedFile::map(const std::string& path, int descriptor, uint64_t size,
                                           int protection, int flags) {
  MappedFile file;
  file.path_ = path;
  file.size_ = size;
  if (size == 0) return file;
  void* data = ::mmap(nullptr, size, protection, flags, descriptor, 0);
  if (data == MAP_FAILED) {
    file.size_ = 0;
    return systemError(absl::StrCat("cannot map ", size, " bytes of ", path), errno);
  }
  file.data_ = data;
  if (size >= kAnnouncedBytes) (void)::madvise(data, size, MADV_RANDOM);
  return file;
}

absl::StatusOr<MappedFile> MappedFile::openExisting(const std::string& path, int protection,
                                                    int flags) {
  Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.get() < 0) return systemError(absl::StrCat("cannot open ", path), errno);
  struct stat info;
  if (::fstat(descriptor.get(), &info) != 0) {
    return systemError(absl::StrCat("cannot read the size of ", path), errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));
  }
  return map(path, descriptor.get(), static_cast<uint64_t>(info.st_size), protection, flags);
}

absl::StatusOr<MappedFile> MappedFile::openReadOnly(const std::string& path) {
  return openExisting(path, PROT_READ, MAP_SHARED);
}

absl::StatusOr<MappedFile> MappedFile::openPrivate(const std::string& path) {
  return openExisting(path, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

absl::StatusOr<MappedFile> MappedFile::create(const std::string& path, uint64_t size) {
  Descriptor descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (descriptor.get() < 0) return systemError(absl::StrCat("cannot create ", path), errno);
  if (size != 0) {
    // Returns its error instead of setting errno.
    int error = ::posix_fallocate(descriptor.get(), 0, static_cast<off_t>(size));
    if (error != 0) {
      ::unlink(path.c_str());
      return systemError(absl::StrCat("cannot reserve ", size, " bytes for ", path), error);
    }
  }
  return map(path, descriptor.get(), size, PROT_READ | PROT_WRITE, MAP_SHARED);
}

}  // namespace lindero::runtime
