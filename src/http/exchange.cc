// SPDX-License-Identifier: MIT
#include "http/exchange.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>

namespace driveshaft::http {

bool is_streamed_type(std::string_view content_type) {
  const auto type = content_type.substr(0, std::min(content_type.find_first_of("; \t"), content_type.size()));
  return boost::beast::iequals({type.data(), type.size()}, {kStreamedType.data(), kStreamedType.size()});
}

}  // namespace driveshaft::http
