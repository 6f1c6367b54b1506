// The ONNX library's own tests of operators: each that is made of supported ops is imported and
// computes what is expected, or is refused for a reason that is listed here.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ir/dialects.h"
#include "tests/onnx_node/library/example.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero {
namespace {

namespace fs = std::filesystem;

// What messages say of tests that do not pass. First what is no op's fault, then parts of ops.
constexpr const char* kRefusals[] = {
    "must be finite",                // an example with other numbers
    "of domain",                     // an op that is not supported
    "is not supported: export",      // an old opset
    "the model imports no opset",    // of the ONNX domain
    "is not a tensor with a shape",  // sequences and optionals
    "is not a tensor",
    "data type",            // strings, complex numbers, 8 bits and fewer
    "depends on the data",  // shapes, axes and bounds that are computed
    "training mode",
    "nan instead of inf",             // remainders of infinities
    "index 5 is outside of an axis",  // what OneHot reads as no place at all
    "scales that make no whole sizes",
};

TEST(LibraryTest, EverySupportedOpPasses) {
  ir::registerAllDialects();
  int passed = 0;
  std::set<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(LINDERO_ONNX_NODE_TESTS))
    folders.insert(entry.path());
  testing::ScratchFolder scratch;
  for (const fs::path& folder : folders) {
    // The identity here (compiler/onnx_import/definitions.h).
    if (folder.filename().string().starts_with("test_dynamicquantizelinear")) continue;
    const auto example = testing::readExample(folder);
    if (!example) continue;
    const absl::Status status = testing::runFloat(*example, scratch.file("model.onnx"));
    passed += status.ok();
    const bool listed = std::any_of(
        std::begin(kRefusals), std::end(kRefusals),
        [&](const char* text) { return status.message().find(text) != std::string::npos; });
    EXPECT_TRUE(status.ok() || listed) << folder.filename() << ": " << status;
  }
  EXPECT_GE(passed, 1500);
}

}  // namespace
}  // namespace lindero
