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

// Log lines through log4cxx; this folder alone includes it, in its .cc files and the headers between
// them. What users bring and see is in docs/logging.md.
namespace driveshaft::log {

enum class Level { debug, info, warn, error };
// As users write them, in the order of the enum.
inline constexpr std::array<std::string_view, 4> kLevelNames{"debug", "info", "warn", "error"};
enum class Format { text, json };

// A named log4cxx logger. The two that exist have the names that users' logconfig files select. Any thread.
// Nothing here throws because a line could not be written: the line is lost, and a message goes to stderr.
class Logger {
 public:
  // `name` is a literal: it is remembered by its address.
  explicit constexpr Logger(const char* name) : name_(name) {}

  // Whether a line of that level would go anywhere: ask before building an expensive one.
  bool enabled(Level level) const;

  // One line, no trailing newline. Control characters in `line` are the caller's to escape (see
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

// Reads a log4cxx XML file (or properties, by its extension); an empty path logs INFO and above to stderr.
// Call once before the first line: it also sets the process's LC_CTYPE to UTF-8, and sees to it that buffered
// lines are written at exit. What log4cxx has to say about a readable file goes to stderr.
// Throws StartupError (kExitLogConfig) when the file cannot be read or parsed, names a class that nobody has,
// or leaves nothing that lines could be written to.
// `opening`: how files that are there already are opened.
enum class Opening {
  as_configured,  // an appender with Append=false empties its file
  appending,      // all are kept: another process logs to them
};
void configure_logging(const std::string& path, Opening opening = Opening::as_configured);

// Whether the file can be read and parsed, and names only classes and appenders that there are. Opens no log
// file; throws as configure_logging() does. It replaces the configuration in force by none.
void check_logging(const std::string& path);

// The same without a file: lines of that level and above go to stderr, as text or one JSON object each.
void log_to_console(Format format, Level level);

// The least level of the logger of that name, whatever the configuration says; nothing: as the configuration
// has it again. An appender's Threshold holds all the same. Any thread.
void set_level(const Logger& logger, std::optional<Level> least);

// Whether files are rolled that are full or of an earlier day; they are unless this says otherwise. Of two
// processes that log to the same files only one must roll them: the other would rename the new file as if it
// were the old one. The other process's lines go on to the file that it has open. Any thread.
void roll_files(bool roll);

// Closes and opens the log files again, for rotation by rename. One that cannot be opened stays as it was,
// with an error in the log. While a Writer lives its thread does so, once the lines so far are written.
// Any thread.
void reopen_logs();

// The files that the configuration logs to, so that they can be given to the user the process will run as.
std::vector<std::string> log_files();

}  // namespace driveshaft::log
