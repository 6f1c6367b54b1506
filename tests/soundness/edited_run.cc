#include "tests/soundness/edited_run.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "runtime/package/files.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"

namespace lindero::test {
namespace {

namespace fs = std::filesystem;

template <typename List>
int indexOf(const List& list, const std::string& name) {
  for (int i = 0; i < list.size(); ++i) {
    if (list.Get(i).name() == name) return i;
  }
  std::abort();
}

}  // namespace

int Edit::table(const std::string& name) const { return indexOf(circuit_.tables(), name); }

int Edit::column(const std::string& table, const std::string& name) const {
  return indexOf(circuit_.tables(this->table(table)).columns(), name);
}

absl::Span<uint32_t> Edit::fixedColumn(const std::string& table, const std::string& name) {
  const runtime::ColumnLayout layout(circuit_, 0);
  return layout.column(absl::MakeSpan(fixed_), static_cast<uint32_t>(this->table(table)),
                       static_cast<uint32_t>(column(table, name)));
}

void Edit::dropConstraint(const std::string& table, const std::string& name) {
  auto* constraints = circuit_.mutable_tables(this->table(table))->mutable_constraints();
  constraints->DeleteSubrange(indexOf(*constraints, name), 1);
}

uint32_t Edit::node(Node::Op op, uint32_t a, uint32_t b, int offset) {
  Node* n = circuit_.add_nodes();
  n->set_op(op);
  n->set_a(a);
  n->set_b(b);
  n->set_offset(offset);
  return static_cast<uint32_t>(circuit_.nodes_size() - 1);
}

uint32_t Edit::cell(const std::string& table, const std::string& column, int offset) {
  return node(Node::COLUMN, static_cast<uint32_t>(this->table(table)),
              static_cast<uint32_t>(this->column(table, column)), offset);
}

void Edit::swapChallenge(const std::string& table, const std::string& column,
                         const std::string& before, const std::string& now) {
  const auto from = static_cast<uint32_t>(indexOf(circuit_.challenges(), before));
  const auto to = static_cast<uint32_t>(indexOf(circuit_.challenges(), now));
  std::map<uint32_t, uint32_t> made;
  std::function<uint32_t(uint32_t)> clone = [&](uint32_t index) -> uint32_t {
    if (auto it = made.find(index); it != made.end()) return it->second;
    const Node n = circuit_.nodes(static_cast<int>(index));
    uint32_t result = index;
    if (n.op() == Node::CHALLENGE && n.a() == from) {
      result = node(Node::CHALLENGE, to);
    } else if (n.op() == Node::NEG || n.op() == Node::INVERSE) {
      result = node(n.op(), clone(n.a()));
    } else if (n.op() >= Node::ADD) {
      const uint32_t a = clone(n.a());
      result = node(n.op(), a, clone(n.b()));
    }
    return made[index] = result;
  };
  Table* t = circuit_.mutable_tables(this->table(table));
  Fraction* f = t->mutable_columns(this->column(table, column))->mutable_fraction();
  f->set_denominator(clone(f->denominator()));
  f->set_numerator(clone(f->numerator()));
  for (Constraint& c : *t->mutable_constraints()) {
    if (c.name() == column) c.set_node(clone(c.node()));
  }
}

Column* Edit::insertColumn(const std::string& table, int at) {
  const int t = this->table(table);
  auto* columns = circuit_.mutable_tables(t)->mutable_columns();
  for (Node& n : *circuit_.mutable_nodes()) {
    if (n.op() == Node::COLUMN && n.a() == static_cast<uint32_t>(t) &&
        n.b() >= static_cast<uint32_t>(at)) {
      n.set_b(n.b() + 1);
    }
  }
  for (Table& other : *circuit_.mutable_tables()) {
    for (Column& c : *other.mutable_columns()) {
      if (!c.has_gather()) continue;
      for (GatherSource& s : *c.mutable_gather()->mutable_sources()) {
        if (s.table() == static_cast<uint32_t>(t) && s.column() >= static_cast<uint32_t>(at)) {
          s.set_column(s.column() + 1);
        }
      }
    }
  }
  columns->Add();
  for (int i = columns->size() - 1; i > at; --i) columns->SwapElements(i, i - 1);
  return columns->Mutable(at);
}

absl::StatusOr<std::unique_ptr<EditedPackage>> EditedPackage::create(
    const std::string& path, const std::function<void(Edit&)>& edit) {
  auto edited = std::unique_ptr<EditedPackage>(new EditedPackage);
  std::string pattern = (fs::temp_directory_path() / "lindero_edited_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return absl::InternalError("no temporary folder");
  edited->folder_ = pattern;
  fs::copy(path, edited->folder_, fs::copy_options::recursive);
  const std::string circuit_file = edited->folder_ + "/" + runtime::kCircuitFile;
  const std::string fixed_file = edited->folder_ + "/" + runtime::kFixedFile;
  Circuit circuit;
  std::ifstream in(circuit_file, std::ios::binary);
  if (!circuit.ParseFromIstream(&in)) return absl::InternalError("cannot read the circuit");
  std::vector<uint32_t> fixed(fs::file_size(fixed_file) / sizeof(uint32_t));
  std::ifstream(fixed_file, std::ios::binary)
      .read(reinterpret_cast<char*>(fixed.data()),
            static_cast<std::streamsize>(fixed.size() * sizeof(uint32_t)));
  Edit edits(circuit, fixed);
  edit(edits);
  LINDERO_RETURN_IF_ERROR(runtime::writeFile(circuit_file, runtime::serializeProto(circuit)));
  LINDERO_RETURN_IF_ERROR(runtime::writeFile(
      fixed_file,
      std::string(reinterpret_cast<const char*>(fixed.data()), fixed.size() * sizeof(uint32_t))));
  LINDERO_ASSIGN_OR_RETURN(
      runtime::Package package,
      runtime::Package::open(edited->folder_, {.rules = runtime::AdaptiveRules::kIgnored}));
  edited->package_ = std::make_unique<runtime::Package>(std::move(package));
  return edited;
}

EditedPackage::~EditedPackage() {
  if (!folder_.empty()) fs::remove_all(folder_);
}

}  // namespace lindero::test
