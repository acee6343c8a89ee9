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

// One response out of FastCGI records, and what the script wrote to stderr. Pure: no socket. Takes records as
// they come, whole or not. Memory: the body, up to its limit, and kMaxRemarks.
class FastcgiReader {
 public:
  static constexpr std::size_t kMaxRemark = 1024;  // bytes of a line of stderr; the rest is left out
  static constexpr int kMaxRemarks = 50;           // lines of one request
  static constexpr std::string_view kMoreRemarks = "(what else it writes is left out)\n";

  // As ResponseReader has it.
  void reset(std::size_t max_body, bool streams = false);
  base::Result<std::size_t, Failure> read(std::string_view bytes);
  static base::Result<void, Failure> end_of_stream();

  bool started() const { return started_; }  // a byte of it was seen
  bool done() const { return done_; }
  unsigned status() const { return header_.status(); }
  std::string_view retry_after() const { return header_.retry_after(); }
  std::string_view body() const { return body_; }
  bool streamed() const { return streams_ && header_.done() && header_.streams(); }
  void body_taken() { body_.clear(); }

  // Whole lines of stderr, each with its newline, until they are taken; with `over`, the last one too, whole
  // or not.
  std::string_view remarks(bool over);
  void remarks_taken() { remarks_.clear(); }

 private:
  base::Result<void, Failure> begin_record();
  base::Result<void, Failure> take(std::string_view content);
  base::Result<void, Failure> take_output(std::string_view bytes);
  void take_remarks(std::string_view bytes);
  void add_remark();
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
  std::string remark_;   // the present line, as far as it has come
  std::string remarks_;  // whole ones, not yet taken
  int remarked_ = 0;     // lines in all
};

}  // namespace driveshaft::http
