#include "runtime/model/model_facts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lindero::runtime {
namespace {

using Json = nlohmann::ordered_json;

Json toJson(const std::vector<TensorFacts>& tensors) {
  Json list = Json::array();
  for (const TensorFacts& tensor : tensors) {
    Json entry = {{"name", tensor.name},
                  {"element", tensor.integer ? "int" : "float"},
                  {"shape", tensor.shape}};
    if (!tensor.onnx_shape.empty()) entry["onnx_shape"] = tensor.onnx_shape;
    if (tensor.unread) entry["unread"] = true;
    if (tensor.values > 0) entry["values"] = tensor.values;
    list.push_back(std::move(entry));
  }
  return list;
}

// Reads members of an object; the first one that is missing or of another type is kept.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  template <typename T>
  void read(const char* key, T& value) {
    auto found = json_.find(key);
    if (found == json_.end() || !readValue(*found, value)) failed_ = failed_ ? failed_ : key;
  }
  const char* failed() const { return failed_; }

 private:
  static bool readValue(const Json& json, std::string& value) {
    const auto* text = json.get_ptr<const std::string*>();
    if (text != nullptr) value = *text;
    return text != nullptr;
  }
  static bool readValue(const Json& json, bool& value) {
    const auto* boolean = json.get_ptr<const bool*>();
    if (boolean != nullptr) value = *boolean;
    return boolean != nullptr;
  }
  static bool readValue(const Json& json, int64_t& value) {
    if (!json.is_number_integer()) return false;
    value = json.get<int64_t>();
    return true;
  }
  static bool readValue(const Json& json, std::vector<int64_t>& value) {
    if (!json.is_array()) return false;
    value.resize(json.size());
    for (size_t i = 0; i < value.size(); ++i) {
      if (!readValue(json[i], value[i])) return false;
    }
    return true;
  }
  static bool readValue(const Json& json, std::vector<TensorFacts>& tensors) {
    if (!json.is_array()) return false;
    for (const Json& entry : json) {
      TensorFacts tensor;
      std::string element;
      if (!entry.is_object()) return false;
      Reader reader(entry);
      reader.read("name", tensor.name);
      reader.read("element", element);
      reader.read("shape", tensor.shape);
      if (entry.contains("onnx_shape")) reader.read("onnx_shape", tensor.onnx_shape);
      if (entry.contains("unread")) reader.read("unread", tensor.unread);
      if (entry.contains("values")) reader.read("values", tensor.values);
      if (reader.failed() || (element != "int" && element != "float")) return false;
      tensor.integer = element == "int";
      tensors.push_back(std::move(tensor));
    }
    return true;
  }

  const Json& json_;
  const char* failed_ = nullptr;
};

}  // namespace

const TensorFacts* ModelFacts::input(absl::string_view name) const {
  for (const TensorFacts& tensor : inputs) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

Json toJson(const ModelFacts& facts) {
  return {{"file", facts.file},
          {"sha256", facts.sha256},
          {"parameters", facts.parameters},
          {"causal", facts.causal},
          {"vocabulary", facts.vocabulary},
          {"inputs", toJson(facts.inputs)},
          {"outputs", toJson(facts.outputs)}};
}

absl::StatusOr<ModelFacts> modelFactsFromJson(const Json& json) {
  if (!json.is_object()) return absl::InvalidArgumentError("\"model\" is not an object");
  ModelFacts facts;
  Reader reader(json);
  reader.read("file", facts.file);
  reader.read("sha256", facts.sha256);
  reader.read("parameters", facts.parameters);
  reader.read("causal", facts.causal);
  reader.read("vocabulary", facts.vocabulary);
  reader.read("inputs", facts.inputs);
  reader.read("outputs", facts.outputs);
  if (reader.failed()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"model\" has no valid member \"", reader.failed(), "\""));
  }
  return facts;
}

std::string describe(const TensorFacts& tensor) {
  const std::string shape = absl::StrJoin(tensor.shape, ", ");
  std::string text = absl::StrCat(tensor.integer ? "int [" : "float [", shape, "]");
  if (tensor.integer && tensor.values == 2) absl::StrAppend(&text, " of 0 and 1");
  if (tensor.onnx_shape.empty()) return text;
  return absl::StrCat(text, " (in the ONNX file [", absl::StrJoin(tensor.onnx_shape, ", "), "])");
}

std::string describeInputs(const ModelFacts& facts) {
  return absl::StrJoin(facts.inputs, ", ", [](std::string* out, const TensorFacts& tensor) {
    absl::StrAppend(out, "'", tensor.name, "' (", describe(tensor), ")");
  });
}

}  // namespace lindero::runtime
