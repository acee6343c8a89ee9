// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace driveshaft::daemon {

// Raises the number of files that may be open, sockets among them, as far as the process may. Returns what it
// is then.
std::uint64_t raise_open_file_limit();

}  // namespace driveshaft::daemon
