// SPDX-License-Identifier: MIT
#include "dispatch/request_headers.h"

#include <charconv>

namespace driveshaft::dispatch {
namespace {

constexpr std::size_t kMaxPoolName = 128;  // bytes; servers limit the size of a header

constexpr bool goes_as_it_is(char c) { return c > 0x20 && c < 0x7f && c != '%'; }

template <class Number>
void append_number(std::string& out, Number number) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

}  // namespace

void append_header_value(std::string& out, std::string_view bytes) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::size_t plain_from = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    if (goes_as_it_is(bytes[at])) continue;
    const auto byte = static_cast<unsigned char>(bytes[at]);
    const char escape[] = {'%', kHex[byte >> 4], kHex[byte & 15]};
    out.append(bytes, plain_from, at - plain_from).append(escape, sizeof escape);
    plain_from = at + 1;
  }
  out.append(bytes, plain_from);
}

std::string header_lines(const std::vector<config::Header>& headers) {
  std::string lines;
  for (const auto& header : headers)
    lines.append(header.name).append(": ").append(header.value.reveal()).append("\r\n");
  return lines;
}

std::string function_lines(std::string_view pool, std::string_view function) {
  std::string lines = "Driveshaft-Pool: ";
  append_header_value(lines, pool.substr(0, kMaxPoolName));
  lines += "\r\nDriveshaft-Function: ";
  append_header_value(lines, function);
  return lines += "\r\n";
}

void append_attempt_lines(std::string& out, const AttemptFacts& attempt) {
  const auto deadline = std::chrono::floor<std::chrono::milliseconds>(attempt.deadline.time_since_epoch());
  out += "Driveshaft-Handle: ";
  append_header_value(out, attempt.handle);
  out += "\r\nDriveshaft-Unique: ";
  append_header_value(out, attempt.unique);
  out += "\r\nDriveshaft-Attempt: ";
  append_number(out, attempt.number);
  out += "\r\nDriveshaft-Deadline: ";
  append_number(out, deadline.count());
  out += "\r\ntraceparent: ";
  append_traceparent(out, attempt.trace, attempt.span);
  out += "\r\n";
}

}  // namespace driveshaft::dispatch
