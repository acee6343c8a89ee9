// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <log4cxx/helpers/pool.h>
#include <log4cxx/logger.h>
#include <log4cxx/logmanager.h>
#include <log4cxx/propertyconfigurator.h>
#include <log4cxx/xml/domconfigurator.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <set>
#include <system_error>

#include "base/error.h"
#include "base/exit_codes.h"
#include "log/appenders.h"
#include "log/config_check.h"
#include "log/console.h"
#include "log/file.h"
#include "log/log.h"
#include "log/queue.h"

namespace driveshaft::log {
namespace {

// The file appenders of the configuration in force. The list is kept because a question to log4cxx may wait
// for an appender that is stuck.
std::set<log4cxx::FileAppenderPtr>& configured_files() {
  static auto& files = *new std::set<log4cxx::FileAppenderPtr>;
  return files;
}

// log4cxx prints a message about an unreadable file and goes on, so this is checked before. Only a read shows
// that the path is a directory.
void require_readable(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char byte = 0;
  const bool readable = fd >= 0 && ::read(fd, &byte, 1) >= 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (readable) return;
  throw base::StartupError(base::kExitLogConfig,
                           fmt::format("cannot read the log config {}: {}; name a readable log4cxx XML or "
                                       ".properties file, or none to log to the console",
                                       path, std::generic_category().message(error)));
}

void start_over(Opening opening = Opening::as_configured) {
  prepare_loggers();
  register_appenders(opening == Opening::appending);
  configured_files().clear();
  log4cxx::LogManager::resetConfiguration();
}

}  // namespace

void log_to_console(Format format, Level level) {
  start_over();
  const auto root = log4cxx::Logger::getRootLogger();
  root->addAppender(console_appender(format));
  root->setLevel(level_of(level));
}

void check_logging(const std::string& path) {
  require_readable(path);
  start_over();
  if (const std::string mistake = xml_mistake(path); !mistake.empty()) {
    throw base::StartupError(base::kExitLogConfig,
                             fmt::format("the log config {} is not valid: {}", path, mistake));
  }
  require_known_names(path);
}

void configure_logging(const std::string& path, Opening opening) {
  if (path.empty()) return log_to_console(Format::text, Level::info);
  require_readable(path);
  start_over(opening);
  require_known_names(path);
  const auto status = path.ends_with(".properties")
                          ? log4cxx::PropertyConfigurator::configure(log4cxx::File(path))
                          : log4cxx::xml::DOMConfigurator::configure(path);
  if (status != log4cxx::spi::ConfigurationStatus::Configured) {
    const std::string mistake = xml_mistake(path);
    throw base::StartupError(base::kExitLogConfig,
                             fmt::format("the log config {} is not valid: {}", path,
                                         mistake.empty() ? "log4cxx's own message is above" : mistake));
  }
  require_working_appenders(path);
  configured_files() = file_appenders();
}

void reopen_logs() {
  if (Queue* queue = Queue::current()) return queue->push_reopen();
  reopen_logs_now();
}

void reopen_logs_now() {
  for (const auto& appender : configured_files()) {
    const std::string path = appender->getFile();
    if (const int error = why_not_appendable(path)) {
      kMainLog.error("cannot reopen the log file {}: {}; still writing to the one that was open", path,
                     std::generic_category().message(error));
      continue;
    }
    // If the file exists when it is opened again, it was not rotated. So its content is kept.
    appender->setAppend(true);
    log4cxx::helpers::Pool pool;
    appender->activateOptions(pool);
  }
}

void close_log() {
  log4cxx::LogManager::shutdown();
  // Otherwise the next look-up of a logger would search the working directory for a configuration.
  log4cxx::LogManager::getLoggerRepository()->setConfigured(true);
}

std::vector<std::string> log_files() {
  std::vector<std::string> paths;
  for (const auto& appender : configured_files()) paths.push_back(appender->getFile());
  return paths;
}

}  // namespace driveshaft::log
