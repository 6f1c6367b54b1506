// A small pool for loops over independent pieces of work.
//
// Results must not depend on which worker does what or in which order: callers write to disjoint
// places, or merge per-worker results by a rule that does not look at the order.
#ifndef LINDERO_RUNTIME_PARALLEL_THREAD_POOL_H_
#define LINDERO_RUNTIME_PARALLEL_THREAD_POOL_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace lindero::runtime {

class ThreadPool {
 public:
  using Body = absl::FunctionRef<void(uint64_t index, int worker)>;

  // `threads` workers, the calling thread included; 0: as many as the machine has.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }

  // Calls body(i, worker) once for every i < count, with 0 <= worker < size(); returns when all are
  // done. Indices are handed out in ascending order. Not to be called from within a body.
  void parallelFor(uint64_t count, Body body);

 private:
  void work(int worker);
  void drain(std::unique_lock<std::mutex>& lock, int worker);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  const Body* body_ = nullptr;
  uint64_t next_ = 0;
  uint64_t count_ = 0;
  int running_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PARALLEL_THREAD_POOL_H_
