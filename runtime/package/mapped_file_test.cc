#include "runtime/package/mapped_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

namespace lindero::runtime {
namespace {

constexpr uint64_t kWords = uint64_t{1} << 20, kPageWords = 1024;

// How many pages of the words are in memory. Both ends are those of pages.
int64_t pagesInMemory(absl::Span<const uint32_t> words) {
  std::vector<unsigned char> pages(words.size() / kPageWords);
  EXPECT_EQ(::mincore(const_cast<uint32_t*>(words.data()), words.size() * 4, pages.data()), 0);
  return std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; });
}

class ReadAhead : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<MappedFile> made = MappedFile::create(path_, 4 * kWords);
    ASSERT_TRUE(made.ok()) << made.status();
    std::iota(made->mutableWords().begin(), made->mutableWords().end(), 0);
    *made = MappedFile();
    const int descriptor = ::open(path_.c_str(), O_RDONLY);
    ASSERT_EQ(::fsync(descriptor), 0);
    ASSERT_EQ(::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED), 0);
    ::close(descriptor);
    absl::StatusOr<MappedFile> file = MappedFile::openReadOnly(path_);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *std::move(file);
    if (pagesInMemory(file_.words()) > 0) GTEST_SKIP() << "what is on this disk stays in memory";
  }
  void TearDown() override { ::unlink(path_.c_str()); }

  const std::string path_ = ::testing::TempDir() + "/read_ahead.bin";
  MappedFile file_;
};

TEST_F(ReadAhead, BringsWhatIsAnnouncedAndNoMore) {
  const absl::Span<const uint32_t> words = file_.words(),
                                   middle = words.subspan(kWords / 4, kWords / 2);
  // From within a page to within a page.
  readAhead(middle.subspan(10, middle.size() - 20));
  const auto pages = static_cast<int64_t>(middle.size() / kPageWords);
  for (int tries = 0; tries < 1000 && pagesInMemory(middle) < pages; ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(pagesInMemory(middle), pages);
  EXPECT_EQ(pagesInMemory(words), pages);
  EXPECT_EQ(words[kWords / 3], kWords / 3);
}

TEST_F(ReadAhead, OfNothingIsNothing) {
  readAhead({});
  readAhead(file_.words().subspan(5, 0));
  EXPECT_EQ(pagesInMemory(file_.words()), 0);
}

}  // namespace
}  // namespace lindero::runtime
