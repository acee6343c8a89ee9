// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "http/buffers.h"
#include "http/exchange.h"
#include "net/asio.h"
#include "net/uri.h"

namespace driveshaft::http {

// The parameters that are the same in all requests to a script, as pairs (see append_pair()). Without a
// document root the folder of the script is taken.
std::string script_params(const net::Uri& uri, std::string_view document_root);

// Appends a parameter in the encoding of FastCGI.
void append_pair(std::string& out, std::string_view name, std::string_view value);

// Encodes one request after another as FastCGI records. Pure: no socket. A small body is copied behind the
// parameters, so that there is one write. A big body stays where it is, and its records are made a few at a
// time.
class FastcgiRequest {
 public:
  // php-fpm refuses a record of parameters that is longer, or that ends within a parameter.
  static constexpr std::size_t kMaxContent = 65'528;

  // `params`: the first parameters of every request, as pairs.
  explicit FastcgiRequest(std::string params) : fixed_params_(std::move(params)) {}
  // Adds parameters of every request that are known once the connection is open.
  void add_params(std::string_view pairs) { fixed_params_ += pairs; }

  // `request`: the head of an HTTP request, whose lines become parameters, and then the body. The bytes stay
  // where they are until all is written.
  void start(std::span<const asio::const_buffer> request);

  // The next bytes to write; empty when all bytes are written().
  std::span<const asio::const_buffer> unwritten();
  void written(std::size_t bytes) { rest_ = skip_bytes(rest_, bytes); }

 private:
  void add_params_of(std::string_view head);
  void add_param(std::string_view name, std::string_view value);
  void open_params_record();
  void close_params_record();
  void add_records();
  void add_content(std::size_t bytes);
  void add_buffer(std::string_view bytes);

  std::string fixed_params_;
  std::string front_;       // everything before the body, and the body itself if it is small
  std::size_t record_ = 0;  // where in front_ the open record of parameters begins
  std::array<std::string_view, std::tuple_size_v<Exchange::Request>> body_;  // what is not in the window yet
  std::size_t body_left_ = 0;                                                // bytes of body_
  bool ended_ = true;                       // the record that ends the body is in the window
  std::array<char, 8> last_record_{};       // header of the body's last record
  std::vector<asio::const_buffer> window_;  // to be written next
  std::span<asio::const_buffer> rest_;      // of the window: what is not written yet
};

}  // namespace driveshaft::http
