// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "config/config.h"

// What goes to an endpoint for a job, and what its answer means. Pure: bytes to bytes.
namespace driveshaft::dispatch {

struct JobFields {
  std::string_view function;
  std::string_view handle;
  std::string_view unique;
  std::string_view workload;
};

// The body of a POST in three pieces, so that a big workload need not be copied.
struct RequestBody {
  std::string content_type;
  std::string before;
  std::string_view workload;  // the job's own bytes, where they can go as they are; else empty
  std::string after;

  std::size_t size() const { return before.size() + workload.size() + after.size(); }
};

// Writes the four fields in the pool's format; `body` is overwritten, its memory used again.
//   json        {"function_name":…,"job_handle":…,"unique":…,"workload":…}; a workload that is not UTF-8 goes
//               as base64, with "workload_encoding":"base64". In the other fields bytes that are not UTF-8
//               become U+FFFD.
//   multipart   multipart/form-data, each field as it is, behind a boundary that is in none of them
//   urlencoded  application/x-www-form-urlencoded
void encode(config::RequestFormat format, const JobFields& job, RequestBody& body);

// A JSON string; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view bytes);

// The endpoint's word on a job.
struct Answer {
  std::uint32_t gearman_ret;         // 0: success
  std::string_view response_string;  // valid until the decoder's next decode()
};

// Why a response is not an answer: one sentence for the log, with the first bytes of what came instead.
struct NotAnAnswer {
  enum class Kind {
    http_status,  // not 2xx
    empty,        // 200, and no body
    invalid,
  };
  Kind kind;
  std::string message;
};

// Reads {"gearman_ret": 0, "response_string": "…"} from a 2xx response; a failure may leave its text out.
// Keeps its memory between calls; besides the text an answer costs none, whatever else it holds.
class AnswerDecoder {
 public:
  AnswerDecoder();
  ~AnswerDecoder();
  // What is no answer is shown by at most so many bytes, and never more than kMostShown; 200 unless set.
  static constexpr std::size_t kMostShown = 1024;
  void show_bytes(std::size_t bytes) { shown_ = std::min(bytes, kMostShown); }
  base::Result<Answer, NotAnAnswer> decode(unsigned status, std::string_view body);

 private:
  struct Parser;
  NotAnAnswer invalid(std::string_view what, std::string_view body) const;

  std::unique_ptr<Parser> parser_;
  std::size_t shown_ = 200;
};

}  // namespace driveshaft::dispatch
