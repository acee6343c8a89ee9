// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json/fwd.hpp>
#include <string>

namespace driveshaft::monitor {

// JSON with numbers as people write them, 0.2 and not 2E-1 as Boost.JSON has it.
std::string json_text(const boost::json::value& value);

}  // namespace driveshaft::monitor
