// SPDX-License-Identifier: MIT
#include "monitor/json_text.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <iterator>

namespace driveshaft::monitor {
namespace {

namespace json = boost::json;

void append(std::string& out, const json::value& value) {
  switch (value.kind()) {
    case json::kind::object: {
      const char* separator = "{";
      for (const auto& [key, member] : value.get_object()) {
        out += separator;
        out += json::serialize(key);
        out += ':';
        append(out, member);
        separator = ",";
      }
      out += value.get_object().empty() ? "{}" : "}";
      return;
    }
    case json::kind::array: {
      const char* separator = "[";
      for (const auto& element : value.get_array()) {
        out += separator;
        append(out, element);
        separator = ",";
      }
      out += value.get_array().empty() ? "[]" : "]";
      return;
    }
    case json::kind::double_:
      fmt::format_to(std::back_inserter(out), "{}", value.get_double());
      return;
    default:
      out += json::serialize(value);
  }
}

}  // namespace

std::string json_text(const json::value& value) {
  std::string out;
  append(out, value);
  return out;
}

}  // namespace driveshaft::monitor
