// SPDX-License-Identifier: MIT
#include "http/fastcgi_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/printable.h"

namespace driveshaft::http {
namespace {

using fastcgi::ProtocolStatus;
using fastcgi::Type;

Failure malformed(std::string what) { return {Failure::Kind::malformed, "not FastCGI: " + std::move(what)}; }

}  // namespace

void FastcgiReader::reset(std::size_t max_body, bool streams) {
  record_bytes_ = 0;
  content_left_ = 0;
  padding_left_ = 0;
  end_bytes_ = 0;
  started_ = false;
  done_ = false;
  max_body_ = max_body;
  streams_ = streams;
  header_.reset();
  body_.clear();
  if (body_.capacity() > kKeptBody) body_.shrink_to_fit();
  stderr_line_.clear();
  stderr_lines_.clear();
  line_count_ = 0;
}

base::Result<std::size_t, Failure> FastcgiReader::read(std::string_view bytes) {
  const std::size_t size = bytes.size();
  started_ = started_ || size > 0;
  while (!bytes.empty() && !done_) {
    std::size_t taken = 0;
    if (record_bytes_ < record_.size()) {
      taken = std::min(bytes.size(), record_.size() - record_bytes_);
      std::copy_n(bytes.begin(), taken, record_.begin() + static_cast<std::ptrdiff_t>(record_bytes_));
      record_bytes_ += taken;
      if (record_bytes_ == record_.size()) {
        if (auto begun = begin_record(); !begun) return begun.error();
      }
    } else if (content_left_ > 0) {
      taken = std::min(bytes.size(), content_left_);
      content_left_ -= taken;
      if (auto took = take(bytes.substr(0, taken)); !took) return took.error();
    } else {
      taken = std::min(bytes.size(), padding_left_);
      padding_left_ -= taken;
    }
    bytes.remove_prefix(taken);
    if (record_bytes_ == record_.size() && content_left_ == 0 && padding_left_ == 0) {
      if (auto ended = end_of_record(); !ended) return ended.error();
    }
  }
  return size - bytes.size();
}

base::Result<void, Failure> FastcgiReader::begin_record() {
  if (record_[0] != fastcgi::kVersion) {
    const std::string_view bytes(reinterpret_cast<const char*>(record_.data()), record_.size());
    if (bytes.starts_with("HTTP/")) {
      return malformed("it answers in HTTP, as a web server does, whose URI begins with http://");
    }
    return malformed(
        fmt::format("a record of version {}: \"{}\"", record_[0], text::printable(bytes, record_.size())));
  }
  const unsigned id = record_[2] * 256U + record_[3];
  content_left_ = record_[4] * 256U + record_[5];
  padding_left_ = record_[6];
  switch (static_cast<Type>(record_[1])) {
    case Type::out:
    case Type::err:
      break;
    case Type::end_request:
      if (content_left_ == fastcgi::kEndSize) break;
      return malformed(fmt::format("a request's end of {} bytes", content_left_));
    default:
      return malformed(fmt::format("a record of type {}, which a client cannot be sent", record_[1]));
  }
  if (id == fastcgi::kRequestId) return {};
  return malformed(fmt::format("a record for request {}, which was not made", id));
}

base::Result<void, Failure> FastcgiReader::take(std::string_view content) {
  switch (static_cast<Type>(record_[1])) {
    case Type::out:
      return take_output(content);
    case Type::err:
      take_stderr(content);
      return {};
    default:
      std::copy(content.begin(), content.end(), end_.begin() + static_cast<std::ptrdiff_t>(end_bytes_));
      end_bytes_ += content.size();
      return {};
  }
}

base::Result<void, Failure> FastcgiReader::take_output(std::string_view bytes) {
  if (!header_.done()) {
    const auto taken = header_.read(bytes);
    if (!taken) return taken.error();
    bytes.remove_prefix(*taken);
  }
  if (!streamed() && bytes.size() > max_body_ - body_.size()) {
    return Failure{Failure::Kind::too_large,
                   fmt::format("the response body is larger than max_response_size ({} bytes)", max_body_)};
  }
  body_ += bytes;
  return {};
}

void FastcgiReader::take_stderr(std::string_view bytes) {
  while (!bytes.empty() && line_count_ <= kMaxStderrLines) {
    if (line_count_ == kMaxStderrLines) {  // and this is one more
      ++line_count_;
      stderr_lines_ += kLinesLeftOut;
      return;
    }
    const auto newline = bytes.find('\n');
    const auto part = bytes.substr(0, newline);
    // One byte more than is shown is kept, so that the log shows that the line is cut.
    stderr_line_ += part.substr(0, kMaxStderrLine + 1 - stderr_line_.size());
    if (newline == bytes.npos) return;
    add_stderr_line();
    bytes.remove_prefix(newline + 1);
  }
}

void FastcgiReader::add_stderr_line() {
  if (stderr_line_.ends_with('\r')) stderr_line_.pop_back();
  if (!stderr_line_.empty()) {
    stderr_lines_.append(stderr_line_) += '\n';
    ++line_count_;
  }
  stderr_line_.clear();
}

std::string_view FastcgiReader::stderr_lines(bool over) {
  if (over) add_stderr_line();
  return stderr_lines_;
}

base::Result<void, Failure> FastcgiReader::end_of_record() {
  record_bytes_ = 0;
  if (static_cast<Type>(record_[1]) != Type::end_request) return {};
  if (auto ended = end_of_request(); !ended) return ended;
  done_ = true;
  return {};
}

base::Result<void, Failure> FastcgiReader::end_of_request() const {
  switch (static_cast<ProtocolStatus>(end_[4])) {
    case ProtocolStatus::complete:
      break;
    case ProtocolStatus::overloaded:
      return Failure{Failure::Kind::overloaded, "the FastCGI server is overloaded (FCGI_OVERLOADED)"};
    case ProtocolStatus::cannot_multiplex:
      return Failure{Failure::Kind::overloaded,
                     "the FastCGI server takes no other request on this connection (FCGI_CANT_MPX_CONN)"};
    default:
      return malformed(fmt::format("the request was ended with protocol status {}{}", end_[4],
                                   end_[4] == static_cast<unsigned>(ProtocolStatus::unknown_role)
                                       ? " (FCGI_UNKNOWN_ROLE: it is no responder)"
                                       : ""));
  }
  if (header_.done()) return {};
  return Failure{Failure::Kind::malformed,
                 "not a CGI response: it ended before its header did, which an empty line ends"};
}

base::Result<void, Failure> FastcgiReader::end_of_stream() {
  return Failure{Failure::Kind::connection_lost,
                 "the endpoint closed the connection before the response was complete"};
}

}  // namespace driveshaft::http
