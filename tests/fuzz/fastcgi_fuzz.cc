// SPDX-License-Identifier: MIT
// A FastCGI server's byte stream: any bytes, in any pieces, give a response or one failure, and what is read
// does not depend on the pieces. The first byte is the size of the pieces. The rest is also a request's head
// and body: what is written is well-formed, and holds the body.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/fastcgi_reader.h"
#include "http/fastcgi_request.h"

namespace {

using driveshaft::http::FastcgiReader;
using driveshaft::http::FastcgiRequest;

constexpr std::size_t kMaxBody = 4096;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string read(std::string_view stream, std::size_t step, bool streams) {
  FastcgiReader reader;
  reader.reset(kMaxBody, streams);
  std::string stderr_lines;
  std::string body;
  while (!stream.empty() && !reader.done()) {
    const auto piece = stream.substr(0, step);
    const auto taken = reader.read(piece);
    stderr_lines += reader.stderr_lines(false);
    reader.stderr_lines_taken();
    if (!taken) return "failed " + taken.error().message + stderr_lines;
    require(*taken == piece.size() || reader.done());
    if (reader.streamed()) {
      body += reader.body();
      reader.body_taken();
    }
    stream.remove_prefix(*taken);
  }
  stderr_lines += reader.stderr_lines(true);
  require(stderr_lines.size() <= (FastcgiReader::kMaxStderrLine + 2) * (FastcgiReader::kMaxStderrLines + 1));
  if (!reader.done()) return "ended " + stderr_lines;
  body += reader.body();
  require(streams || body.size() <= kMaxBody);
  require(reader.status() >= 200 && reader.status() <= 999);
  return std::to_string(reader.status()) + std::string(reader.retry_after()) + "\n" + body + "\n" +
         stderr_lines;
}

void write(std::string_view head, std::string_view body) {
  FastcgiRequest request("");
  const driveshaft::http::Exchange::Request pieces{boost::asio::const_buffer(head.data(), head.size()),
                                                   boost::asio::const_buffer(body.data(), body.size())};
  request.start(pieces);
  std::string bytes;
  for (auto rest = request.unwritten(); !rest.empty(); rest = request.unwritten()) {
    bytes.append(static_cast<const char*>(rest[0].data()), rest[0].size());
    request.written(rest[0].size());
  }
  std::string written;
  for (std::string_view rest = bytes; !rest.empty();) {
    require(rest.size() >= 8 && rest[0] == 1 && rest[3] == 1 && rest[6] == 0);
    const std::size_t content =
        static_cast<unsigned char>(rest[4]) * 256U + static_cast<unsigned char>(rest[5]);
    require(rest.size() >= 8 + content && content <= FastcgiRequest::kMaxContent);
    if (rest[1] == 5) written += rest.substr(8, content);
    rest.remove_prefix(8 + content);
  }
  require(written.ends_with(body));  // what is behind the head's end goes before it
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = std::size_t{data[0]} + 1;
  for (const bool streams : {false, true}) {
    require(read(stream, step, streams) == read(stream, std::size_t{1} << 20, streams));
  }
  write(stream.substr(0, stream.size() / 2), stream.substr(stream.size() / 2));
  return 0;
}
