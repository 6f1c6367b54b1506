// circuit.pb of a package, or of a key.
#include "runtime/package/package.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/statement.h"
#include "tests/fuzz/fuzz.h"

namespace lindero::fuzz {
namespace {

void read(absl::string_view bytes) {
  Circuit circuit;
  if (!runtime::parseProto(bytes, "circuit.pb", circuit).ok()) return;
  const bool holds = runtime::analyzeCircuit(circuit).ok();
  absl::StatusOr<runtime::CircuitInfo> info =
      runtime::analyzeCircuit(circuit, runtime::AdaptiveRules::kIgnored);
  demand(!holds || info.ok(), "the adaptive rules only refuse");
  if (!info.ok()) return;
  for (uint32_t phase : {0, 1}) {
    const runtime::ColumnLayout layout(circuit, phase);
    demand(layout.bytes() / sizeof(uint32_t) == layout.cells(), "a file's size has 64 bits");
  }
  for (const Table& table : circuit.tables()) {
    (void)runtime::findInstance(table, runtime::tableHeight(table) - 1);
    for (const Column& column : table.columns()) {
      if (column.generator_case() == Column::GENERATOR_NOT_SET) continue;
      for (uint32_t node : runtime::generatorNodes(column)) {
        demand(node < info->nodes.size(), "generators read nodes that exist");
      }
    }
  }
  static const auto* statement =
      new absl::StatusOr<Statement>(runtime::decodeStatement(seed("statement")));
  demand(statement->ok(), statement->status().message());
  (void)runtime::checkStatement(circuit, **statement);
}

}  // namespace
}  // namespace lindero::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lindero::fuzz::read(lindero::fuzz::textOf(data, size));
  return 0;
}
