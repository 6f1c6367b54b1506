#include "compiler/doctor/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/onnx_node/onnx_text.h"

namespace lindero::compiler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DoctorTest : public ::testing::Test {
 protected:
  Diagnosis diagnoseText(const std::string& graph, const ModelOptions& options = {}) {
    runtime::Monitor monitor;
    const std::string bytes = testing::parseModel(graph).SerializeAsString();
    auto found = diagnose(folder_.write("m.onnx", bytes), options, {}, monitor);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *found : Diagnosis();
  }

  testing::ScratchFolder folder_;
};

std::vector<Error> kindsOf(const Diagnosis& found) {
  std::vector<Error> kinds;
  for (const Problem& problem : found.problems) kinds.push_back(problem.kind);
  return kinds;
}

TEST_F(DoctorTest, SaysWhereNodesWent) {
  const Diagnosis found = diagnoseText(
      "g (float[4,3] x) => (float[4,2] y) <float[3,2] w = {1, 2, 3, 4, 5, 6}, float[1] a = {1}>"
      "{ s = Add(a, a) p = MatMul(x, w) q = Mul(p, s) y = Relu(q) }");
  EXPECT_THAT(found.problems, IsEmpty());
  EXPECT_TRUE(found.facts);
  ASSERT_EQ(found.costs.size(), 1u);
  EXPECT_GT(found.costs[0].estimate.online_cells, 0);
  EXPECT_THAT(found.gone, ElementsAre("Add_0"));
  ASSERT_EQ(found.verifier.size(), 2u);
  EXPECT_EQ(found.verifier[0].elements + found.verifier[1].elements, 12 + 8);
}

TEST_F(DoctorTest, GoesOnWithAnAssumedSize) {
  const Diagnosis found = diagnoseText("g (float[N,M] x) => (float[N,M] y) { y = Relu(x) }");
  EXPECT_THAT(kindsOf(found), ElementsAre(Error::kUnboundDimension, Error::kUnboundDimension));
  EXPECT_EQ(found.assumed_dim, 16);
  ASSERT_EQ(found.costs.size(), 1u);
}

TEST_F(DoctorTest, ListsWhatDoesNotFollowFromEachOther) {
  const Diagnosis found = diagnoseText(
      "g (float[3,3] x) => (float[3,3] y, float[3,3] z)"
      "{ y = Bernoulli(x) a = Relu(x) b = RandomNormalLike(a) c = Relu(b) z = Transpose<perm = [0, "
      "0]>(x) }");
  EXPECT_THAT(kindsOf(found), ElementsAre(Error::kUnsupported, Error::kUnsupported));
  EXPECT_THAT(found.problems[0].text, HasSubstr("'Bernoulli_0'"));
  EXPECT_THAT(found.problems[1].text, HasSubstr("'RandomNormalLike_2'"));
}

TEST_F(DoctorTest, RefusesWrongOptions) {
  runtime::Monitor monitor;
  ModelOptions options;
  options.lower.lanes = 3;
  EXPECT_EQ(errorOf(diagnose("m.onnx", options, {}, monitor).status()), Error::kUsage);
}

}  // namespace
}  // namespace lindero::compiler
