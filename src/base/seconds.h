// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace driveshaft::base {

inline double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace driveshaft::base
