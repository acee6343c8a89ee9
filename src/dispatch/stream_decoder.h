// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "dispatch/answer_decoder.h"

namespace driveshaft::dispatch {

// Reads an answer of the type application/x-ndjson while it comes. Each line is a JSON object. The last line
// is the answer itself; the lines before it report progress. Empty lines are skipped. A line of progress may
// have several of these members:
//   {"status": [3, 10]}     3 of 10 parts are done
//   {"data": "…"}           a part of the result
//   {"data_base64": "…"}    the same, of any bytes
//   {"warning": "…"}        a text for the client
// Pure. It only keeps the line that is not complete yet.
class StreamDecoder {
 public:
  // Only the line with the answer may be larger: data can be sent in parts. Bytes.
  static constexpr std::size_t kMaxProgressLine = 1024 * 1024;

  class Sink {
   public:
    virtual void status(std::uint32_t numerator, std::uint32_t denominator) = 0;
    virtual void data(std::string_view bytes) = 0;
    virtual void warning(std::string_view text) = 0;

   protected:
    ~Sink() = default;
  };

  // The line with the answer may have at most `max_line` bytes.
  explicit StreamDecoder(std::size_t max_line) : max_line_(max_line) {}

  // Takes the next bytes, and tells `sink` of the progress in them. After an error the decoder must not be
  // used any more.
  base::Result<void, NotAnAnswer> feed(std::string_view bytes, Sink& sink);
  // The answer has ended. Its last line may lack a line end. The result views `decoder` and this object.
  base::Result<Answer, NotAnAnswer> finish(AnswerDecoder& decoder, Sink& sink);

 private:
  base::Result<void, NotAnAnswer> take_line(std::string_view line, Sink& sink);
  NotAnAnswer follows_the_answer(std::string_view line) const;

  const std::size_t max_line_;
  std::string line_;         // beginning of the line that is not complete yet
  bool has_answer_ = false;  // line_ is the answer; only empty lines may follow
};

}  // namespace driveshaft::dispatch
