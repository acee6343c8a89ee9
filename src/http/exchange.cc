// SPDX-License-Identifier: MIT
#include "http/exchange.h"

#include "text/equal_ignoring_case.h"

namespace driveshaft::http {

bool is_streamed_type(std::string_view content_type) {
  const auto size = kStreamedType.size();
  if (content_type.size() < size) return false;  // as with almost every answer
  const bool ends = content_type.size() == size ||
                    std::string_view("; \t").find(content_type[size]) != std::string_view::npos;
  return ends && text::equal_ignoring_case(content_type.substr(0, size), kStreamedType);
}

}  // namespace driveshaft::http
