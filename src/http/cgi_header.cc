// SPDX-License-Identifier: MIT
#include "http/cgi_header.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/equal_ignoring_case.h"
#include "text/printable.h"

namespace driveshaft::http {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The status in "404" or "404 Not Found"; 0: the text has none.
unsigned parse_status(std::string_view value) {
  const auto digits = value.substr(0, value.find(' '));
  if (digits.size() != 3 || !std::all_of(digits.begin(), digits.end(), is_digit)) return 0;
  const auto digit = [&](std::size_t i) { return static_cast<unsigned>(digits[i] - '0'); };
  const unsigned status = digit(0) * 100 + digit(1) * 10 + digit(2);
  return status >= 200 ? status : 0;  // a script cannot send interim responses
}

std::string_view trimmed(std::string_view text) {
  const auto begin = std::min(text.find_first_not_of(" \t"), text.size());
  const auto end = text.find_last_not_of(" \t");
  return begin == text.size() ? std::string_view() : text.substr(begin, end + 1 - begin);
}

Failure malformed(std::string_view what, std::string_view line) {
  return {Failure::Kind::malformed,
          fmt::format("not a CGI response ({}): \"{}\"", what, text::printable(line, kShownBytes))};
}

}  // namespace

void CgiHeader::reset() {
  line_.clear();
  if (line_.capacity() > 4096) line_.shrink_to_fit();
  size_ = 0;
  done_ = false;
  status_ = 0;
  stream_type_ = false;
  retry_after_.clear();
  location_.reset();
}

bool CgiHeader::streams() const { return stream_type_ && status() / 100 == 2; }

base::Result<std::size_t, Failure> CgiHeader::read(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !done_) {
    const auto rest = bytes.substr(taken);
    const auto newline = rest.find('\n');
    const auto part = rest.substr(0, newline == rest.npos ? newline : newline + 1);
    size_ += part.size();
    if (size_ > kMaxSize) {
      return Failure{Failure::Kind::too_large,
                     fmt::format("the response header is larger than {} bytes", kMaxSize)};
    }
    taken += part.size();
    line_ += part;
    if (newline == rest.npos) break;
    std::string_view line = line_;
    line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
    if (auto read = read_line(line); !read) return read.error();
    line_.clear();
  }
  return taken;
}

base::Result<void, Failure> CgiHeader::read_line(std::string_view line) {
  if (line.empty()) {
    done_ = true;
    return {};
  }
  const auto colon = line.find(':');
  if (colon == line.npos || colon == 0) return malformed("a line of its header has no name and colon", line);
  const auto name = line.substr(0, colon);
  const auto value = trimmed(line.substr(colon + 1));
  if (text::equal_ignoring_case(name, "Status")) {
    status_ = parse_status(value);
    if (status_ == 0) return malformed("its Status is not a number from 200 to 999", line);
  } else if (text::equal_ignoring_case(name, "Content-Type")) {
    stream_type_ = is_streamed_type(value);
  } else if (text::equal_ignoring_case(name, "Retry-After")) {
    retry_after_ = value;
  } else if (text::equal_ignoring_case(name, "Location")) {
    location_.emplace(value);
  }
  return {};
}

}  // namespace driveshaft::http
