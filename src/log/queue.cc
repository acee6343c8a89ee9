// SPDX-License-Identifier: MIT
#include "log/queue.h"

#include <pthread.h>

#include <optional>
#include <utility>

#include "base/blocked_signals.h"
#include "log/file.h"
#include "log/loss.h"

namespace driveshaft::log {
namespace {

using namespace std::chrono_literals;

// How late a line may be written while there are many. Longer pauses save little.
constexpr auto kPause = 5ms;
// Memory that is kept for the next lines.
constexpr std::size_t kKeptBytes = std::size_t{1} * 1024 * 1024;
// log4cxx's memory pools grow with use, so each serves a limited number of lines.
constexpr std::size_t kLinesInBatch = 1000;

std::int64_t microseconds_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

thread_local const Queue* queue_of_this_thread = nullptr;

}  // namespace

bool Queue::is_this_thread() const { return queue_of_this_thread == this; }

void Queue::Lines::clear() {
  entries.clear();
  text.clear();
  if (text.capacity() > kKeptBytes) text = std::string();
  if (entries.capacity() * sizeof(Entry) > kKeptBytes) entries = std::vector<Entry>();
}

Queue::Queue() {
  const base::BlockedSignals blocked;
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "log");
}

Queue::~Queue() {
  if (thread_.joinable()) thread_.join();
}

void Queue::push(const log4cxx::LoggerPtr& logger, Level level, const std::string& line) {
  add({&logger, microseconds_now(), line.size(), level}, line);
}

void Queue::push_reopen() { add({nullptr, 0, 0, Level::info}, {}); }

void Queue::add(const Entry& entry, const std::string& text) {
  std::unique_lock lock(mutex_);
  // A line that is longer than the queue may wait alone. A request to reopen the files is never dropped.
  const bool full = waiting_.bytes() + text.size() + sizeof(Entry) > kMostBytes;
  if (full && entry.logger && !waiting_.entries.empty()) {
    ++dropped_;
    note_loss(1, "they come faster than they are written");
    return;
  }
  waiting_.entries.push_back(entry);
  waiting_.text += text;
  ++pushed_;
  const bool wake = std::exchange(idle_, false) || waiting_.bytes() > kMostBytes / 2;
  lock.unlock();
  if (wake) wake_.notify_one();
}

bool Queue::flush(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  const auto target = pushed_;
  no_pauses_ = true;
  wake_.notify_one();
  return progress_.wait_for(lock, limit, [&] { return written_ >= target; });
}

bool Queue::stop(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
  return progress_.wait_for(lock, limit, [&] { return stopped_; });
}

void Queue::run() {
  queue_of_this_thread = this;
  Lines lines;
  std::unique_lock lock(mutex_);
  bool paused = true;  // nothing came since the last pause began
  while (true) {
    if (!waiting_.entries.empty()) {
      std::swap(lines, waiting_);
      const auto dropped = std::exchange(dropped_, 0);
      no_pauses_ = false;
      lock.unlock();
      write(lines, dropped);
      const auto count = lines.entries.size();
      lines.clear();
      lock.lock();
      written_ += count;
      progress_.notify_all();
      paused = false;
    }
    if (stopping_ && waiting_.entries.empty()) break;
    const auto urgent = [&] { return no_pauses_ || stopping_ || waiting_.bytes() > kMostBytes / 2; };
    if (!paused) {
      paused = true;
      wake_.wait_for(lock, kPause, urgent);
    } else {
      idle_ = true;
      wake_.wait(lock, [&] { return !idle_ || urgent(); });
      idle_ = false;
    }
    // All who waited have been woken.
    if (waiting_.entries.empty()) no_pauses_ = false;
  }
  lock.unlock();
  close_log();
  lock.lock();
  stopped_ = true;
  progress_.notify_all();
}

void Queue::write(const Lines& lines, std::uint64_t dropped) {
  std::string line;
  std::size_t at = 0;
  std::size_t in_batch = 0;
  std::optional<Batch> batch;
  for (const Entry& entry : lines.entries) {
    if (!entry.logger) {
      batch.reset();
      reopen_logs_now();
      continue;
    }
    if (!batch || ++in_batch > kLinesInBatch) {
      batch.reset();
      batch.emplace();
      in_batch = 1;
    }
    line.assign(lines.text, at, entry.size);
    at += entry.size;
    write_line(*entry.logger, entry.level, line, entry.time, batch->pool());
  }
  batch.reset();
  if (dropped > 0) {
    kMainLog.warn("{} log lines were dropped: the log was not written as fast as lines came", dropped);
  }
}

}  // namespace driveshaft::log
