// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace driveshaft::daemon {

// Raises the limit of open files, which includes sockets, as far as the process is allowed to. Returns the
// new limit.
std::uint64_t raise_open_file_limit();

}  // namespace driveshaft::daemon
