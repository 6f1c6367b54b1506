// Writes a circuit package: everything goes to a folder beside the destination, which takes its
// place at the end.
//
//     LINDERO_ASSIGN_OR_RETURN(
//         auto writer, PackageWriter::create("model.lindero", circuit, program));
//     fill(writer.fixedColumn(table, column)) … writer.addFile("report.json", json) …
//     writer.finish()
//
// A writer that is dropped before `finish` leaves nothing behind.
#ifndef LINDERO_RUNTIME_PACKAGE_PACKAGE_WRITER_H_
#define LINDERO_RUNTIME_PACKAGE_PACKAGE_WRITER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/package/package.h"

namespace lindero::runtime {

// Whether a package may be written there: nothing, an empty folder, or a package to replace.
absl::Status checkDestination(const std::string& path);

// Puts a finished package folder in place, instead of the package that may be there. Both are on
// one file system.
absl::Status installPackage(const std::string& folder, const std::string& path);

class PackageWriter {
 public:
  // Refuses a circuit, a program or a bundle that Package::open would refuse. `path` may name a
  // package that exists: `finish` replaces it. Any other existing file or folder is an error. With
  // a bundle of several members it is the folder of one of them: bundle.pb goes to the package's.
  static absl::StatusOr<PackageWriter> create(const std::string& path, const Circuit& circuit,
                                              const Program& program,
                                              const Bundle& bundle = bundleOfOne());

  PackageWriter(PackageWriter&& other) noexcept;
  PackageWriter& operator=(PackageWriter&&) = delete;
  ~PackageWriter();

  // A column of phase 0, zero until written; canonical residues only.
  absl::Span<uint32_t> fixedColumn(uint32_t table, uint32_t column) {
    return layout_->column(fixed_.mutableWords(), table, column);
  }

  // A further file of the package; a plain name without folders.
  absl::Status addFile(absl::string_view name, absl::string_view bytes);

  // Checks the fixed cells, then puts the folder in place.
  absl::Status finish();

 private:
  PackageWriter() = default;

  std::string path_;
  std::string folder_;  // the one beside; empty when there is nothing to clean up
  const Circuit* circuit_ = nullptr;
  std::unique_ptr<ColumnLayout> layout_;
  MappedFile fixed_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_PACKAGE_WRITER_H_
