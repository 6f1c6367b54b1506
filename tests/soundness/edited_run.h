// A toy run whose circuit and fixed columns were changed after it was made: planted faults, which a
// reader of packages need not let pass.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/package/package.h"

namespace lindero::test {

// The parts of a package that faults are planted in.
class Edit {
 public:
  Edit(Circuit& circuit, std::vector<uint32_t>& fixed) : circuit_(circuit), fixed_(fixed) {}

  Circuit& circuit() { return circuit_; }
  int table(const std::string& name) const;
  int column(const std::string& table, const std::string& name) const;
  absl::Span<uint32_t> fixedColumn(const std::string& table, const std::string& name);

  void dropConstraint(const std::string& table, const std::string& name);
  // Of a fraction column and its constraint: one challenge instead of another.
  void swapChallenge(const std::string& table, const std::string& column, const std::string& before,
                     const std::string& now);
  // Makes room for a column of a challenge phase: at this place, others move.
  Column* insertColumn(const std::string& table, int at);

  uint32_t node(Node::Op op, uint32_t a = 0, uint32_t b = 0, int offset = 0);
  uint32_t cell(const std::string& table, const std::string& column, int offset = 0);

 private:
  Circuit& circuit_;
  std::vector<uint32_t>& fixed_;
};

// A copy of the package in a folder of its own, with the change.
class EditedPackage {
 public:
  static absl::StatusOr<std::unique_ptr<EditedPackage>> create(
      const std::string& path, const std::function<void(Edit&)>& edit);
  ~EditedPackage();  // removes the folder

  const std::string& path() const { return folder_; }
  const runtime::Package& package() const { return *package_; }

 private:
  EditedPackage() = default;

  std::string folder_;
  std::unique_ptr<runtime::Package> package_;
};

}  // namespace lindero::test
