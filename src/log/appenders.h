// SPDX-License-Identifier: MIT
#pragma once

namespace driveshaft::log {

// Replaces FileAppender and RollingFileAppender of log4cxx by our own appenders of the same names. Ours write
// UTF-8 as it is, gather the lines of a batch (see log/file.h), and try again to open a file that could not
// be opened. Call this before a configuration is read.
//
// Our RollingFileAppender takes a nested rollingPolicy, as today's log4cxx does, or MaxFileSize and
// MaxBackupIndex, the options of log4cxx's former class of that name. DailyRollingFileAppender with its
// DatePattern, which log4cxx has dropped, exists as well. `appending`: existing files keep their content,
// whatever `Append` says.
void register_appenders(bool appending);

}  // namespace driveshaft::log
