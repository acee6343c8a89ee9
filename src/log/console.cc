// SPDX-License-Identifier: MIT
#include "log/console.h"

#include <fmt/format.h>
#include <log4cxx/consoleappender.h>
#include <log4cxx/logger.h>
#include <log4cxx/patternlayout.h>
#include <log4cxx/spi/loggingevent.h>

#include <ctime>
#include <iterator>
#include <memory>

#include "text/utf8.h"

namespace driveshaft::log {
namespace {

namespace helpers = log4cxx::helpers;

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t length = text::utf8_length(text);
    const char c = text[0];
    if (length == 0) {
      out += "\ufffd";
      length = 1;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.append(text, 0, length);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

class JsonLayout final : public log4cxx::Layout {
 public:
  void format(log4cxx::LogString& out, const log4cxx::spi::LoggingEventPtr& event,
              helpers::Pool&) const override {
    append_json_line(out, event->getTimeStamp(), event->getLevel()->toString(), event->getLoggerName(),
                     event->getMessage());
  }
  bool ignoresThrowable() const override { return true; }
  void activateOptions(helpers::Pool&) override {}
  void setOption(const log4cxx::LogString&, const log4cxx::LogString&) override {}
};

}  // namespace

void append_json_line(std::string& out, std::int64_t microseconds, std::string_view level,
                      std::string_view logger, std::string_view message) {
  const std::time_t seconds = microseconds / 1'000'000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  fmt::format_to(
      std::back_inserter(out),
      R"({{"time":"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z","level":"{}","logger":"{}","message":)",
      utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
      microseconds / 1000 % 1000, level, logger);
  append_json_string(out, message);
  out += "}\n";
}

log4cxx::LayoutPtr console_layout(Format format) {
  if (format == Format::json) return std::make_shared<JsonLayout>();
  return std::make_shared<log4cxx::PatternLayout>("%d %-5p %c - %m%n");
}

}  // namespace driveshaft::log
