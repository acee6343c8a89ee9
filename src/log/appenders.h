// SPDX-License-Identifier: MIT
#pragma once

namespace driveshaft::log {

// Puts appenders of ours in the place of log4cxx's, under the same names in users' files: FileAppender and
// RollingFileAppender that write UTF-8 as it is, gather the lines of a batch (see log_file.h), and try a file
// again that could not be opened. Call before a configuration is read.
//
// RollingFileAppender takes both what today's log4cxx wants, a nested rollingPolicy, and the options of the
// class that once had its name: MaxFileSize and MaxBackupIndex. DailyRollingFileAppender with its
// DatePattern, which log4cxx has dropped, is there again.
// `appending`: files that are there already are kept, whatever `Append` says.
void register_appenders(bool appending);

}  // namespace driveshaft::log
