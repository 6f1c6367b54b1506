// program.pb of a package: whatever is accepted runs, on the seed's inputs and circuit, and fills a
// trace.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.h"
#include "runtime/trace/generate_trace.h"
#include "tests/fuzz/fuzz.h"

namespace lindero::fuzz {
namespace {

namespace fs = std::filesystem;

// A program may ask for all memory there is; that is said before it runs, and refused here.
constexpr uint64_t kMostElements = uint64_t{1} << 22;

struct World {
  std::string package;
  Statement statement;
  std::vector<uint32_t> main;

  World() {
    std::string folder = fs::temp_directory_path() / "program_fuzzer.XXXXXX";
    demand(mkdtemp(folder.data()) != nullptr, "there is room for a package");
    package = folder + "/package";
    fs::copy(seedPath("package"), package, fs::copy_options::recursive);
    absl::StatusOr<Statement> read = runtime::decodeStatement(seed("statement"));
    demand(read.ok(), read.status().message());
    for (const PublicValues& tensor : read->tensors()) {
      if (tensor.kind() == PublicValues::INPUT) *statement.add_tensors() = tensor;
    }
    statement.set_format(read->format());
  }
  ~World() {
    std::error_code ignored;
    fs::remove_all(fs::path(package).parent_path(), ignored);
  }
};

void read(absl::string_view bytes) {
  static World world;
  std::ofstream(absl::StrCat(world.package, "/", runtime::kProgramFile), std::ios::binary) << bytes;
  absl::StatusOr<runtime::Package> package = runtime::Package::open(world.package);
  if (!package.ok() || package->programInfo().peak_elements > kMostElements) return;
  world.main.assign(package->traceLayout().cells(), 0);
  runtime::TraceOptions options;
  options.threads = 1;
  options.multiplicities = false;  // what is looked up, the circuit says
  (void)runtime::generateTrace(*package, world.statement, absl::MakeSpan(world.main), options);
}

}  // namespace
}  // namespace lindero::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lindero::fuzz::read(lindero::fuzz::textOf(data, size));
  return 0;
}
