// SPDX-License-Identifier: MIT
#include "http/fastcgi_request.h"

#include <gtest/gtest.h>

#include <map>

namespace driveshaft::http {
namespace {

struct Sent {
  std::string begin;
  std::map<std::string, std::string> params;
  std::vector<std::size_t> params_records;  // their sizes
  std::string body;
  std::vector<std::size_t> body_records;
  bool cut_param = false;  // one lies in two records
};

std::size_t number(std::string_view bytes) {
  std::size_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::size_t take_length(std::string_view& pairs) {
  const bool is_long = (pairs.at(0) & 0x80) != 0;
  const std::size_t length = number(pairs.substr(0, is_long ? 4 : 1)) & 0x7fff'ffff;
  pairs.remove_prefix(is_long ? 4 : 1);
  return length;
}

void take_pairs(std::string_view pairs, Sent& sent) {
  while (!pairs.empty()) {
    const auto name = take_length(pairs);
    const auto value = take_length(pairs);
    if (pairs.size() < name + value) {
      sent.cut_param = true;
      return;
    }
    EXPECT_TRUE(sent.params.emplace(pairs.substr(0, name), pairs.substr(name, value)).second);
    pairs.remove_prefix(name + value);
  }
}

Sent decode(std::string_view bytes) {
  Sent sent;
  while (!bytes.empty()) {
    EXPECT_EQ(number(bytes.substr(0, 1)), 1u);
    EXPECT_EQ(number(bytes.substr(2, 2)), 1u);
    EXPECT_EQ(number(bytes.substr(6, 2)), 0u);
    const auto type = number(bytes.substr(1, 1));
    const auto content = bytes.substr(8, number(bytes.substr(4, 2)));
    EXPECT_LE(content.size(), FastcgiRequest::kMaxContent);
    if (type == 1) {
      sent.begin = content;
    } else if (type == 4) {
      sent.params_records.push_back(content.size());
      if (!sent.cut_param) take_pairs(content, sent);
    } else {
      EXPECT_EQ(type, 5u);
      sent.body_records.push_back(content.size());
      sent.body += content;
    }
    bytes.remove_prefix(8 + content.size());
  }
  return sent;
}

// All that is written, at most `step` bytes at a time.
std::string write(FastcgiRequest& request, std::size_t step) {
  std::string all;
  for (auto rest = request.unwritten(); !rest.empty(); rest = request.unwritten()) {
    EXPECT_LE(rest.size(), 64u);
    std::size_t room = step;
    for (const auto& piece : rest) {
      const std::size_t now = std::min(room, piece.size());
      all.append(static_cast<const char*>(piece.data()), now);
      room -= now;
    }
    request.written(step - room);
  }
  return all;
}

constexpr std::string_view kHead =
    "POST /x HTTP/1.1\r\nHost: a:1\r\nDriveshaft-Unique: \r\nX-a.b: it is: so\r\nContent-Type: a/b\r\n"
    "Content-Length: 3\r\ntraceparent: 00-1\r\n\r\n";

asio::const_buffer buffer(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

TEST(FastcgiRequest, TheLinesOfTheHeadBecomeParameters) {
  FastcgiRequest request("");
  const std::string all = std::string(kHead) + "abc";
  const Exchange::Request pieces{buffer(all)};
  request.start(pieces);
  EXPECT_EQ(request.unwritten().size(), 1u);  // one write
  const Sent sent = decode(write(request, 1 << 20));
  EXPECT_EQ(sent.begin, std::string_view("\0\1\0\0\0\0\0\0", 8));
  EXPECT_EQ(sent.params, (std::map<std::string, std::string>{{"HTTP_HOST", "a:1"},
                                                             {"HTTP_DRIVESHAFT_UNIQUE", ""},
                                                             {"HTTP_X_A_B", "it is: so"},
                                                             {"CONTENT_TYPE", "a/b"},
                                                             {"CONTENT_LENGTH", "3"},
                                                             {"HTTP_TRACEPARENT", "00-1"}}));
  EXPECT_EQ(sent.params_records.back(), 0u);
  EXPECT_EQ(sent.body, "abc");
  EXPECT_EQ(sent.body_records, (std::vector<std::size_t>{3, 0}));
}

TEST(FastcgiRequest, ABodyOfAnySizeBecomesRecords) {
  constexpr std::size_t kFull = FastcgiRequest::kMaxContent;
  FastcgiRequest request("");
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{4097},
                                 kFull - 1, kFull, kFull + 1, kFull * 2, kFull * 16, kFull * 40 + 12'345}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 7 + i / 256);
    const std::string_view view = body;
    const std::size_t a = std::min<std::size_t>(size, 40);
    const std::size_t b = size - std::min<std::size_t>(size, 20);
    const Exchange::Request pieces{buffer(kHead), buffer(view.substr(0, a)),
                                   buffer(view.substr(a, std::max(a, b) - a)),
                                   buffer(view.substr(std::max(a, b)))};
    for (const std::size_t step : {std::size_t{1} << 30, std::size_t{100'003}, std::size_t{4096}}) {
      request.start(pieces);
      const Sent sent = decode(write(request, step));
      EXPECT_TRUE(sent.body == body) << size;
      std::vector<std::size_t> records(size / kFull, kFull);
      if (size % kFull > 0) records.push_back(size % kFull);
      records.push_back(0);
      EXPECT_EQ(sent.body_records, records);
    }
  }
}

TEST(FastcgiRequest, ABigBodyIsNotCopied) {
  const std::string body(100'000, 'x');
  FastcgiRequest request("");
  request.start(Exchange::Request{buffer(kHead), buffer(body)});
  EXPECT_EQ(request.unwritten()[2].data(), body.data());
}

TEST(FastcgiRequest, NoParameterIsCutIntoTwoRecords) {
  std::string head = "POST / HTTP/1.1\r\n";
  for (int i = 0; i < 50; ++i) head += "X-" + std::to_string(i) + ": " + std::string(8000, 'v') + "\r\n";
  head += "\r\n";
  std::string fixed;
  append_pair(fixed, "FIRST", std::string(200, 'f'));
  FastcgiRequest request(fixed);
  request.start(Exchange::Request{buffer(head)});
  const Sent sent = decode(write(request, 1 << 20));
  EXPECT_FALSE(sent.cut_param);
  EXPECT_EQ(sent.params.size(), 51u);
  EXPECT_EQ(sent.params.at("FIRST"), std::string(200, 'f'));
  EXPECT_EQ(sent.params.at("HTTP_X_49"), std::string(8000, 'v'));
  EXPECT_EQ(sent.params_records.size(), 8u);  // 7 and the empty one
}

TEST(FastcgiRequest, AParameterLongerThanARecordIsCut) {
  const std::string head = "POST / HTTP/1.1\r\nX: " + std::string(200'000, 'v') + "\r\n\r\n";
  FastcgiRequest request("");
  request.start(Exchange::Request{buffer(head)});
  const Sent sent = decode(write(request, 1 << 20));
  EXPECT_EQ(sent.params_records,
            (std::vector<std::size_t>{65'528, 65'528, 65'528, 200'000 + 11 - 3 * 65'528, 0}));
}

std::map<std::string, std::string> params_of(std::string_view uri, std::string_view root = "") {
  Sent sent;
  take_pairs(script_params(*net::parse_uri(uri), root), sent);
  return sent.params;
}

TEST(FastcgiRequest, ParametersOfTheScript) {
  EXPECT_EQ(params_of("fcgi://php:9001/srv/my%20app/job.php?run=a%20b"),
            (std::map<std::string, std::string>{{"SCRIPT_FILENAME", "/srv/my app/job.php"},
                                                {"SCRIPT_NAME", "/job.php"},
                                                {"DOCUMENT_URI", "/job.php"},
                                                {"DOCUMENT_ROOT", "/srv/my app"},
                                                {"REQUEST_URI", "/job.php?run=a%20b"},
                                                {"QUERY_STRING", "run=a%20b"},
                                                {"REQUEST_METHOD", "POST"},
                                                {"GATEWAY_INTERFACE", "CGI/1.1"},
                                                {"SERVER_PROTOCOL", "HTTP/1.1"},
                                                {"SERVER_SOFTWARE", "driveshaft"},
                                                {"SERVER_NAME", "php"},
                                                {"SERVER_PORT", "9001"},
                                                {"REDIRECT_STATUS", "200"}}));
}

TEST(FastcgiRequest, ParametersWithADocumentRoot) {
  auto params = params_of("fcgi+unix://%2Ffpm.sock/srv/a/jobs%2F%C3%A4/job.php", "/srv/a");
  EXPECT_EQ(params["SCRIPT_FILENAME"], "/srv/a/jobs/\xc3\xa4/job.php");
  EXPECT_EQ(params["SCRIPT_NAME"], "/jobs/\xc3\xa4/job.php");
  EXPECT_EQ(params["REQUEST_URI"], "/jobs/%C3%A4/job.php");
  EXPECT_EQ(params["DOCUMENT_ROOT"], "/srv/a");
  EXPECT_EQ(params["QUERY_STRING"], "");
  EXPECT_EQ(params["SERVER_NAME"], "localhost");
  EXPECT_EQ(params["SERVER_PORT"], "80");
  params = params_of("fcgi://a/srv/b/index.php/jobs%20/1?x", "/srv");
  EXPECT_EQ(params["SCRIPT_FILENAME"], "/srv/b/index.php");
  EXPECT_EQ(params["SCRIPT_NAME"], "/b/index.php");
  EXPECT_EQ(params["PATH_INFO"], "/jobs /1");
  EXPECT_EQ(params["DOCUMENT_URI"], "/b/index.php/jobs /1");
  EXPECT_EQ(params["REQUEST_URI"], "/b/index.php/jobs%20/1?x");
  params = params_of("fcgi://a/srv/b/index.php/jobs");
  EXPECT_EQ(params["DOCUMENT_ROOT"], "/srv/b");
  params = params_of("fcgi://a/srv/job.php", "/");
  EXPECT_EQ(params["SCRIPT_NAME"], "/srv/job.php");
  EXPECT_EQ(params["DOCUMENT_ROOT"], "/");
  params = params_of("fcgi://a/job.php");
  EXPECT_EQ(params["SCRIPT_NAME"], "/job.php");
  EXPECT_EQ(params["DOCUMENT_ROOT"], "/");
}

}  // namespace
}  // namespace driveshaft::http
