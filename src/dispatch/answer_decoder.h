// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

// Reads the answer of an endpoint, as docs/http-contract.md describes it. Pure.
namespace driveshaft::dispatch {

// What the endpoint answers for a job.
struct Answer {
  std::uint32_t gearman_ret;         // 0: success
  std::string_view response_string;  // valid until the decoder's next decode()
};

// Why a response is no answer of the contract. The message is a sentence for the log, with the first bytes of
// what came instead.
struct NotAnAnswer {
  enum class Kind {
    http_status,  // not 2xx
    empty,        // status 200 without a body
    invalid,
  };
  Kind kind;
  std::string message;
};

// Reads {"gearman_ret": 0, "response_string": "…"} from a 2xx response. An answer with another gearman_ret
// may have no response_string. The decoder keeps its memory between calls. Besides the text an answer takes
// no memory, whatever else it holds.
class AnswerDecoder {
 public:
  AnswerDecoder();
  ~AnswerDecoder();
  // How many bytes of a response that is no answer a message shows: 200 unless this is called, and never more
  // than kMostShown.
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
