// SPDX-License-Identifier: MIT
#include "dispatch/stream_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cmath>
#include <limits>
#include <optional>

#include "text/base64.h"
#include "text/printable.h"

namespace driveshaft::dispatch {
namespace {

namespace json = boost::json;

constexpr std::size_t kShownBytes = 80;
constexpr std::string_view kSpace = " \t\r";

NotAnAnswer invalid(std::string_view what, std::string_view line) {
  return {NotAnAnswer::Kind::invalid,
          fmt::format("a line of the streamed answer {}: \"{}\"", what, text::printable(line, kShownBytes))};
}

bool is_blank(std::string_view line) { return line.find_first_not_of(kSpace) == line.npos; }

// 10.0 counts as a whole number too, as for gearman_ret: some languages have no other numbers.
std::optional<std::uint32_t> whole(const json::value& value) {
  if (!value.is_int64() && !value.is_double()) return std::nullopt;
  const double number = value.to_number<double>();  // a double can hold every uint32_t
  if (std::trunc(number) != number || number < 0 || number > std::numeric_limits<std::uint32_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(number);
}

// The content of one line of progress. The views are of the line's JSON object, except that `data` may view
// `decoded`.
struct Progress {
  std::optional<std::pair<std::uint32_t, std::uint32_t>> status;
  std::optional<std::string_view> data;
  std::string decoded;  // the bytes of data_base64
  std::optional<std::string_view> warning;
};

std::optional<std::string_view> text(const json::value& value) {
  const auto* string = value.if_string();
  return string ? std::optional<std::string_view>({string->data(), string->size()}) : std::nullopt;
}

// Reads one line of progress. Returns what is wrong with it, or an empty text.
std::string_view read_progress(const json::object& object, Progress& progress) {
  if (const auto* status = object.if_contains("status")) {
    const auto* parts = status->if_array();
    const auto numerator = parts && parts->size() == 2 ? whole((*parts)[0]) : std::nullopt;
    const auto denominator = numerator ? whole((*parts)[1]) : std::nullopt;
    if (!denominator) return "has a status that is not [done, of], two whole numbers from 0 to 4294967295";
    progress.status = {*numerator, *denominator};
  }
  if (const auto* data = object.if_contains("data")) {
    progress.data = text(*data);
    if (!progress.data) return "has data that is not a string";
  }
  if (const auto* data = object.if_contains("data_base64")) {
    const auto encoded = text(*data);
    auto decoded = encoded ? text::from_base64(*encoded) : std::nullopt;
    if (!decoded) return "has a data_base64 that is not base64 with padding";
    if (progress.data) return "has both data and data_base64";
    progress.decoded = std::move(*decoded);
    progress.data = progress.decoded;
  }
  if (const auto* warning = object.if_contains("warning")) {
    progress.warning = text(*warning);
    if (!progress.warning) return "has a warning that is not a string";
  }
  if (!progress.status && !progress.data && !progress.warning) {
    return "has neither status, data, data_base64 or warning nor gearman_ret";
  }
  return {};
}

}  // namespace

base::Result<void, NotAnAnswer> StreamDecoder::feed(std::string_view bytes, Sink& sink) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (has_answer_) {
      if (!is_blank(part)) return follows_the_answer(part);
    } else {
      // Whether the line is progress or the answer is known only at its end.
      const std::size_t limit = std::max(max_line_, kMaxProgressLine);
      if (line_.size() + part.size() > limit) {
        return invalid(fmt::format("is longer than {} ({} bytes)",
                                   limit == max_line_ ? "max_response_size" : "any line may be", limit),
                       line_.empty() ? part : std::string_view(line_));
      }
      // A line that came whole is read without a copy.
      const bool whole_line = end != bytes.npos && line_.empty();
      if (!whole_line) line_.append(part);
      if (end != bytes.npos) {
        if (auto taken = take_line(whole_line ? part : std::string_view(line_), sink); !taken) return taken;
        if (has_answer_ && whole_line) line_.assign(part);
        if (!has_answer_) line_.clear();
      }
    }
    bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
  }
  return {};
}

base::Result<void, NotAnAnswer> StreamDecoder::take_line(std::string_view line, Sink& sink) {
  if (is_blank(line)) return {};
  if (line.size() > kMaxProgressLine) {
    has_answer_ = true;
    return {};
  }
  boost::system::error_code error;
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  const json::value value = json::parse({line.data(), line.size()}, error, {}, options);
  if (error) return invalid(fmt::format("is not JSON ({})", error.message()), line);
  const auto* object = value.if_object();
  if (!object) return invalid("is JSON, but not an object", line);
  if (object->contains("gearman_ret")) {
    if (line.size() > max_line_) {
      return invalid(fmt::format("with the answer is longer than max_response_size ({} bytes)", max_line_),
                     line);
    }
    has_answer_ = true;
    return {};
  }
  Progress progress;
  if (const auto wrong = read_progress(*object, progress); !wrong.empty()) return invalid(wrong, line);
  if (progress.status) sink.status(progress.status->first, progress.status->second);
  if (progress.data) sink.data(*progress.data);
  if (progress.warning) sink.warning(*progress.warning);
  return {};
}

NotAnAnswer StreamDecoder::follows_the_answer(std::string_view line) const {
  if (line_.size() <= kMaxProgressLine) {
    return invalid("follows the one with gearman_ret, which is the last", line);
  }
  return invalid(
      fmt::format("has {} bytes and is not the last: one without gearman_ret may have {}; send data in "
                  "smaller parts",
                  line_.size(), kMaxProgressLine),
      line_);
}

base::Result<Answer, NotAnAnswer> StreamDecoder::finish(AnswerDecoder& decoder, Sink& sink) {
  if (!has_answer_) {
    if (auto taken = take_line(line_, sink); !taken) return taken.error();
  }
  if (!has_answer_) {
    return NotAnAnswer{
        NotAnAnswer::Kind::invalid,
        "the streamed answer ended without a line {\"gearman_ret\": 0, \"response_string\": \"…\"}"};
  }
  return decoder.decode(200, line_);
}

}  // namespace driveshaft::dispatch
