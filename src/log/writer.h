// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>

namespace driveshaft::log {

class Queue;

// While one lives, log lines are handed to a thread of their own, which formats and writes them: a log file
// that is slow or stuck delays nobody who logs. At most 16 MiB of lines wait, besides those being written; a
// line that finds no room is dropped, and how many there were is logged when writing works again.
//
// Make it after configure_logging() and after any fork, and have it outlive the other threads that log.
class Writer {
 public:
  Writer();
  // Writes what is left and closes the log. If that takes longer than two seconds the thread is left behind,
  // and the process ends, when it exits, without the destructors of static objects: they would wait for it.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Waits until every line so far is written; false if that took longer.
  bool flush(std::chrono::milliseconds limit);

 private:
  std::unique_ptr<Queue> queue_;
};

}  // namespace driveshaft::log
