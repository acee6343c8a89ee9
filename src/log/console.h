// SPDX-License-Identifier: MIT
#pragma once

#include <log4cxx/appender.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "log/log.h"

namespace driveshaft::log {

// An appender that writes to stderr. Unlike log4cxx's ConsoleAppender it notices lines that cannot be
// written, as on a full disk.
log4cxx::AppenderPtr console_appender(Format format);

// Appends {"time":"2026-01-31T12:00:00.000Z","level":"INFO","logger":"Main","message":"…"} and a newline.
// Bytes that are not UTF-8 become U+FFFD. `microseconds` is the time since 1970.
void append_json_line(std::string& out, std::int64_t microseconds, std::string_view level,
                      std::string_view logger, std::string_view message);

}  // namespace driveshaft::log
