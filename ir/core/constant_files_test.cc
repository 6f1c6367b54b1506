#include "ir/core/constant_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace lindero::ir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ConstantFilesTest : public ::testing::Test {
 protected:
  ConstantFilesTest() {
    std::filesystem::remove_all(folder_);
    module_.constants().addOwned<int32_t>("w", {2}, {7, -7});
  }
  ~ConstantFilesTest() override { std::filesystem::remove_all(folder_); }

  const Constant& w() { return *module_.constants().find("w"); }
  std::string folder_ = ::testing::TempDir() + "constant_files/" +
                        ::testing::UnitTest::GetInstance()->current_test_info()->name();
  Module module_;
};

TEST_F(ConstantFilesTest, WhatIsSavedLoads) {
  ASSERT_TRUE(saveConstants(module_, folder_).ok());
  ASSERT_TRUE(saveConstants(module_, folder_).ok());  // nothing left to do
  auto loaded = loadConstantsFrom(folder_)(w());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(loaded->as<int32_t>(), ElementsAre(7, -7));
  EXPECT_EQ(loaded->name, "w");
  // The temporary file is gone.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(ConstantFilesTest, MissingAndDamagedFilesAreErrors) {
  ConstantLoader load = loadConstantsFrom(folder_);
  EXPECT_THAT(load(w()).status().ToString(), HasSubstr("the bytes of @w are not in "));
  ASSERT_TRUE(saveConstants(module_, folder_).ok());
  std::string path = folder_ + "/" + w().sha256() + ".bin";
  std::ofstream(path) << "1234";
  EXPECT_THAT(load(w()).status().ToString(), HasSubstr("has 4 bytes, but @w has 8"));
  std::ofstream(path) << "12345678";
  EXPECT_THAT(load(w()).status().ToString(), HasSubstr("have another digest"));
}

TEST_F(ConstantFilesTest, UnwritableFolderIsAnError) {
  EXPECT_THAT(saveConstants(module_, "/dev/null/folder").ToString(),
              HasSubstr("cannot make the folder"));
}

}  // namespace
}  // namespace lindero::ir
