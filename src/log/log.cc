// SPDX-License-Identifier: MIT
#include "log/log.h"

#include <log4cxx/helpers/date.h>
#include <log4cxx/helpers/pool.h>
#include <log4cxx/logger.h>
#include <log4cxx/logmanager.h>
#include <log4cxx/spi/loggingevent.h>

#include <array>
#include <atomic>
#include <clocale>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <type_traits>

#include "base/stderr.h"
#include "log/loss.h"
#include "log/queue.h"

namespace driveshaft::log {
namespace {

// Text is UTF-8 on both sides, so lines reach log4cxx without being decoded.
static_assert(std::is_same_v<log4cxx::LogString, std::string>);

// While this thread writes a line: when the line was logged, in microseconds since 1970; otherwise 0.
thread_local std::int64_t time_of_line = 0;

// log4cxx's loggers by the address of our names. Look-ups in its own table lock and hash; these do neither.
// Loggers are never released: log4cxx keeps them for the life of the process anyway.
class Loggers {
 public:
  Loggers() {
    // log4cxx encodes lines for the locale that the process has when log4cxx first writes. Without LANG, as a
    // service often runs, each letter beyond ASCII would become '?'.
    std::setlocale(LC_CTYPE, "C.UTF-8");
    // Otherwise the first look-up would read any log4cxx.xml in the working directory.
    log4cxx::LogManager::getLoggerRepository()->setConfigured(true);
    // It stamps lines and rolls files by this clock.
    log4cxx::helpers::Date::setGetCurrentTimeFunction([]() -> log4cxx::log4cxx_time_t {
      return time_of_line != 0 ? time_of_line : log4cxx::helpers::Date::getCurrentTimeStd();
    });
    // Buffered lines are written at exit, even if a logger is still in use. This is registered when log4cxx's
    // own objects exist, so it runs before log4cxx destroys them.
    std::atexit([] { log4cxx::LogManager::shutdown(); });
  }

  struct Entry {
    std::atomic<const char*> name{nullptr};  // set after `logger`, and then never changed
    log4cxx::LoggerPtr logger;
    std::atomic<int> least{kAsConfigured};  // a Level
  };
  static constexpr int kAsConfigured = -1;

  Entry& find(const char* name) {
    for (Entry& entry : entries_) {
      const char* const known = entry.name.load(std::memory_order_acquire);
      if (known == name) return entry;
      if (!known) break;
    }
    return add(name);
  }

 private:
  Entry& add(const char* name) {
    const std::lock_guard lock(mutex_);
    for (Entry& entry : entries_) {
      const char* const known = entry.name.load(std::memory_order_relaxed);
      if (known == name) return entry;
      if (known) continue;
      entry.logger = log4cxx::Logger::getLogger(std::string(name));
      entry.name.store(name, std::memory_order_release);
      return entry;
    }
    throw std::logic_error("more loggers than Loggers has room for");
  }

  std::mutex mutex_;
  std::array<Entry, 8> entries_;
};

Loggers& loggers() {
  static auto& instance = *new Loggers;
  return instance;
}

Loggers::Entry& logger(const char* name) { return loggers().find(name); }

bool enabled_for(const Loggers::Entry& entry, Level level) {
  const int least = entry.least.load(std::memory_order_relaxed);
  if (least != Loggers::kAsConfigured) return static_cast<int>(level) >= least;
  const auto& target = entry.logger;
  switch (level) {
    case Level::debug:
      return log4cxx::Logger::isDebugEnabledFor(target);
    case Level::info:
      return log4cxx::Logger::isInfoEnabledFor(target);
    case Level::warn:
      return log4cxx::Logger::isWarnEnabledFor(target);
    case Level::error:
      return log4cxx::Logger::isErrorEnabledFor(target);
  }
  return false;
}

void emit(const log4cxx::LoggerPtr& target, Level level, const std::string& line) {
  if (Queue* queue = Queue::current()) return queue->push(target, level, line);
  log4cxx::helpers::Pool pool;
  write_line(target, level, line, 0, pool);
}

}  // namespace

// A log that cannot be written must not fail a job: the line is lost, and the first of several lost lines is
// reported on stderr. Our file appenders do this themselves; this is for other appenders.
void write_line(const log4cxx::LoggerPtr& target, Level level, const std::string& line, std::int64_t time,
                log4cxx::helpers::Pool& pool) {
  static std::atomic<bool> failing{false};
  time_of_line = time;
  try {
    const auto event = std::make_shared<log4cxx::spi::LoggingEvent>(
        target->getName(), level_of(level), line, log4cxx::spi::LocationInfo::getLocationUnavailable());
    target->callAppenders(event, pool);
    if (failing.load(std::memory_order_relaxed)) failing = false;
  } catch (const std::exception& e) {
    note_loss(1, e.what());
    if (!failing.exchange(true)) {
      base::write_to_stderr(
          fmt::format("driveshaft: log lines are being lost: {}; first of them: {}", e.what(), line));
    }
  }
  time_of_line = 0;
}

bool Logger::enabled(Level level) const { return enabled_for(logger(name_), level); }

void Logger::write(Level level, const std::string& line) const {
  const auto& entry = logger(name_);
  if (enabled_for(entry, level)) emit(entry.logger, level, line);
}

void Logger::print(Level level, fmt::string_view format, fmt::format_args args) const {
  const auto& entry = logger(name_);
  if (!enabled_for(entry, level)) return;
  constexpr std::size_t kKeptMemory = 64 * 1024;
  thread_local std::string line;
  line.clear();
  fmt::vformat_to(std::back_inserter(line), format, args);
  emit(entry.logger, level, line);
  if (line.capacity() > kKeptMemory) line = std::string();
}

void set_level(const Logger& target, std::optional<Level> least) {
  logger(target.name_)
      .least.store(least ? static_cast<int>(*least) : Loggers::kAsConfigured, std::memory_order_relaxed);
}

const log4cxx::LevelPtr& level_of(Level level) {
  static const std::array levels{log4cxx::Level::getDebug(), log4cxx::Level::getInfo(),
                                 log4cxx::Level::getWarn(), log4cxx::Level::getError()};
  return levels[static_cast<std::size_t>(level)];
}

void prepare_loggers() { loggers(); }

}  // namespace driveshaft::log
