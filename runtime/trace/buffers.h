// The integer buffers of a running trace program.
#ifndef LINDERO_RUNTIME_TRACE_BUFFERS_H_
#define LINDERO_RUNTIME_TRACE_BUFFERS_H_

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "runtime/program/program.pb.h"
#include "runtime/trace/in_place.h"

namespace lindero::runtime {

class Buffers {
 public:
  // Buffers that are read in place never exist.
  explicit Buffers(const Program& program, std::map<uint32_t, FixedMatrix> in_place = {})
      : program_(program), in_place_(std::move(in_place)), data_(program.buffers_size()) {}

  // Zeros, unless the buffer exists already.
  absl::Status allocate(uint32_t buffer) {
    if (data_[buffer] != nullptr || inPlace(buffer) != nullptr) return absl::OkStatus();
    uint64_t size = program_.buffers(static_cast<int>(buffer)).size();
    data_[buffer].reset(static_cast<int32_t*>(std::calloc(size, sizeof(int32_t))));
    if (data_[buffer] != nullptr) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat(
        "out of memory: buffer \"", program_.buffers(static_cast<int>(buffer)).name(), "\" has ",
        size, " elements; use a shorter input bucket or a machine with more memory"));
  }
  void free(uint32_t buffer) { data_[buffer].reset(); }

  const FixedMatrix* inPlace(uint32_t buffer) const {
    const auto found = in_place_.find(buffer);
    return found == in_place_.end() ? nullptr : &found->second;
  }

  absl::Span<int32_t> at(uint32_t buffer) { return {data_[buffer].get(), size(buffer)}; }
  absl::Span<const int32_t> at(uint32_t buffer) const {
    return {data_[buffer].get(), size(buffer)};
  }

 private:
  struct Free {
    void operator()(int32_t* p) const { std::free(p); }
  };

  size_t size(uint32_t buffer) const {
    return data_[buffer] == nullptr ? 0 : program_.buffers(static_cast<int>(buffer)).size();
  }

  const Program& program_;
  const std::map<uint32_t, FixedMatrix> in_place_;
  std::vector<std::unique_ptr<int32_t[], Free>> data_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TRACE_BUFFERS_H_
