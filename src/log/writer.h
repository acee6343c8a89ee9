// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>

namespace driveshaft::log {

class Queue;

// While a Writer lives, its thread formats and writes the log lines. So a log file that is slow or stuck
// delays no thread that logs. At most 16 MiB of lines wait, besides those that are being written. A line that
// finds no room is dropped; when writing works again, the log says how many were.
//
// Create it after configure_logging() and after any fork. It must outlive the other threads that log.
class Writer {
 public:
  Writer();
  // Writes the remaining lines and closes the log. If that takes longer than two seconds, the thread is not
  // waited for. The process then skips the destructors of static objects at its exit: they would wait for
  // that thread.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Waits until all lines so far are written. False: that would take longer than `limit`.
  bool flush(std::chrono::milliseconds limit);

 private:
  std::unique_ptr<Queue> queue_;
};

}  // namespace driveshaft::log
