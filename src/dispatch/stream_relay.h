// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "dispatch/answer_decoder.h"
#include "dispatch/stream_decoder.h"
#include "gearman/link.h"

namespace driveshaft::dispatch {

// Passes the progress in a streamed answer on to gearmand while it comes. There is one object for each
// attempt. Used on the loop's thread.
class StreamRelay final : private StreamDecoder::Sink {
 public:
  // `link` and the bytes of `handle` outlive this object.
  StreamRelay(gearman::Link& link, std::uint64_t generation, std::string_view handle, std::size_t max_line)
      : link_(link), generation_(generation), handle_(handle), decoder_(max_line) {}

  // False: the link is congested, and no more must be fed until on_writable() of the link's owner.
  base::Result<bool, NotAnAnswer> feed(std::string_view bytes);
  base::Result<Answer, NotAnAnswer> finish(AnswerDecoder& decoder) { return decoder_.finish(decoder, *this); }

  // The client has got data or a warning. After another attempt it would have it twice.
  bool gave_data() const { return gave_data_; }

 private:
  void status(std::uint32_t numerator, std::uint32_t denominator) override;
  void data(std::string_view bytes) override;
  void warning(std::string_view text) override;

  gearman::Link& link_;
  const std::uint64_t generation_;  // of the link's connection
  const std::string_view handle_;
  StreamDecoder decoder_;
  bool gave_data_ = false;
};

}  // namespace driveshaft::dispatch
