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

#include "http/exchange.h"
#include "http/pieces.h"
#include "net/asio.h"
#include "net/uri.h"

namespace driveshaft::http {

// The parameters that all requests to a script have in common, as pairs (append_pair()). Without a document
// root the script's folder is it.
std::string script_params(const net::Uri& uri, std::string_view document_root);

// A parameter as FastCGI writes it.
void append_pair(std::string& out, std::string_view name, std::string_view value);

// One request after another as FastCGI records. Pure: no socket. A small body is copied behind the
// parameters, so that all is one write; a big one stays where it is, and its records are made a few at a
// time.
class FastcgiRequest {
 public:
  // php-fpm takes no longer record of parameters, nor one that ends within a parameter.
  static constexpr std::size_t kMaxContent = 65'528;

  // `params`: pairs that come first in every request.
  explicit FastcgiRequest(std::string params) : fixed_params_(std::move(params)) {}
  // And of those, that which is known once the connection is open.
  void add_params(std::string_view pairs) { fixed_params_ += pairs; }

  // `request`: the head of an HTTP request, whose lines become parameters, and behind it the body; it stays
  // as it is until all is written.
  void start(std::span<const asio::const_buffer> request);

  // The next bytes to write; empty when all are written().
  std::span<const asio::const_buffer> unwritten();
  void written(std::size_t bytes) { rest_ = left_of(rest_, bytes); }

 private:
  void add_params_of(std::string_view head);
  void add_param(std::string_view name, std::string_view value);
  void open_params_record();
  void close_params_record();
  void add_records();
  void add_content(std::size_t bytes);
  void add_piece(std::string_view bytes);

  std::string fixed_params_;
  std::string front_;       // everything before the body; with it, if it is small
  std::size_t record_ = 0;  // in front_, where the open record of parameters begins
  std::array<std::string_view, std::tuple_size_v<Exchange::Request>> body_;  // not yet in the window
  std::size_t body_left_ = 0;                                                // bytes of it
  bool ended_ = true;                       // the record that ends the body is in the window
  std::array<char, 8> last_record_{};       // header of the body's last record
  std::vector<asio::const_buffer> window_;  // what is to be written next
  std::span<asio::const_buffer> rest_;      // of it: what is not written
};

}  // namespace driveshaft::http
