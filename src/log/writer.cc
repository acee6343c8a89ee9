// SPDX-License-Identifier: MIT
#include "log/writer.h"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

#include "log/queue.h"

namespace driveshaft::log {
namespace {

using namespace std::chrono_literals;

constexpr auto kFlushAtEnd = 2s;

std::atomic<Queue*> current_queue{nullptr};

// The file that is stuck may be stderr.
void write_to_stderr_if_it_is_read(const std::string& message) {
  pollfd poll{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&poll, 1, 0) != 1 || !(poll.revents & POLLOUT)) return;
  [[maybe_unused]] const ssize_t told = ::write(STDERR_FILENO, message.data(), message.size());
}

}  // namespace

Queue* Queue::current() {
  Queue* const queue = current_queue.load(std::memory_order_acquire);
  return queue && !queue->is_this_thread() ? queue : nullptr;
}

Writer::Writer() : queue_(std::make_unique<Queue>()) {
  current_queue.store(queue_.get(), std::memory_order_release);
}

Writer::~Writer() {
  current_queue.store(nullptr, std::memory_order_release);
  if (queue_->stop(kFlushAtEnd)) return;
  [[maybe_unused]] Queue* const used_by_its_thread = queue_.release();
  write_to_stderr_if_it_is_read("driveshaft: the log is stuck; its last lines were not written\n");
  // Registered last, so it runs before all that waits for a lock of the stuck thread.
  ::on_exit([](int status, void*) { ::_exit(status); }, nullptr);
}

bool Writer::flush(std::chrono::milliseconds limit) { return queue_->flush(limit); }

}  // namespace driveshaft::log
