// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include "http/buffers.h"
#include "http/protocol.h"
#include "http/response_reader.h"

namespace driveshaft::http {

// HTTP/1.1: the bytes of a request go on the connection as they are.
class HttpProtocol final : public Protocol {
 public:
  void start(std::span<const asio::const_buffer> request, std::size_t max_body, bool streams) override;
  std::span<const asio::const_buffer> unwritten() override { return rest_; }
  void written(std::size_t bytes) override { rest_ = skip_bytes(rest_, bytes); }
  base::Result<std::size_t, Failure> read(std::string_view bytes) override { return reader_.read(bytes); }
  base::Result<void, Failure> end_of_stream() override { return reader_.end_of_stream(); }
  bool started() const override { return reader_.started(); }
  bool done() const override { return reader_.done(); }
  Response response() const override;
  std::string_view chunk() const override { return reader_.streamed() ? reader_.body() : std::string_view(); }
  void chunk_taken() override { reader_.body_taken(); }

 private:
  Exchange::Request buffers_;
  std::span<asio::const_buffer> rest_;  // of buffers_: what is not written yet
  ResponseReader reader_;
};

}  // namespace driveshaft::http
