// The integer interpreter on the command line: what a model's integer program gives, by definition.
//
//     interpret model.onnx --exponents exponents.json [options of `lindero compile`] < inputs.json
//
// reads a list of runs, each an object of input name -> integers, and prints the list of their
// outputs in the same form.
#include <iostream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "ir/integer/interpreter.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/context.h"
#include "tools/lindero/model_options.h"

namespace lindero::cli {
namespace {

using ir::integer::IntArray;

absl::StatusOr<std::vector<IntArray>> readInputs(const ir::Function& function, const Json& run) {
  std::vector<IntArray> inputs;
  for (const auto& argument : function.body().arguments()) {
    auto found = run.find(argument->name().str());
    if (found == run.end() || !found->is_array()) {
      return absl::InvalidArgumentError(absl::StrCat("no input '", argument->name().str(), "'"));
    }
    IntArray& input = inputs.emplace_back();
    input.shape.assign(argument->type().shape.begin(), argument->type().shape.end());
    for (const Json& value : *found) input.values.push_back(value.get<int64_t>());
  }
  return inputs;
}

absl::StatusOr<Json> interpretAll(const ir::Function& function, const Json& runs) {
  const ir::Op& end = *function.body().terminator();
  auto names = std::get<std::vector<std::string>>(*end.find("names"));
  Json all = Json::array();
  for (const Json& run : runs) {
    LINDERO_ASSIGN_OR_RETURN(auto inputs, readInputs(function, run));
    LINDERO_ASSIGN_OR_RETURN(auto results, ir::integer::interpret(function, inputs));
    Json outputs;
    for (size_t i = 0; i < results.size(); ++i) outputs[names[i]] = results[i].values;
    all.push_back(std::move(outputs));
  }
  return all;
}

int run(int argc, char** argv) {
  CLI::App app("Runs the integer interpreter", "interpret");
  std::string model;
  ModelOptions options;
  app.add_option("model", model)->required();
  addModelOptions(app, options);
  CLI11_PARSE(app, argc, argv);
  options.measured = 0;
  Json runs = Json::parse(std::string(std::istreambuf_iterator<char>(std::cin), {}));
  Context context(false);
  runtime::Monitor& monitor = context.monitor();
  absl::StatusOr<compiler::PreparedModel> prepared =
      compiler::prepareModel(model, options, monitor);
  if (!prepared.ok()) return context.finish(prepared.status());
  if (absl::Status status = compiler::lowerModel(options, 0, *prepared, monitor); !status.ok()) {
    return context.finish(status);
  }
  absl::StatusOr<Json> outputs = interpretAll(prepared->compilation.integerFunction(), runs);
  if (!outputs.ok()) return context.finish(outputs.status());
  std::cout << *outputs << "\n";
  return 0;
}

}  // namespace
}  // namespace lindero::cli

int main(int argc, char** argv) { return lindero::cli::run(argc, argv); }
