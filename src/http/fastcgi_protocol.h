// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "http/fastcgi_reader.h"
#include "http/fastcgi_request.h"
#include "http/protocol.h"

namespace driveshaft::http {

// FastCGI, as php-fpm implements it. Each request has a connection of its own: when php-fpm is reloaded, a
// process finishes its request and does not read a further one on the same connection. A request on a new
// connection waits for the next process.
class FastcgiProtocol final : public Protocol {
 public:
  // `params`: the parameters of every request; see script_params().
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
    return {reader_.status(),   reader_.body(),       reader_.retry_after(),
            reader_.location(), /*keep_alive=*/false, reader_.streamed()};
  }
  std::string_view chunk() const override { return reader_.streamed() ? reader_.body() : std::string_view(); }
  void chunk_taken() override { reader_.body_taken(); }
  std::string_view stderr_lines(bool over) override { return reader_.stderr_lines(over); }
  void stderr_lines_taken() override { reader_.stderr_lines_taken(); }

 private:
  FastcgiRequest request_;
  FastcgiReader reader_;
};

}  // namespace driveshaft::http
