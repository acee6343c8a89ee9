// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/printable.h"

// Log lines through log4cxx. Only this folder includes log4cxx: its .cc files, and headers that only they
// include. docs/logging.md describes what users configure and see.
namespace driveshaft::log {

enum class Level { debug, info, warn, error };
// As users write them, in the order of the enum.
inline constexpr std::array<std::string_view, 4> kLevelNames{"debug", "info", "warn", "error"};
enum class Format { text, json };

// A named log4cxx logger. Users' log configurations refer to the two loggers below by their names. Any
// thread. A line that cannot be written is lost, with a message on stderr and without an exception.
class Logger {
 public:
  // `name` must be a string literal: loggers are told apart by its address.
  explicit constexpr Logger(const char* name) : name_(name) {}

  // Whether a line of that level would be written. Ask before you build an expensive line.
  bool enabled(Level level) const;

  // Logs one line, which has no newline at its end. The caller escapes control characters (see
  // text::printable()).
  void write(Level level, const std::string& line) const;

  template <class... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) const {
    print(Level::debug, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) const {
    print(Level::info, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) const {
    print(Level::warn, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) const {
    print(Level::error, format, fmt::make_format_args(args...));
  }

 private:
  friend void set_level(const Logger& logger, std::optional<Level> least);
  void print(Level level, fmt::string_view format, fmt::format_args args) const;

  const char* name_;
};

inline constexpr Logger kMainLog{"Main"};      // the daemon: start, config, servers, endpoints, shutdown
inline constexpr Logger kThreadLog{"Thread"};  // jobs: two lines each at INFO

// Configures the log by a log4cxx XML file, or a properties file, by its extension. With an empty path, INFO
// and above go to stderr. Call it once before the first line: it also sets the process's LC_CTYPE to UTF-8,
// and has buffered lines written at exit. log4cxx's own messages about a readable file go to stderr. Throws
// StartupError (kExitLogConfig) if the file cannot be read or parsed, names an unknown class, or has no
// appender that can write. `opening` says how existing files are opened.
enum class Opening {
  as_configured,  // an appender with Append=false empties its file
  appending,      // all files keep their content: another process logs to them
};
void configure_logging(const std::string& path, Opening opening = Opening::as_configured);

// Checks that the file can be read and parsed, and names only known classes and appenders. Opens no log file.
// Throws as configure_logging() does. Afterwards no configuration is in force.
void check_logging(const std::string& path);

// Configures the log without a file: lines of that level and above go to stderr, as text or one JSON object
// each.
void log_to_console(Format format, Level level);

// Sets the least level of the logger, whatever the configuration says. Nothing: the level of the
// configuration applies again. An appender's Threshold applies in any case. Any thread.
void set_level(const Logger& logger, std::optional<Level> least);

// Turns the rolling of files that are full, or of an earlier day, on or off; it is on at first. Of two
// processes that log to the same files only one may roll them: the other would rename the new file as if it
// were the old one. The other process goes on writing to the file that it has open. Any thread.
void roll_files(bool roll);

// Closes the log files and opens them again, for rotation by rename. A file that cannot be opened again stays
// open as it was, and an error is logged. While a Writer lives, its thread does this, once the lines so far
// are written. Any thread.
void reopen_logs();

// The files that the configuration logs to. The daemon gives them to the user that it will run as.
std::vector<std::string> log_files();

}  // namespace driveshaft::log
