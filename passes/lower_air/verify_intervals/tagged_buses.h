// What tagged buses prove. A tagged bus has no providers: tuples are given by lookups of a negative
// multiplicity, and looked up by others. The first element of each is its tag. Where
//   - tags and multiplicities are fixed,
//   - each tag that is looked up is given by one row of one lookup, and
//   - what is looked up under a tag is less than p in all, and as much as is given,
// all that is looked up under a tag is what is given there: the tuples of a tag that differ from
// the given one have multiplicities between 1 and p - 1 in all, which cancel with nothing.
//
// Cost: sorts the rows' tags; a visit per value and row.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "passes/lower_air/verify_intervals/rows.h"

namespace lindero::passes {

class TaggedBuses {
 public:
  // The rows of a class on which a lookup gives tuples, or looks some up.
  struct Use {
    int table = 0;
    int c = 0;
    ir::Op* op = nullptr;
    bool gives = false;
    int64_t rows = 0;              // of the class
    std::vector<int> givers = {};  // uses under whose tags it looks up
  };

  // Reads the lookups of `bus`; an error if one of the above does not hold. `tables` are all.
  absl::Status read(const std::string& bus, llvm::ArrayRef<TableRows*> tables);
  bool has(const std::string& bus) const { return buses_.count(bus) > 0; }
  llvm::ArrayRef<Use> uses() const { return uses_; }
  // Of a lookup on the rows of a class.
  std::vector<const Use*> usesOf(const ir::Op& op, int c) const;

 private:
  struct Entry {
    int64_t tag;
    int64_t times;
    int use;
    int32_t row;
  };
  absl::Status readLookup(int t, TableRows& rows, ir::Op& op, std::vector<Entry>& entries);
  absl::Status close(const std::string& bus, std::vector<Entry>& entries,
                     llvm::ArrayRef<TableRows*> tables);

  std::vector<Use> uses_;
  std::map<std::pair<const ir::Op*, int>, std::vector<int>> uses_of_;
  std::set<std::string> buses_;
};

}  // namespace lindero::passes
