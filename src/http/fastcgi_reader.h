// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/cgi_header.h"
#include "http/exchange.h"
#include "http/fastcgi.h"

namespace driveshaft::http {

// Reads one response, and what the script wrote to stderr, out of FastCGI records. Pure: no socket. Records
// may come in any number of parts. Memory: the body, up to its limit, and kMaxStderrLines lines.
class FastcgiReader {
 public:
  static constexpr std::size_t kMaxStderrLine = 1024;  // bytes of a line; the rest is left out
  static constexpr int kMaxStderrLines = 50;           // of one request
  static constexpr std::string_view kLinesLeftOut = "(more lines are left out)\n";

  // These are as in ResponseReader.
  void reset(std::size_t max_body, bool streams = false);
  base::Result<std::size_t, Failure> read(std::string_view bytes);
  static base::Result<void, Failure> end_of_stream();

  bool started() const { return started_; }  // a byte of the response has come
  bool done() const { return done_; }
  unsigned status() const { return header_.status(); }
  std::string_view retry_after() const { return header_.retry_after(); }
  std::string_view location() const { return header_.location(); }
  std::string_view body() const { return body_; }
  bool streamed() const { return streams_ && header_.done() && header_.streams(); }
  void body_taken() { body_.clear(); }

  // The whole lines of stderr that are not taken yet, each with its newline. With `over` the last line is
  // among them even if its end has not come.
  std::string_view stderr_lines(bool over);
  void stderr_lines_taken() { stderr_lines_.clear(); }

 private:
  base::Result<void, Failure> begin_record();
  base::Result<void, Failure> take(std::string_view content);
  base::Result<void, Failure> take_output(std::string_view bytes);
  void take_stderr(std::string_view bytes);
  void add_stderr_line();
  base::Result<void, Failure> end_of_record();
  base::Result<void, Failure> end_of_request() const;

  // Of the record.
  std::array<unsigned char, fastcgi::kHeaderSize> record_{};
  std::size_t record_bytes_ = 0;  // of its header
  std::size_t content_left_ = 0;
  std::size_t padding_left_ = 0;
  std::array<unsigned char, fastcgi::kEndSize> end_{};
  std::size_t end_bytes_ = 0;

  // Of the response.
  bool started_ = false;
  bool done_ = false;
  std::size_t max_body_ = 0;
  bool streams_ = false;
  CgiHeader header_;
  std::string body_;

  // Of stderr.
  std::string stderr_line_;   // the bytes of the line that is being read
  std::string stderr_lines_;  // whole lines, not taken yet
  int line_count_ = 0;        // of all lines so far
};

}  // namespace driveshaft::http
