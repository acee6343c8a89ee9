// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "http/fastcgi_reader.h"
#include "http/fastcgi_request.h"
#include "http/protocol.h"

namespace driveshaft::http {

// FastCGI, as php-fpm speaks it.
class FastcgiProtocol final : public Protocol {
 public:
  // `params`: of every request, see script_params().
  explicit FastcgiProtocol(std::string params) : request_(std::move(params)) {}

  void opened(const net::Stream::Socket& socket) override;
  void start(std::span<const asio::const_buffer> request, std::size_t max_body, bool streams) override {
    request_.start(request);
    reader_.reset(max_body, streams);
  }
  std::span<const asio::const_buffer> unwritten() override { return request_.unwritten(); }
  void written(std::size_t bytes) override { request_.written(bytes); }
  base::Result<std::size_t, Failure> read(std::string_view bytes) override { return reader_.read(bytes); }
  base::Result<void, Failure> end_of_stream() override { return FastcgiReader::end_of_stream(); }
  bool started() const override { return reader_.started(); }
  bool done() const override { return reader_.done(); }
  Response response() const override {
    return {reader_.status(), reader_.body(), reader_.retry_after(), /*keep_alive=*/true, reader_.streamed()};
  }
  std::string_view piece() const override { return reader_.streamed() ? reader_.body() : std::string_view(); }
  void piece_taken() override { reader_.body_taken(); }
  std::string_view remarks(bool over) override { return reader_.remarks(over); }
  void remarks_taken() override { reader_.remarks_taken(); }

 private:
  FastcgiRequest request_;
  FastcgiReader reader_;
};

}  // namespace driveshaft::http
