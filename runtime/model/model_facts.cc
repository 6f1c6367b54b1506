#include "runtime/model/model_facts.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

namespace lindero::compiler {
namespace {

using Json = nlohmann::ordered_json;

TensorFacts tensorFacts(std::string name, const ir::Type& type) {
  return {.name = std::move(name),
          .integer = type.element == ir::Element::kInt,
          .shape = {type.shape.begin(), type.shape.end()}};
}

void addOutputs(const ir::Op& terminator, ModelFacts& facts) {
  const ir::Attribute* names = terminator.find("names");
  const auto* list = names ? std::get_if<std::vector<std::string>>(names) : nullptr;
  for (unsigned i = 0; i < terminator.numOperands(); ++i) {
    std::string name = list && i < list->size() ? (*list)[i] : absl::StrCat("output", i);
    facts.outputs.push_back(tensorFacts(std::move(name), terminator.operand(i)->type()));
  }
}

// A tied head is stored twice, the second time transposed.
bool isTransposed(const ir::Constant& a, const ir::Constant& b) {
  if (a.scalar != ir::Scalar::kF32 || b.scalar != a.scalar || a.shape.size() != 2 ||
      b.shape.size() != 2 || a.shape[0] != b.shape[1] || a.shape[1] != b.shape[0] ||
      a.declaredOnly() || b.declaredOnly()) {
    return false;
  }
  llvm::ArrayRef<float> x = a.as<float>(), y = b.as<float>();
  for (int64_t i = 0; i < a.shape[0]; ++i) {
    for (int64_t j = 0; j < a.shape[1]; ++j) {
      if (x[i * a.shape[1] + j] != y[j * a.shape[0] + i]) return false;
    }
  }
  return true;
}

// Elements of the distinct constants.
int64_t countParameters(llvm::ArrayRef<const ir::Constant*> constants) {
  int64_t count = 0;
  for (size_t i = 0; i < constants.size(); ++i) {
    bool tied = llvm::any_of(constants.take_front(i), [&](const ir::Constant* other) {
      return isTransposed(*constants[i], *other);
    });
    if (!tied) count += constants[i]->elements();
  }
  return count;
}

Json toJson(const std::vector<TensorFacts>& tensors) {
  Json list = Json::array();
  for (const TensorFacts& tensor : tensors) {
    list.push_back({{"name", tensor.name},
                    {"element", tensor.integer ? "int" : "float"},
                    {"shape", tensor.shape}});
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

const TensorFacts* ModelFacts::input(llvm::StringRef name) const {
  for (const TensorFacts& tensor : inputs) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

ModelFacts modelFacts(const ir::Function& function) {
  ModelFacts facts;
  for (const auto& argument : function.body().arguments()) {
    facts.inputs.push_back(tensorFacts(argument->name().str(), argument->type()));
  }
  facts.causal = true;
  llvm::SmallSetVector<const ir::Constant*, 32> constants;  // one that two ops share is one
  for (const ir::Op& op : function.body().ops()) {
    if (op.is("tensor.constant")) {
      const ir::Constant* constant = function.module()->constants().find(op.symbolAttr("value"));
      if (constant) constants.insert(constant);
    } else if (op.is("tensor.attention")) {
      facts.causal &= op.boolAttr("causal");
    } else if (op.is("tensor.embedding")) {
      facts.vocabulary = op.operand(1)->type().shape[0];
    } else if (op.def().terminator) {
      addOutputs(op, facts);
    }
  }
  facts.parameters = countParameters(constants.getArrayRef());
  return facts;
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
  return absl::StrCat(tensor.integer ? "int [" : "float [", absl::StrJoin(tensor.shape, ", "), "]");
}

}  // namespace lindero::compiler
