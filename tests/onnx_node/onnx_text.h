// Makes ONNX files from ONNX's own text form, for tests.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "onnx/defs/parser.h"
#include "onnx/onnx_pb.h"

namespace lindero::testing {

// A folder of its own for the running test, removed with it.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = ::testing::TempDir() + "lindero_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }

 private:
  std::filesystem::path path_;
};

// `text` is a graph, "agraph (float[2] x) => (float[2] y) { y = Relu(x) }", and whatever follows
// it.
inline onnx::ModelProto parseModel(const std::string& text, int opset = 17) {
  onnx::ModelProto model;
  const std::string header =
      "<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) + ", \"local\" : 1]>\n";
  const std::string whole = header + text;
  onnx::Common::Status status = onnx::OnnxParser::Parse(model, whole.c_str());
  EXPECT_TRUE(status.IsOK()) << status.ErrorMessage();
  return model;
}

}  // namespace lindero::testing
