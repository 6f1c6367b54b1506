#include "runtime/parallel/thread_pool.h"

#include <algorithm>

namespace lindero::runtime {

ThreadPool::ThreadPool(int threads) {
  constexpr int kMaxThreads = 256;
  if (threads <= 0) threads = static_cast<int>(std::thread::hardware_concurrency());
  threads = std::clamp(threads, 1, kMaxThreads);
  for (int worker = 1; worker < threads; ++worker) {
    threads_.emplace_back([this, worker] { work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::parallelFor(uint64_t count, Body body) {
  std::unique_lock<std::mutex> lock(mutex_);
  body_ = &body;
  next_ = 0;
  count_ = count;
  if (count > 1) wake_.notify_all();
  drain(lock, 0);
  done_.wait(lock, [&] { return running_ == 0; });
  body_ = nullptr;
}

void ThreadPool::work(int worker) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stop_ || (body_ != nullptr && next_ < count_); });
    if (stop_) return;
    drain(lock, worker);
  }
}

// Takes indices until none is left. The lock is held on entry and exit.
void ThreadPool::drain(std::unique_lock<std::mutex>& lock, int worker) {
  while (next_ < count_) {
    uint64_t index = next_++;
    const Body& body = *body_;
    ++running_;
    lock.unlock();
    body(index, worker);
    lock.lock();
    if (--running_ == 0 && next_ >= count_) done_.notify_all();
  }
}

}  // namespace lindero::runtime
