// SPDX-License-Identifier: MIT
#include "http/fastcgi_reader.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace driveshaft::http {
namespace {

constexpr std::size_t kMaxBody = 100;

std::string record(int type, std::string_view content, int padding = 0, int id = 1, int version = 1) {
  std::string bytes{static_cast<char>(version),
                    static_cast<char>(type),
                    static_cast<char>(id >> 8),
                    static_cast<char>(id),
                    static_cast<char>(content.size() >> 8),
                    static_cast<char>(content.size()),
                    static_cast<char>(padding),
                    0};
  return bytes.append(content).append(static_cast<std::size_t>(padding), 'p');
}
std::string out(std::string_view content, int padding = 0) { return record(6, content, padding); }
std::string err(std::string_view content) { return record(7, content); }
std::string end(int protocol_status = 0) {
  return record(3, std::string{0, 0, 0, 0, static_cast<char>(protocol_status), 0, 0, 0});
}

struct Read {
  std::string failure;  // empty: there is a response
  Failure::Kind kind{};
  unsigned status = 0;
  std::string body;
  std::string retry_after;
  std::string location;
  std::string stderr_lines;
};

// What the reader makes of `bytes`, which come `step` at a time.
Read read(std::string_view bytes, std::size_t step = 1 << 20, bool streams = false) {
  FastcgiReader reader;
  reader.reset(kMaxBody, streams);
  Read result;
  const auto failed = [&](const Failure& failure) {
    result.failure = failure.message;
    result.kind = failure.kind;
    result.stderr_lines += reader.stderr_lines(true);
    return result;
  };
  while (!bytes.empty() && !reader.done()) {
    const auto taken = reader.read(bytes.substr(0, step));
    result.stderr_lines += reader.stderr_lines(false);
    reader.stderr_lines_taken();
    if (!taken) return failed(taken.error());
    if (reader.streamed()) {
      result.body += reader.body();
      reader.body_taken();
    }
    bytes.remove_prefix(*taken);
  }
  if (!reader.done()) return failed(FastcgiReader::end_of_stream().error());
  EXPECT_TRUE(bytes.empty());
  result.status = reader.status();
  result.body += reader.body();
  result.retry_after = reader.retry_after();
  result.location = reader.location();
  result.stderr_lines += reader.stderr_lines(true);
  return result;
}

TEST(FastcgiReader, ReadsAResponseOfPhpFpmHoweverTheBytesCome) {
  const std::string bytes =
      err("PHP Notice: a\nPHP Warning: b\n") +
      out("Status: 503 Service Unavailable\r\nX-Powered-By: PHP\r\nretry-after:  7 \r\n", 3) +
      out("Content-type: text/html; charset=UTF-8\r\n\r\n{\"a\"", 7) + err("half a ") +
      out(std::string_view("\0\xff}", 3)) + err("line") + out("") + end();
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    const Read got = read(bytes, step);
    EXPECT_EQ(got.failure, "");
    EXPECT_EQ(got.status, 503u);
    EXPECT_EQ(got.body, std::string_view("{\"a\"\0\xff}", 7));
    EXPECT_EQ(got.retry_after, "7");
    EXPECT_EQ(got.stderr_lines, "PHP Notice: a\nPHP Warning: b\nhalf a line\n");
  }
}

TEST(FastcgiReader, TheStatusIs200WithoutAStatusLine) {
  EXPECT_EQ(read(out("Content-type: a/b\n\nx") + end()).status, 200u);
  EXPECT_EQ(read(out("Content-type: a/b\n\nx") + end()).body, "x");
  EXPECT_EQ(read(out("Location: /x\r\n\r\n") + end()).status, 302u);
  EXPECT_EQ(read(out("Location: /x\r\n\r\n") + end()).location, "/x");
  EXPECT_EQ(read(out("Location:\r\n\r\n") + end()).status, 302u);
  EXPECT_EQ(read(out("STATUS:404\r\n\r\n") + end()).status, 404u);
  EXPECT_EQ(read(out("\r\n") + end()).status, 200u);
  for (const char* status : {"", "20", "2000", "abc", "100", "099", "-20", "2 00"}) {
    const Read got = read(out(std::string("Status: ") + status + "\r\n\r\n") + end());
    EXPECT_EQ(got.kind, Failure::Kind::malformed);
    EXPECT_EQ(got.failure, std::string("not a CGI response (its Status is not a number from 200 to 999): "
                                       "\"Status: ") +
                               status + "\"");
  }
}

TEST(FastcgiReader, RefusesWhatIsNotFastcgi) {
  const auto failure = [](const std::string& bytes) {
    for (std::size_t step = 1; step < bytes.size(); ++step) {
      EXPECT_EQ(read(bytes, step).failure, read(bytes).failure);
    }
    return read(bytes).failure;
  };
  EXPECT_EQ(failure("HTTP/1.1 400 Bad Request\r\n"),
            "not FastCGI: it answers in HTTP, as a web server does, whose URI begins with http://");
  EXPECT_EQ(failure("HELO/1.1"), "not FastCGI: a record of version 72: \"HELO/1.1\"");
  EXPECT_EQ(failure(record(6, "", 0, 1, 2)).substr(0, 35), "not FastCGI: a record of version 2:");
  EXPECT_EQ(failure(record(11, "12345678", 0, 0)),
            "not FastCGI: a record of type 11, which a client cannot be sent");
  EXPECT_EQ(failure(record(0, "")), "not FastCGI: a record of type 0, which a client cannot be sent");
  EXPECT_EQ(failure(record(6, "x", 0, 2)), "not FastCGI: a record for request 2, which was not made");
  EXPECT_EQ(failure(record(6, "x", 0, 256)), "not FastCGI: a record for request 256, which was not made");
  EXPECT_EQ(failure(record(3, "1234567")), "not FastCGI: a request's end of 7 bytes");
  EXPECT_EQ(failure(record(3, "")), "not FastCGI: a request's end of 0 bytes");
  EXPECT_EQ(
      failure(end(3)),
      "not FastCGI: the request was ended with protocol status 3 (FCGI_UNKNOWN_ROLE: it is no responder)");
  EXPECT_EQ(failure(end(9)), "not FastCGI: the request was ended with protocol status 9");
  EXPECT_EQ(failure(end()), "not a CGI response: it ended before its header did, which an empty line ends");
  EXPECT_EQ(failure(out("Status: 200\r\n") + end()), failure(end()));
  EXPECT_EQ(failure(out("<br>Fatal error\n")),
            "not a CGI response (a line of its header has no name and colon): \"<br>Fatal error\"");
  EXPECT_EQ(read(out("<br>\n")).kind, Failure::Kind::malformed);
}

TEST(FastcgiReader, AnEarlyEndOfStreamIsALostConnection) {
  const std::string bytes = out("Status: 200\r\n\r\nx", 5) + out("") + end();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Read got = read(std::string_view(bytes).substr(0, size));
    EXPECT_EQ(got.kind, Failure::Kind::connection_lost) << size;
    EXPECT_EQ(got.failure, "the endpoint closed the connection before the response was complete");
  }
}

TEST(FastcgiReader, OverloadHasItsOwnKindOfFailure) {
  EXPECT_EQ(read(end(2)).kind, Failure::Kind::overloaded);
  EXPECT_EQ(read(end(2)).failure, "the FastCGI server is overloaded (FCGI_OVERLOADED)");
  EXPECT_EQ(read(end(1)).kind, Failure::Kind::overloaded);
}

TEST(FastcgiReader, TakesNoBytesBehindTheEnd) {
  FastcgiReader reader;
  reader.reset(kMaxBody);
  const std::string bytes = out("a: b\n\n") + end();
  EXPECT_EQ(*reader.read(bytes + "more"), bytes.size());
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(*reader.read("more"), 0u);
  reader.reset(kMaxBody);
  EXPECT_FALSE(reader.started() || reader.done());
  EXPECT_EQ(*reader.read(bytes), bytes.size());
}

TEST(FastcgiReader, LimitsHeaderAndBody) {
  const std::string header = "a: b\n\n";
  EXPECT_EQ(read(out(header + std::string(kMaxBody, 'x')) + end()).body.size(), kMaxBody);
  const Read big = read(out(header + std::string(kMaxBody, 'x')) + out("x") + end());
  EXPECT_EQ(big.kind, Failure::Kind::too_large);
  EXPECT_EQ(big.failure, "the response body is larger than max_response_size (100 bytes)");
  std::string lines;
  for (int i = 0; i < 70; ++i) lines += out("X-Header: " + std::string(1000, 'x') + "\n");
  EXPECT_EQ(read(lines).kind, Failure::Kind::too_large);
  EXPECT_EQ(read(lines).failure, "the response header is larger than 65536 bytes");
}

TEST(FastcgiReader, AStreamedBodyHasAnyLength) {
  const std::string header = "Content-Type: application/x-ndjson; charset=utf-8\r\n\r\n";
  const std::string bytes = out(header) + out(std::string(kMaxBody * 3, 'x')) + end();
  EXPECT_EQ(read(bytes, 7, /*streams=*/true).body.size(), kMaxBody * 3);
  EXPECT_EQ(read(bytes, 7, /*streams=*/false).kind, Failure::Kind::too_large);
  EXPECT_EQ(read(out("Status: 500\n" + header) + bytes, 7, true).kind, Failure::Kind::too_large);
}

TEST(FastcgiReader, LinesOfStderrAreBounded) {
  const std::string response = out("a: b\n\n") + end();
  EXPECT_EQ(read(err("\n\r\n\na\r\nb") + response).stderr_lines, "a\nb\n");
  const Read long_line = read(err(std::string(5000, 'x') + "\ny\n") + response, 100);
  EXPECT_EQ(long_line.stderr_lines, std::string(FastcgiReader::kMaxStderrLine + 1, 'x') + "\ny\n");
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += err("0123456789\n");
  const std::string stderr_lines = read(many + response).stderr_lines;
  EXPECT_TRUE(stderr_lines.ends_with("0123456789\n(more lines are left out)\n"));
  EXPECT_EQ(std::count(stderr_lines.begin(), stderr_lines.end(), '\n'), FastcgiReader::kMaxStderrLines + 1);
  std::string just;
  for (int i = 0; i < FastcgiReader::kMaxStderrLines; ++i) just += err("x\n");
  EXPECT_EQ(read(just + response).stderr_lines.size(), 2u * FastcgiReader::kMaxStderrLines);
  // Also of a request that fails.
  EXPECT_EQ(read(err("the reason") + out("oops\n")).stderr_lines, "the reason\n");
}

}  // namespace
}  // namespace driveshaft::http
