// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "text/printable.h"

// Log lines through log4cxx; this folder alone includes it, in its .cc files and the headers between
// them. What users bring and see is in docs/logging.md.
namespace driveshaft::log {

enum class Level { debug, info, warn, error };
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
void configure_logging(const std::string& path);

// The same without a file: lines of that level and above go to stderr, as text or one JSON object each.
void log_to_console(Format format, Level level);

// Closes and opens the log files again, for rotation by rename. One that cannot be opened stays as it was,
// with an error in the log. While a Writer lives its thread does so, once the lines so far are written.
// Any thread.
void reopen_logs();

// The files that the configuration logs to, so that they can be given to the user the process will run as.
std::vector<std::string> log_files();

}  // namespace driveshaft::log
