// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace driveshaft::log {

// The first mistake in the XML with its line, which log4cxx does not report. Empty: this parser, which is
// simpler, finds none.
std::string xml_mistake(const std::string& path);

// log4cxx goes on when a configuration names an unknown class or an undefined appender: an appender or a
// filter is then missing. This throws StartupError (kExitLogConfig) with the name instead. Our appenders must
// be registered before.
void require_known_names(const std::string& path);

// Throws StartupError (kExitLogConfig) if the configuration, which was read from `path`, has an appender that
// cannot write, or no appender for either logger.
void require_working_appenders(const std::string& path);

}  // namespace driveshaft::log
