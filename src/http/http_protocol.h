// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include "http/protocol.h"
#include "http/response_reader.h"

namespace driveshaft::http {

// HTTP/1.1: a request is its pieces.
class HttpProtocol final : public Protocol {
 public:
  void start(std::span<const asio::const_buffer> request, std::size_t max_body, bool streams) override;
  std::span<const asio::const_buffer> unwritten() override { return {rest_.data() + first_, count_}; }
  void written(std::size_t bytes) override;
  base::Result<std::size_t, Failure> read(std::string_view bytes) override { return reader_.read(bytes); }
  base::Result<void, Failure> end_of_stream() override { return reader_.end_of_stream(); }
  bool started() const override { return reader_.started(); }
  bool done() const override { return reader_.done(); }
  Response response() const override;
  std::string_view piece() const override { return reader_.streamed() ? reader_.body() : std::string_view(); }
  void piece_taken() override { reader_.body_taken(); }

 private:
  Exchange::Request rest_;  // of the request, in [first_, first_ + count_)
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  ResponseReader reader_;
};

}  // namespace driveshaft::http
