// SPDX-License-Identifier: MIT
#include "log/console.h"

#include <fmt/format.h>
#include <log4cxx/helpers/bytebuffer.h>
#include <log4cxx/helpers/outputstream.h>
#include <log4cxx/logger.h>
#include <log4cxx/patternlayout.h>
#include <log4cxx/spi/loggingevent.h>
#include <log4cxx/writerappender.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <iterator>
#include <memory>
#include <system_error>

#include "base/stderr.h"
#include "log/fields.h"
#include "log/file.h"
#include "text/json_string.h"

namespace driveshaft::log {
namespace {

namespace helpers = log4cxx::helpers;

// Numbers are written as such; their keys are few, and texts under other keys may look like numbers.
bool is_number(std::string_view key) {
  constexpr std::string_view kNumbers[] = {"attempt", "duration", "next_in", "of", "return_code"};
  return std::find(std::begin(kNumbers), std::end(kNumbers), key) != std::end(kNumbers);
}

// A line of a job has its fields beside the message.
void append_message(std::string& out, std::string_view message) {
  const auto fields = parse_fields(message);
  text::append_json_string(out, fields ? fields->what : message);
  if (!fields) return;
  for (const auto& [key, value] : fields->values) {
    out.append(",\"").append(key).append("\":");
    if (is_number(key)) {
      out += value;
    } else {
      text::append_json_string(out, value);
    }
  }
}

class StderrStream final : public helpers::OutputStream {
 public:
  void close(helpers::Pool&) override {}
  void flush(helpers::Pool&) override {}
  // Throws if the bytes cannot be written. The position of `bytes` is then behind those that were.
  void write(helpers::ByteBuffer& bytes, helpers::Pool&) override {
    // During an upgrade two processes write to it.
    const std::size_t most = base::most_at_once_on_stderr();
    while (bytes.remaining() > 0) {
      const auto lines = base::first_lines({bytes.current(), bytes.remaining()}, most);
      const ssize_t size = ::write(STDERR_FILENO, lines.data(), lines.size());
      if (size >= 0) {
        bytes.position(bytes.position() + static_cast<std::size_t>(size));
      } else if (errno == EAGAIN) {
        pollfd writable{STDERR_FILENO, POLLOUT, 0};
        ::poll(&writable, 1, -1);
      } else if (errno != EINTR) {
        throw std::system_error(errno, std::generic_category());
      }
    }
  }
};

class StderrAppender final : public log4cxx::WriterAppender {
 public:
  explicit StderrAppender(const log4cxx::LayoutPtr& layout) : WriterAppender(layout) {
    const auto lost = std::make_shared<LostLines>();
    lost->set_path("stderr");
    setWriter(std::make_shared<Utf8Writer>(std::make_shared<StderrStream>(), lost, kMostGathered));
  }
};

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
  append_message(out, message);
  out += "}\n";
}

log4cxx::AppenderPtr console_appender(Format format) {
  log4cxx::LayoutPtr layout;
  if (format == Format::json) {
    layout = std::make_shared<JsonLayout>();
  } else {
    layout = std::make_shared<log4cxx::PatternLayout>("%d %-5p %c - %m%n");
  }
  return std::make_shared<StderrAppender>(layout);
}

}  // namespace driveshaft::log
