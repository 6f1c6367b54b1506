// A prover whose steps do not agree on a value: one of them reads another one, and all that follows
// from it is honest, in the tables and in the outputs that are claimed. Only the edge between the
// two copies can tell.
#include <map>
#include <random>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "runtime/package/placement.h"
#include "runtime/package/program_info.h"
#include "tests/soundness/forgery.h"

namespace lindero::test {
namespace {

class OneReader {
 public:
  explicit OneReader(const ToyRun& run) : run_(run), program_(run.package().program()) {
    for (const Placement& p : program_.placements()) placements_[p.buffer()].push_back(&p);
    for (const Step& step : program_.steps()) {
      for (uint32_t buffer : runtime::buffersOf(step).reads) ++readers_[buffer];
    }
  }

  void tryAll() {
    for (int s = 1; s < program_.steps_size(); ++s) {
      for (uint32_t buffer : runtime::buffersOf(program_.steps(s)).reads) {
        if (placements_[buffer].size() > 1) tryReader(s, buffer);
      }
    }
  }
  int pinnedByEdges() const { return pinned_by_edges_; }

 private:
  using Cells = std::vector<size_t>;

  // Indices into the cells of the trace that hold an element.
  Cells cellsOf(const Placement& p, uint64_t element) const {
    Cells out;
    for (uint64_t lane = 0; lane < p.lanes(); ++lane) {
      uint64_t column = run_.package().traceLayout().offset(p.table(), p.column() + lane);
      runtime::forEachRun(p, lane, program_.buffers(p.buffer()).size(), [&](const auto& run) {
        for (uint64_t i = 0; i < run.count; ++i) {
          if (run.value + i * run.value_stride == element) {
            out.push_back(column + run.row + i * run.row_stride);
          }
        }
      });
    }
    return out;
  }

  // The step reads the element as one more or less, and no other step does.
  bool trace(int reader, uint32_t buffer, uint64_t element, int delta, Forgery& f) const {
    runtime::TraceOptions options;
    options.threads = 1;
    options.multiplicities = false;
    int done = 0;
    options.revise = [&](const Step&, Buffers& b) {
      if (done == reader - 1) b.at(buffer)[element] += delta;
      if (done == reader) b.at(buffer)[element] -= delta;
      ++done;
    };
    absl::StatusOr<Statement> traced = run_.trace(f.cells, options);
    if (traced.ok()) f.statement = *std::move(traced);
    return traced.ok();
  }

  void tryReader(int reader, uint32_t buffer) {
    std::uniform_int_distribution<uint64_t> any(0, program_.buffers(buffer).size() - 1);
    // Steps that share a copy (Q, K and V of one product) contradict each other, too.
    const bool shared = readers_[buffer] >= static_cast<int>(placements_[buffer].size());
    bool pinned = false, tried = false;
    for (int trial = 0; trial < 20 && !pinned && !(shared && tried); ++trial) {
      uint64_t element = any(random_);
      int delta = trial % 2 ? 1 : -1;
      Forgery f(run_);
      if (!trace(reader, buffer, element, delta, f)) continue;
      tried = true;
      pinned = isPinned(reader, buffer, element, delta, f);
    }
    pinned_by_edges_ += pinned;
    EXPECT_TRUE(shared ? tried : pinned)
        << "step " << reader << ", " << program_.steps(reader).node() << ": no copy of "
        << program_.buffers(buffer).name() << " is pinned by its edge alone";
  }

  // Whether some choice of the copies that hold the changed element is rejected by edges alone.
  // Every choice must be rejected.
  bool isPinned(int reader, uint32_t buffer, uint64_t element, int delta, Forgery& traced) {
    const std::vector<const Placement*>& copies = placements_[buffer];
    for (const Placement* p : copies) {
      for (size_t cell : cellsOf(*p, element)) traced.cells[cell] = run_.cells()[cell];
    }
    bool pinned = false;
    for (size_t changed = 0; changed <= copies.size(); ++changed) {
      Forgery f = traced;
      if (changed < copies.size()) {
        for (size_t cell : cellsOf(*copies[changed], element)) add(f.cells[cell], delta);
      }
      runtime::ThreadPool pool(1);
      EXPECT_EQ(runtime::fillMultiplicities(run_.package(), absl::MakeSpan(f.cells), pool, true),
                absl::OkStatus());
      if (f.cells == run_.cells()) continue;  // nothing follows from the element
      absl::StatusOr<std::set<std::string>> failures = f.failures();
      EXPECT_EQ(failures.status(), absl::OkStatus());
      if (!failures.ok()) continue;
      EXPECT_FALSE(failures->empty())
          << "accepted: step " << reader << ", " << program_.steps(reader).node() << ", "
          << program_.buffers(buffer).name() << "[" << element << "]";
      pinned |= *failures == std::set<std::string>{"edges"};
    }
    return pinned;
  }

  const ToyRun& run_;
  const Program& program_;
  std::map<uint32_t, std::vector<const Placement*>> placements_;
  std::map<uint32_t, int> readers_;
  std::mt19937_64 random_{1};
  int pinned_by_edges_ = 0;
};

TEST(OneReaderTest, CannotReadAnotherValue) {
  auto run = ToyRun::create({});
  ASSERT_EQ(run.status(), absl::OkStatus());
  OneReader reader(**run);
  reader.tryAll();
  EXPECT_GE(reader.pinnedByEdges(), 20);
}

}  // namespace
}  // namespace lindero::test
