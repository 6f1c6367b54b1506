// The circuit package: a folder that holds a circuit, its fixed columns and its trace program, or
// such folders for several lengths (FORMAT.md).
//
// Opening a package validates everything that later code relies on: a Package in hand has indices
// in range, topological order, sizes that match. The fixed columns are memory-mapped and stay on
// disk until they are read; that their cells are canonical residues is checked by
// `checkFixedValues`, which reads all of them.
#ifndef LINDERO_RUNTIME_PACKAGE_PACKAGE_H_
#define LINDERO_RUNTIME_PACKAGE_PACKAGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/package/bundle.h"
#include "runtime/package/circuit_info.h"
#include "runtime/package/digest.h"
#include "runtime/package/mapped_file.h"
#include "runtime/package/program_info.h"

namespace lindero::runtime {

inline constexpr char kBundleFile[] = "bundle.pb";
inline constexpr char kCircuitFile[] = "circuit.pb";
inline constexpr char kFixedFile[] = "fixed.bin";
inline constexpr char kProgramFile[] = "program.pb";
inline constexpr char kExponentsFile[] = "exponents.json";
inline constexpr char kReportFile[] = "report.json";
inline constexpr char kModelFile[] = "model.json";
inline constexpr char kKeyFile[] = "model.key";

// A package of decode runs holds packages for several lengths, its buckets, in folders of this
// name.
std::string bucketFolder(const std::string& package, int64_t bucket);
// Their lengths, ascending; empty for any other package.
std::vector<int64_t> listBuckets(const std::string& package);

// Where the columns of phase 0 (fixed.bin) or 1 (trace.bin) stand in their file, in cells of 4
// bytes.
class ColumnLayout {
 public:
  // Requires a checked circuit.
  ColumnLayout(const Circuit& circuit, uint32_t phase);

  uint64_t cells() const { return cells_; }
  uint64_t bytes() const { return cells_ * sizeof(uint32_t); }
  // `column` is the index into Table.columns.
  uint64_t offset(uint32_t table, uint32_t column) const {
    const Place& place = places_[table];
    return place.offset + (column - place.first_column) * place.height;
  }
  template <typename T>
  absl::Span<T> column(absl::Span<T> file, uint32_t table, uint32_t column) const {
    return file.subspan(offset(table, column), places_[table].height);
  }

 private:
  struct Place {
    uint64_t offset;
    uint64_t height;
    uint32_t first_column;
  };
  std::vector<Place> places_;
  uint64_t cells_ = 0;
};

struct PackageOptions {
  bool program = true;  // read program.pb
  bool fixed = true;    // map fixed.bin
  AdaptiveRules rules = AdaptiveRules::kHold;
};

// The bundle of a package's folder: that of bundle.pb, or what stands for it. Refuses what is not
// in canonical encoding; the circuits are to be checked against it (checkBundle).
absl::StatusOr<Bundle> readBundle(const std::string& folder);

// Whether there is a file of this name, whatever can be seen of it.
bool isThere(const std::string& path);

class Package {
 public:
  static absl::StatusOr<Package> open(const std::string& path, const PackageOptions& options = {});

  const std::string& path() const { return path_; }
  const Circuit& circuit() const { return *circuit_; }
  // Of one member, which has the circuit.
  const Bundle& bundle() const { return *bundle_; }
  // Per sum group, whether a link names it: of its bundle, or of the one that it is a member of.
  const std::vector<bool>& linkedGroups() const { return linked_; }
  // It is one of several members (openBundle).
  void joinBundle(const Bundle& bundle, uint32_t member) {
    linked_ = runtime::linkedGroups(bundle, member, *circuit_);
  }
  const CircuitInfo& circuitInfo() const { return *circuit_info_; }
  // Empty when the options left it out.
  const Program& program() const { return *program_; }
  const ProgramInfo& programInfo() const { return *program_info_; }
  // SHA-256 of the bytes of circuit.pb.
  const Digest& circuitDigest() const { return circuit_digest_; }

  const ColumnLayout& fixedLayout() const { return *fixed_layout_; }
  const ColumnLayout& traceLayout() const { return *trace_layout_; }
  // Requires options.fixed, and a column of phase 0.
  absl::Span<const uint32_t> fixedColumn(uint32_t table, uint32_t column) const {
    return fixed_layout_->column(fixed_.words(), table, column);
  }

  // Every fixed cell is a canonical residue.
  absl::Status checkFixedValues() const;

 private:
  Package() = default;

  std::string path_;
  // Behind pointers so that a Package moves cheaply and references into it stay valid.
  std::unique_ptr<Circuit> circuit_;
  std::unique_ptr<Bundle> bundle_;
  std::vector<bool> linked_;
  std::unique_ptr<CircuitInfo> circuit_info_;
  std::unique_ptr<Program> program_;
  std::unique_ptr<ProgramInfo> program_info_;
  std::unique_ptr<ColumnLayout> fixed_layout_;
  std::unique_ptr<ColumnLayout> trace_layout_;
  Digest circuit_digest_{};
  MappedFile fixed_;
};

// The error names table, column, row and value of the first cell that is no canonical residue.
// `file` labels it.
absl::Status checkCanonical(const Circuit& circuit, const ColumnLayout& layout, uint32_t phase,
                            absl::Span<const uint32_t> cells, absl::string_view file);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_PACKAGE_H_
