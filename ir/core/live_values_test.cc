#include "ir/core/live_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "ir/core/text.h"
#include "ir/dialects.h"

namespace lindero::ir {
namespace {

using Numbers = std::vector<int>;

constexpr llvm::StringRef kText = R"(
constant @c : f32[9] sha256:0000000000000000000000000000000000000000000000000000000000000000
func @main(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %c = tensor.constant {value = @c} : tensor<9xf32>
  %a = tensor.exp(%x) : tensor<2xf32>
  %unread = tensor.exp(%a) : tensor<7xf32>
  %b = tensor.add(%a, %a) : tensor<2xf32>
  %d = tensor.neg(%b) : tensor<2xf32>
  tensor.return(%x, %d)
}
)";

class LiveValuesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    registerAllDialects();
    auto module = parse(kText);
    ASSERT_TRUE(module.ok()) << module.status();
    module_ = *std::move(module);
    for (const Op& op : main().body().ops()) ops_.push_back(&op);
  }
  const Function& main() const { return *module_->findFunction("main"); }
  const Value& argument() const { return *main().body().arguments()[0]; }
  const Op& op(size_t i) const { return *ops_[i]; }

 private:
  std::unique_ptr<Module> module_;
  std::vector<const Op*> ops_;
};

TEST_F(LiveValuesTest, KeepsAValueUntilItsLastReader) {
  LiveValues<Numbers> values;
  const Value& a = *op(1).result();
  values.own(a, {1, 2});
  values.release(op(2));
  EXPECT_EQ(*values.find(a), (Numbers{1, 2}));
  EXPECT_EQ(values.find(argument()), nullptr);
  values.release(op(3));  // reads it twice
  EXPECT_EQ(values.find(a), nullptr);
}

TEST_F(LiveValuesTest, KeepsNothingThatNobodyReads) {
  LiveValues<Numbers> values;
  values.own(*op(2).result(), {1});
  EXPECT_EQ(values.find(*op(2).result()), nullptr);
}

TEST_F(LiveValuesTest, HandsOnWithoutACopyWhatNobodyElseReads) {
  LiveValues<Numbers> values;
  const Numbers given = {1, 2};
  values.borrow(argument(), given);
  values.own(*op(4).result(), {3, 4});
  const int* place = values.find(*op(4).result())->data();
  EXPECT_EQ(values.take(*op(4).result()).data(), place);
  EXPECT_EQ(values.take(argument()), given);  // not its own: a copy
  values.own(*op(1).result(), {5, 6});
  EXPECT_EQ(values.take(*op(1).result()), (Numbers{5, 6}));  // op(2), op(3) still read it
  EXPECT_EQ(*values.find(*op(1).result()), (Numbers{5, 6}));
}

// x, a and what nobody reads: 2 + 2 + 7.
TEST_F(LiveValuesTest, CountsTheElementsThatLiveAtATime) {
  EXPECT_EQ(mostLiveElements(main()), 11);
}

}  // namespace
}  // namespace lindero::ir
