// What a check found, from node to row and values.
#ifndef LINDERO_RUNTIME_CHECK_REPORT_H_
#define LINDERO_RUNTIME_CHECK_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/field/qm31.h"

namespace lindero::runtime {

// A column that a failing constraint reads, `offset` rows further on.
struct CellValue {
  std::string column;
  int offset = 0;
  QM31 value;
};

struct FailureExample {
  uint64_t row = 0;
  std::string node;    // ONNX node name(s); empty: a padding row
  std::string region;  // empty: a padding row
  std::vector<CellValue> cells;
  std::string detail;
};

struct Failure {
  enum class Kind {
    kConstraint,   // name: the constraint
    kBus,          // name: the bus; table: of the lookup or provider
    kDenominator,  // name: the fraction column
    kSumGroup,     // name: the group; no table
  };
  Kind kind = Kind::kConstraint;
  int64_t block = -1;  // of a bundle; -1: there is one only
  std::string table;
  std::string name;
  uint64_t rows = 0;                     // how many rows fail
  std::vector<FailureExample> examples;  // the first of them
  std::string detail;

  std::string toString() const;
};

// Something that does not hold after a change (recheck.h); Recheck::describe makes a Failure of it.
struct Finding {
  Failure::Kind kind;
  uint32_t table;  // kBus: of a lookup that tells; kSumGroup: 0
  uint32_t index;  // of the constraint, bus, fraction column or sum group
  uint64_t row;    // the first one
};

struct CheckReport {
  uint64_t constraints = 0;  // how many were evaluated on all rows
  uint64_t rows = 0;         // of all tables together
  uint64_t cells = 0;        // base field elements in all phases: an extension cell counts 4
  uint64_t failure_count = 0;
  std::vector<Failure> failures;  // of each block the first CheckOptions.max_failures

  bool ok() const { return failure_count == 0; }
  // Takes over what was found in another block.
  void add(CheckReport other);
  // Several lines, one paragraph per failure.
  std::string toString() const;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_REPORT_H_
