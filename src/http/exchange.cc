// SPDX-License-Identifier: MIT
#include "http/exchange.h"

#include <boost/beast/core/string.hpp>

namespace driveshaft::http {

bool is_streamed_type(std::string_view content_type) {
  const auto size = kStreamedType.size();
  if (content_type.size() < size) return false;  // as with almost every answer
  const bool ends = content_type.size() == size ||
                    std::string_view("; \t").find(content_type[size]) != std::string_view::npos;
  return ends && boost::beast::iequals({content_type.data(), size}, {kStreamedType.data(), size});
}

}  // namespace driveshaft::http
