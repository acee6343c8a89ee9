// SPDX-License-Identifier: MIT
#pragma once

namespace driveshaft::base {

// Puts appenders of ours in the place of log4cxx's, under the same names in users' files: FileAppender and
// RollingFileAppender that write UTF-8 as it is. log4cxx's own encode line by line for the process's locale
// and hand the kernel 1 kB at a time, buffered or not. Call before a configuration is read.
void register_appenders();

}  // namespace driveshaft::base
