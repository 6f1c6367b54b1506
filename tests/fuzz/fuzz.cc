#include "tests/fuzz/fuzz.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/package/files.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace lindero::fuzz {
namespace {

constexpr uint64_t kMostBytes = uint64_t{1} << 28;
constexpr size_t kGrowth = 64;

}  // namespace

std::string seedPath(absl::string_view name) {
  const char* folder = std::getenv("LINDERO_FUZZ");
  if (folder == nullptr) {
    std::fprintf(stderr, "LINDERO_FUZZ names the folder of the seeds: see tests/fuzz/run\n");
    std::exit(1);
  }
  return absl::StrCat(folder, "/", name);
}

std::string seed(absl::string_view name) {
  absl::StatusOr<std::string> bytes = runtime::readFile(seedPath(name), kMostBytes);
  if (bytes.ok()) return *std::move(bytes);
  std::fprintf(stderr, "%s\n", std::string(bytes.status().message()).c_str());
  std::exit(1);
}

void demand(bool holds, absl::string_view property) {
  if (holds) return;
  std::fprintf(stderr, "it does not hold that %s\n", std::string(property).c_str());
  std::abort();
}

void change(std::string& field) {
  const size_t size = field.size();
  field.resize(size + kGrowth);
  field.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(field.data()), size, field.size()));
}

size_t changeInside(uint8_t* data, size_t size, size_t most,
                    absl::FunctionRef<bool(std::string& input)> inside) {
  std::string input(textOf(data, size));
  if (!inside(input) || input.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, input.data(), input.size());
  return input.size();
}

}  // namespace lindero::fuzz
