// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/test_dir.h"

namespace driveshaft::log {

// For tests: writes a configuration that logs to the file `log` in the form "INFO Main text", with `more`
// among the appender's parameters; returns its path.
inline std::string file_config(const base::TestDir& dir, const std::string& level, const std::string& log,
                               const std::string& more = "",
                               const std::string& type = "org.apache.log4j.FileAppender") {
  return dir.write("log.xml", R"(<?xml version="1.0" encoding="UTF-8"?>
<log4j:configuration xmlns:log4j="http://jakarta.apache.org/log4j/">
  <appender name="file" class=")" +
                                  type + R"(">
    <param name="File" value=")" + log +
                                  R"("/>
    )" + more + R"(
    <layout class="org.apache.log4j.PatternLayout"><param name="ConversionPattern" value="%p %c %m%n"/></layout>
  </appender>
  <root><level value=")" + level + R"("/><appender-ref ref="file"/></root>
</log4j:configuration>)");
}

}  // namespace driveshaft::log
