// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace driveshaft::log {

// What is wrong with the XML and on which line, which log4cxx does not tell; empty if this parser, an easier
// one, sees nothing.
std::string xml_mistake(const std::string& path);

// log4cxx goes on when a configuration names a class that nobody has, or an appender that is not defined:
// an appender is then missing, or a filter. This throws StartupError (kExitLogConfig) with the name instead.
// The appenders of ours must be registered.
void require_known_names(const std::string& path);

// Throws StartupError (kExitLogConfig) if what has been read from `path` has an appender that cannot write,
// or writes the lines of neither logger anywhere.
void require_working_appenders(const std::string& path);

}  // namespace driveshaft::log
