// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <fcntl.h>
#include <log4cxx/consoleappender.h>
#include <log4cxx/fileappender.h>
#include <log4cxx/helpers/pool.h>
#include <log4cxx/logger.h>
#include <log4cxx/logmanager.h>
#include <log4cxx/patternlayout.h>
#include <log4cxx/propertyconfigurator.h>
#include <log4cxx/spi/appenderattachable.h>
#include <log4cxx/xml/domconfigurator.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <clocale>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <set>
#include <type_traits>

#include "base/error.h"
#include "base/exit_codes.h"
#include "base/log_appenders.h"

namespace driveshaft::base {
namespace {

// Text is UTF-8 on both sides, so lines reach log4cxx without being decoded.
static_assert(std::is_same_v<log4cxx::LogString, std::string>);

// log4cxx's loggers by the address of our names. Look-ups in its own table lock and hash; these do neither.
// Loggers are never given back: log4cxx keeps them for the life of the process anyway.
class Loggers {
 public:
  Loggers() {
    // log4cxx encodes lines for the process's locale, as it is when it first writes: in the bare environment
    // of a service that turns every letter beyond ASCII into '?'.
    std::setlocale(LC_CTYPE, "C.UTF-8");
    // Otherwise the first look-up would read any log4cxx.xml in the working directory.
    log4cxx::LogManager::getLoggerRepository()->setConfigured(true);
    // Buffered lines are written at exit, whoever still holds a logger. Registered after log4cxx's own
    // objects exist, so it runs before they go.
    std::atexit([] { log4cxx::LogManager::shutdown(); });
  }

  const log4cxx::LoggerPtr& find(const char* name) {
    for (Entry& entry : entries_) {
      const char* const known = entry.name.load(std::memory_order_acquire);
      if (known == name) return entry.logger;
      if (!known) break;
    }
    return add(name);
  }

 private:
  struct Entry {
    std::atomic<const char*> name{nullptr};  // set after `logger`, and then never changed
    log4cxx::LoggerPtr logger;
  };

  const log4cxx::LoggerPtr& add(const char* name) {
    const std::lock_guard lock(mutex_);
    for (Entry& entry : entries_) {
      const char* const known = entry.name.load(std::memory_order_relaxed);
      if (known == name) return entry.logger;
      if (known) continue;
      entry.logger = log4cxx::Logger::getLogger(std::string(name));
      entry.name.store(name, std::memory_order_release);
      return entry.logger;
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

const log4cxx::LoggerPtr& logger(const char* name) { return loggers().find(name); }

const log4cxx::LevelPtr& level_of(LogLevel level) {
  static const std::array levels{log4cxx::Level::getDebug(), log4cxx::Level::getInfo(),
                                 log4cxx::Level::getWarn(), log4cxx::Level::getError()};
  return levels[static_cast<std::size_t>(level)];
}

bool enabled_for(const log4cxx::LoggerPtr& target, LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return log4cxx::Logger::isDebugEnabledFor(target);
    case LogLevel::info:
      return log4cxx::Logger::isInfoEnabledFor(target);
    case LogLevel::warn:
      return log4cxx::Logger::isWarnEnabledFor(target);
    case LogLevel::error:
      return log4cxx::Logger::isErrorEnabledFor(target);
  }
  return false;
}

// A log that cannot be written (a full disk) must not fail a job: the line is lost, and the first of a row
// of lost lines is told to stderr.
void emit(const log4cxx::LoggerPtr& target, LogLevel level, const std::string& line) {
  static std::atomic<bool> failing{false};
  try {
    target->forcedLogLS(level_of(level), line, log4cxx::spi::LocationInfo::getLocationUnavailable());
    if (failing.load(std::memory_order_relaxed)) failing = false;
  } catch (const std::exception& e) {
    if (!failing.exchange(true)) {
      fmt::print(stderr, "driveshaft: log lines are being lost: {}; first of them: {}\n", e.what(), line);
    }
  }
}

void collect_files(const log4cxx::AppenderList& appenders, std::set<log4cxx::FileAppenderPtr>& files) {
  for (const auto& appender : appenders) {
    if (auto file = log4cxx::cast<log4cxx::FileAppender>(appender)) {
      files.insert(file);
    } else if (auto nested = log4cxx::cast<log4cxx::spi::AppenderAttachable>(appender)) {
      collect_files(nested->getAllAppenders(), files);
    }
  }
}

std::set<log4cxx::FileAppenderPtr> file_appenders() {
  std::set<log4cxx::FileAppenderPtr> files;
  collect_files(log4cxx::Logger::getRootLogger()->getAllAppenders(), files);
  for (const auto& each : log4cxx::LogManager::getCurrentLoggers()) {
    collect_files(each->getAllAppenders(), files);
  }
  return files;
}

bool can_open_for_append(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  ::close(fd);
  return true;
}

// log4cxx reports an unreadable file and goes on; this says so before it is asked. A read is what finds
// directories out.
void require_readable(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char byte = 0;
  const bool readable = fd >= 0 && ::read(fd, &byte, 1) >= 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (readable) return;
  throw StartupError(kExitLogConfig,
                     fmt::format("cannot read the log config {}: {}; name a readable log4cxx XML or "
                                 ".properties file, or none to log to the console",
                                 path, std::generic_category().message(error)));
}

void log_to_console() {
  const auto layout = std::make_shared<log4cxx::PatternLayout>("%d %-5p %c - %m%n");
  const auto root = log4cxx::Logger::getRootLogger();
  root->addAppender(
      std::make_shared<log4cxx::ConsoleAppender>(layout, log4cxx::ConsoleAppender::getSystemErr()));
  root->setLevel(log4cxx::Level::getInfo());
}

}  // namespace

bool Log::enabled(LogLevel level) const { return enabled_for(logger(name_), level); }

void Log::write(LogLevel level, const std::string& line) const {
  const auto& target = logger(name_);
  if (enabled_for(target, level)) emit(target, level, line);
}

void Log::print(LogLevel level, fmt::string_view format, fmt::format_args args) const {
  const auto& target = logger(name_);
  if (!enabled_for(target, level)) return;
  constexpr std::size_t kKeptCapacity = 64 * 1024;
  thread_local std::string line;
  line.clear();
  fmt::vformat_to(std::back_inserter(line), format, args);
  emit(target, level, line);
  if (line.capacity() > kKeptCapacity) line = std::string();
}

void configure_logging(const std::string& path) {
  if (!path.empty()) require_readable(path);
  loggers();
  register_appenders();
  log4cxx::LogManager::resetConfiguration();
  if (path.empty()) return log_to_console();
  const auto status = path.ends_with(".properties")
                          ? log4cxx::PropertyConfigurator::configure(log4cxx::File(path))
                          : log4cxx::xml::DOMConfigurator::configure(path);
  if (status != log4cxx::spi::ConfigurationStatus::Configured) {
    throw StartupError(kExitLogConfig,
                       fmt::format("the log config {} is not valid; log4cxx's own message is above", path));
  }
}

void reopen_logs() {
  for (const auto& appender : file_appenders()) {
    const std::string path = appender->getFile();
    if (!can_open_for_append(path)) {
      kMainLog.error("cannot reopen the log file {}: {}; still writing to the one that was open", path,
                     std::generic_category().message(errno));
      continue;
    }
    // A file that is there when it is opened again is one that was not rotated: keep what it holds.
    appender->setAppend(true);
    log4cxx::helpers::Pool pool;
    appender->activateOptions(pool);
  }
}

std::vector<std::string> log_files() {
  std::vector<std::string> paths;
  for (const auto& appender : file_appenders()) paths.push_back(appender->getFile());
  return paths;
}

}  // namespace driveshaft::base
