#include "compiler/estimate/estimate.h"

#include <string>

#include "gtest/gtest.h"

namespace lindero::compiler {
namespace {

using runtime::ProverOptions;

// Of a char GPT, as setup chooses them: 186, 113 and 92 queries, and 85, 41 and 28.
TEST(Estimate, ExpectsAboutAsManyQueriesAsSetupChooses) {
  struct Case {
    std::string regime, prefer;
    double queries;
  };
  for (const Case& c : std::initializer_list<Case>{{"proven", "speed", 186},
                                                   {"proven", "balance", 113},
                                                   {"proven", "size", 92},
                                                   {"list-decoding", "speed", 85},
                                                   {"list-decoding", "balance", 41},
                                                   {"list-decoding", "size", 28}}) {
    ProverOptions options;
    options.regime = c.regime;
    options.prefer = c.prefer;
    EXPECT_NEAR(expectedParameters(options).queries(), c.queries, 0.1 * c.queries)
        << c.regime << ", " << c.prefer;
  }
}

}  // namespace
}  // namespace lindero::compiler
