// SPDX-License-Identifier: MIT
#include "http/response_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "text/printable.h"

namespace driveshaft::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

constexpr std::size_t kReserveAtMost = 1024 * 1024;  // bytes, for a stated length, before they come

Failure to_failure(error_code error, std::string_view bytes, std::size_t max_body) {
  if (error == beast_http::error::body_limit) {
    return {Failure::Kind::too_large,
            fmt::format("the response body is larger than max_response_size ({} bytes)", max_body)};
  }
  if (error == beast_http::error::header_limit || error == beast_http::error::buffer_overflow) {
    return {Failure::Kind::too_large,
            fmt::format("the response header is larger than {} bytes", ResponseReader::kMaxHeader)};
  }
  if (error == beast_http::error::partial_message || error == beast_http::error::end_of_stream) {
    return {Failure::Kind::connection_lost,
            "the endpoint closed the connection before the response was complete"};
  }
  return {Failure::Kind::malformed, fmt::format("not an HTTP response ({}): \"{}\"", error.message(),
                                                text::printable(bytes, kShownBytes))};
}

}  // namespace

class ResponseReader::Parser final : public beast_http::basic_parser<false> {
 public:
  Parser(std::string& body, std::size_t max_body, bool streams) : streams_(streams), body_(body) {
    eager(true);
    header_limit(kMaxHeader);
    body_limit(max_body);
  }
  unsigned status = 0;
  std::string retry_after;
  std::string location;
  bool streamed = false;

 private:
  void on_request_impl(beast_http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override {
    status = static_cast<unsigned>(code);
  }
  void on_field_impl(beast_http::field name, string_view, string_view value, error_code&) override {
    if (name == beast_http::field::retry_after) retry_after.assign(value.data(), value.size());
    if (name == beast_http::field::location) location.assign(value.data(), value.size());
    if (name == beast_http::field::content_type && streams_ && status / 100 == 2 &&
        is_streamed_type({value.data(), value.size()})) {
      streamed = true;
      body_limit(boost::none);
    }
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    if (length && !streamed) body_.reserve(std::min<std::uint64_t>(*length, kReserveAtMost));
  }
  std::size_t on_body_impl(string_view bytes, error_code&) override {
    body_.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override {
    body_.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}

  const bool streams_;
  std::string& body_;
};

ResponseReader::ResponseReader() : parser_(std::make_unique<std::optional<Parser>>()) {}
ResponseReader::~ResponseReader() = default;

void ResponseReader::reset(std::size_t max_body, bool streams) {
  max_body_ = max_body;
  streams_ = streams;
  started_ = false;
  interim_ = 0;
  start();
}

void ResponseReader::start() {
  body_.clear();
  if (body_.capacity() > kKeptBody) body_.shrink_to_fit();
  parser_->emplace(body_, max_body_, streams_);
}

base::Result<std::size_t, Failure> ResponseReader::read(std::string_view bytes) {
  std::size_t taken = 0;
  started_ = started_ || !bytes.empty();
  while (taken < bytes.size() && !done()) {
    error_code error;
    Parser& parser = **parser_;
    const std::string_view rest = bytes.substr(taken);
    const std::size_t used = parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
    taken += used;
    if (error == beast_http::error::need_more) break;
    if (error) return to_failure(error, rest, max_body_);
    if (parser.is_done() && parser.status / 100 == 1) {  // an interim response; the final one follows
      if (++interim_ > kMaxInterim) {
        return Failure{Failure::Kind::malformed,
                       fmt::format("more than {} interim responses (1xx) and no final one", kMaxInterim)};
      }
      start();
    }
    if (used == 0) break;
  }
  return taken;
}

base::Result<void, Failure> ResponseReader::end_of_stream() {
  error_code error;
  Parser& parser = **parser_;
  if (!parser.got_some()) error = beast_http::error::end_of_stream;
  if (!error) parser.put_eof(error);
  if (error) return to_failure(error, {}, max_body_);
  return {};
}

bool ResponseReader::streamed() const { return (*parser_)->streamed; }
bool ResponseReader::started() const { return started_; }
bool ResponseReader::done() const { return (*parser_)->is_done(); }
unsigned ResponseReader::status() const { return (*parser_)->status; }
std::string_view ResponseReader::retry_after() const { return (*parser_)->retry_after; }
std::string_view ResponseReader::location() const { return (*parser_)->location; }
bool ResponseReader::keep_alive() const { return (*parser_)->keep_alive(); }

}  // namespace driveshaft::http
