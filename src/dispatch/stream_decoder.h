// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "dispatch/contract.h"

namespace driveshaft::dispatch {

// An answer of the type application/x-ndjson, read as it comes: lines of JSON, each an object that says how
// the job fares, and for the last one the answer itself. Empty lines say nothing; a line of progress may hold
// several of
//   {"status": [3, 10]}     3 of 10 parts are done
//   {"data": "…"}           a part of the result
//   {"data_base64": "…"}    the same, of any bytes
//   {"warning": "…"}        a text for the client
// Pure. Memory: the line that is not complete yet.
class StreamDecoder {
 public:
  // Larger lines may only be answers: data comes in parts.
  static constexpr std::size_t kMaxProgressLine = 1024 * 1024;

  class Sink {
   public:
    virtual void status(std::uint32_t numerator, std::uint32_t denominator) = 0;
    virtual void data(std::string_view bytes) = 0;
    virtual void warning(std::string_view text) = 0;

   protected:
    ~Sink() = default;
  };

  // The answer may not be longer than `max_line` bytes.
  explicit StreamDecoder(std::size_t max_line) : max_line_(max_line) {}

  // Takes the next bytes, and tells `sink` of the progress in them. After an error it is of no more use.
  base::Result<void, NotAnAnswer> feed(std::string_view bytes, Sink& sink);
  // There are no more; the last line may lack its end.
  base::Result<Answer, NotAnAnswer> finish(AnswerDecoder& decoder, Sink& sink);

 private:
  base::Result<void, NotAnAnswer> take_line(std::string_view line, Sink& sink);
  NotAnAnswer follows_the_answer(std::string_view line) const;

  const std::size_t max_line_;
  std::string line_;         // its beginning, while it is not complete
  bool has_answer_ = false;  // line_ is the answer, and nothing may follow
};

}  // namespace driveshaft::dispatch
