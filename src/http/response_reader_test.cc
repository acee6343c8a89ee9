// SPDX-License-Identifier: MIT
#include "http/response_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace driveshaft::http {
namespace {

using Kind = Failure::Kind;

constexpr std::size_t kNoLimit = 1 << 20;

struct Outcome {
  bool done = false;
  unsigned status = 0;
  std::string body;
  bool keep_alive = false;
  std::string rest;  // not taken
  std::optional<Failure> failure;
};

// Reads a stream that comes `step` bytes at a time and then ends if `ends`.
Outcome read(std::string_view stream, std::size_t step, bool ends = false, std::size_t max_body = kNoLimit) {
  ResponseReader reader;
  reader.reset(max_body);
  Outcome outcome;
  std::string pending;
  while (!stream.empty() && !reader.done()) {
    pending += stream.substr(0, step);
    stream.remove_prefix(std::min(step, stream.size()));
    const auto taken = reader.read(pending);
    if (!taken) {
      outcome.failure = taken.error();
      return outcome;
    }
    pending.erase(0, *taken);
  }
  if (!reader.done() && ends) {
    if (const auto ended = reader.end_of_stream(); !ended) outcome.failure = ended.error();
  }
  outcome.done = !outcome.failure && reader.done();
  if (outcome.done) {
    outcome.status = reader.status();
    outcome.body = reader.body();
    outcome.keep_alive = reader.keep_alive();
  }
  outcome.rest = pending.append(stream);
  return outcome;
}

class HoweverTheBytesCome : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Steps, HoweverTheBytesCome, testing::Values(1, 3, 64, 100'000));

TEST_P(HoweverTheBytesCome, ContentLength) {
  const auto got = read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", GetParam());
  EXPECT_TRUE(got.done);
  EXPECT_EQ(got.status, 200U);
  EXPECT_EQ(got.body, "hello");
  EXPECT_TRUE(got.keep_alive);
}

TEST_P(HoweverTheBytesCome, Chunked) {
  const auto got = read(
      "HTTP/1.1 500 Oops\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: "
      "t\r\n\r\n",
      GetParam());
  EXPECT_TRUE(got.done);
  EXPECT_EQ(got.status, 500U);
  EXPECT_EQ(got.body, "abc0123456789");
  EXPECT_TRUE(got.keep_alive);
}

TEST_P(HoweverTheBytesCome, UntilTheEndOfTheStream) {
  const auto got = read("HTTP/1.0 200 OK\r\n\r\nto the end", GetParam(), /*ends=*/true);
  EXPECT_TRUE(got.done);
  EXPECT_EQ(got.body, "to the end");
  EXPECT_FALSE(got.keep_alive);
}

// The whole body of a stream, taken in chunks, and the size of the largest chunk.
std::pair<std::string, std::size_t> read_streamed(std::string_view stream, std::size_t step) {
  ResponseReader reader;
  reader.reset(4, /*streams=*/true);
  std::string pending;
  std::string body;
  std::size_t largest = 0;
  while (!stream.empty()) {
    pending += stream.substr(0, step);
    stream.remove_prefix(std::min(step, stream.size()));
    const auto taken = reader.read(pending);
    if (!taken) return {taken.error().message, 0};
    pending.erase(0, *taken);
    if (!reader.streamed()) continue;
    largest = std::max(largest, reader.body().size());
    body += reader.body();
    reader.body_taken();
  }
  EXPECT_TRUE(reader.done());
  return {body, largest};
}

TEST_P(HoweverTheBytesCome, AStreamedBodyOfAnyLengthIsTakenInChunks) {
  for (const std::string_view type :
       {"application/x-ndjson", "Application/X-NDJSON; charset=utf-8", "application/x-ndjson;x"}) {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: " + std::string(type) + "\r\n";
    const auto [chunked, largest] = read_streamed(
        head + "Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n", GetParam());
    EXPECT_EQ(chunked, "hello world");
    EXPECT_LE(largest, std::max<std::size_t>(GetParam(), 6));
    EXPECT_EQ(read_streamed(head + "Content-Length: 11\r\n\r\nhello world", GetParam()).first, "hello world");
  }
  for (const std::string_view other :
       {"200 OK\r\nContent-Type: application/json", "200 OK\r\nContent-Type: application/x-ndjsonp",
        "500 Oops\r\nContent-Type: application/x-ndjson"}) {
    EXPECT_THAT(read_streamed("HTTP/1.1 " + std::string(other) + "\r\nContent-Length: 11\r\n\r\nhello world",
                              GetParam())
                    .first,
                testing::HasSubstr("larger than max_response_size (4 bytes)"))
        << other;
  }
}

TEST_P(HoweverTheBytesCome, InterimResponsesAreSkipped) {
  const auto got = read(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 201 "
      "Created\r\nContent-Length: 2\r\n\r\nok",
      GetParam());
  EXPECT_TRUE(got.done);
  EXPECT_EQ(got.status, 201U);
  EXPECT_EQ(got.body, "ok");
}

TEST_P(HoweverTheBytesCome, TooManyInterimResponsesAreMalformed) {
  std::string stream;
  for (int i = 0; i < ResponseReader::kMaxInterim; ++i) stream += "HTTP/1.1 100 Continue\r\n\r\n";
  const std::string good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  EXPECT_EQ(read(stream + good, GetParam()).body, "ok");
  const auto got = read(stream + "HTTP/1.1 100 Continue\r\n\r\n" + good, GetParam());
  EXPECT_FALSE(got.done);
  ASSERT_TRUE(got.failure);
  EXPECT_THAT(got.failure->message, testing::HasSubstr("more than 100 interim responses"));
}

TEST_P(HoweverTheBytesCome, TakesNoBytesBehindTheResponse) {
  const auto got =
      read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 408 Timeout\r\n\r\n", GetParam());
  EXPECT_EQ(got.body, "ok");
  EXPECT_EQ(got.rest, "HTTP/1.1 408 Timeout\r\n\r\n");
}

TEST(ResponseReader, SaysWhetherTheConnectionCanBeKept) {
  EXPECT_FALSE(read("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 999).keep_alive);
  EXPECT_FALSE(read("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 999).keep_alive);
  EXPECT_TRUE(read("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 999).keep_alive);
  EXPECT_TRUE(read("HTTP/1.1 204 No Content\r\n\r\n", 999).keep_alive);
}

TEST(ResponseReader, AnEarlyEndOfStreamIsALostConnection) {
  for (const auto* stream : {"", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\n\r",
                             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
    const auto got = read(stream, 999, /*ends=*/true);
    ASSERT_TRUE(got.failure) << stream;
    EXPECT_EQ(got.failure->kind, Kind::connection_lost) << stream;
  }
}

TEST(ResponseReader, AMalformedResponseIsShown) {
  for (const auto* stream : {"SSH-2.0-OpenSSH\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    const auto got = read(stream, 999);
    ASSERT_TRUE(got.failure) << stream;
    EXPECT_EQ(got.failure->kind, Kind::malformed) << stream;
  }
  EXPECT_THAT(read("SSH-2.0-x\r\n", 999).failure->message, testing::HasSubstr("\"SSH-2.0-x"));
}

TEST(ResponseReader, BodyAndHeaderAreBounded) {
  const std::string in_one = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n12345678901";
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n";
  const std::string endless = "HTTP/1.1 200 OK\r\n\r\n12345678901";
  for (const auto& stream : {in_one, chunked, endless}) {
    const auto got = read(stream, 999, true, 10);
    ASSERT_TRUE(got.failure) << stream;
    EXPECT_EQ(got.failure->kind, Kind::too_large);
    EXPECT_THAT(got.failure->message, testing::HasSubstr("max_response_size (10 bytes)"));
    EXPECT_TRUE(read(stream, 999, true, 11).done);
  }
  const auto got = read("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'), 4096);
  ASSERT_TRUE(got.failure);
  EXPECT_EQ(got.failure->kind, Kind::too_large);
}

TEST(ResponseReader, ReadsTheNextResponseAfterReset) {
  ResponseReader reader;
  reader.reset(kNoLimit);
  ASSERT_TRUE(reader.read("HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbad"));
  reader.reset(kNoLimit);
  EXPECT_FALSE(reader.started());
  EXPECT_FALSE(reader.done());
  ASSERT_TRUE(reader.read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(reader.body(), "");
  EXPECT_TRUE(reader.keep_alive());
}

}  // namespace
}  // namespace driveshaft::http
