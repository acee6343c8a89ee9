// SPDX-License-Identifier: MIT
#pragma once

#include <log4cxx/helpers/pool.h>
#include <log4cxx/logger.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "log/log.h"

namespace driveshaft::log {

// The lines that wait for the Writer's thread, and that thread.
//
// A line costs the caller a lock, a time stamp and a copy of its bytes. The thread is woken by a line only
// when it has been idle for a while; under load it looks by itself every few milliseconds.
class Queue {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{16} * 1024 * 1024;

  // The queue that lines of the calling thread go to; null if there is none. It is null on the queue's own
  // thread: there might be no room for that thread's lines.
  static Queue* current();

  Queue();
  ~Queue();  // stop() has returned true
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Adds a line, or drops it if there is no room. `logger` keeps its address for the life of the process. Any
  // thread.
  void push(const log4cxx::LoggerPtr& logger, Level level, const std::string& line);
  // Has the thread reopen the files after the lines so far and before the next ones. Any thread.
  void push_reopen();
  // Waits until all lines so far are written. False: that would take longer than `limit`. Any thread.
  bool flush(std::chrono::milliseconds limit);
  // Writes the remaining lines, closes the log and ends the thread. False: that would take longer than
  // `limit`.
  bool stop(std::chrono::milliseconds limit);

 private:
  struct Entry {
    const log4cxx::LoggerPtr* logger;  // null: reopen the files
    std::int64_t time;                 // of the call, microseconds since 1970
    std::size_t size;                  // of its text
    Level level;
  };
  struct Lines {
    std::vector<Entry> entries;
    std::string text;  // of all entries, one after another

    std::size_t bytes() const { return text.size() + entries.size() * sizeof(Entry); }
    void clear();
  };

  bool is_this_thread() const;
  void add(const Entry& entry, const std::string& text);
  void run();
  void write(const Lines& lines, std::uint64_t dropped);

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::condition_variable progress_;
  Lines waiting_;
  std::uint64_t dropped_ = 0;
  std::uint64_t pushed_ = 0;   // entries since the start
  std::uint64_t written_ = 0;  // of them
  bool idle_ = false;          // the thread sleeps until it is woken
  bool no_pauses_ = false;     // somebody waits for lines to be written, so the thread makes no pauses
  bool stopping_ = false;
  bool stopped_ = false;

  std::thread thread_;
};

// One line to log4cxx, now, in this thread. `time` is the line's, in microseconds since 1970; 0 for now.
void write_line(const log4cxx::LoggerPtr& logger, Level level, const std::string& line, std::int64_t time,
                log4cxx::helpers::Pool& pool);

// Closes the log. Lines are lost until it is configured again.
void close_log();

// What reopen_logs() does, in this thread.
void reopen_logs_now();

// Call this before any other function of log4cxx.
void prepare_loggers();

const log4cxx::LevelPtr& level_of(Level level);

}  // namespace driveshaft::log
