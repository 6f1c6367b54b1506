// What may be computed with the outputs of DynamicQuantizeLinear.
//
// The op is taken as the identity (definitions.h): its integers are the activation, the scale is 1
// and the zero point 0. That gives what the file means, but for the rounding, exactly where
// integers less their zero point, moved, summed up and multiplied with constants, are multiplied
// with the scale in the end. All else is refused: a model that adds to the integers, or computes
// with the scale, would compute something else.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "onnx/onnx_pb.h"

namespace lindero::compiler {

class DynamicScales {
 public:
  // To be called for each node before it is computed, in order. kUnimplemented: it computes
  // something else.
  absl::Status read(const onnx::NodeProto& node,
                    const std::function<bool(const std::string&)>& is_constant);
  // `name` is `other`, of a branch.
  void alias(const std::string& name, const std::string& other);
  // Of a graph's output.
  absl::Status checkOutput(const std::string& name) const;

 private:
  // Of the activations that these nodes quantize: their integers, to be multiplied with all of
  // their scales; the scales; or one's zero point.
  enum class Role { kIntegers, kScales, kZeroPoint };
  struct Kind {
    Role role;
    std::set<std::string> nodes;
    bool operator==(const Kind&) const = default;
  };

  const Kind* find(const std::string& name) const;
  const Kind* find(const onnx::NodeProto& node, int input) const;
  bool readProduct(const onnx::NodeProto& node);
  bool readScaled(const onnx::NodeProto& node,
                  const std::function<bool(const std::string&)>& is_constant);
  bool readMoved(const onnx::NodeProto& node);

  std::map<std::string, Kind> kinds_;
};

}  // namespace lindero::compiler
