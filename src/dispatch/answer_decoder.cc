// SPDX-License-Identifier: MIT
#include "dispatch/answer_decoder.h"

#include <fmt/format.h>

#include <boost/json/basic_parser_impl.hpp>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "dispatch/failure_hint.h"

namespace driveshaft::dispatch {
namespace {

namespace json = boost::json;
using boost::system::error_code;

// So much memory of a text is kept from one answer to the next.
constexpr std::size_t kKeptText = 64 * 1024;
constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();
constexpr std::string_view kRetKey = "gearman_ret";
constexpr std::string_view kTextKey = "response_string";
constexpr std::string_view kGzipMagic = "\x1f\x8b";

constexpr std::string_view kExpected =
    R"(the endpoint must answer {"gearman_ret": 0, "response_string": "…"})";

// Takes the two fields out of what the parser finds, and keeps nothing else, so an answer with millions of
// other values takes no memory. If a field is there twice, the later one counts.
class Picker {
 public:
  static constexpr std::size_t max_object_size =
      kUnlimited;  // NOLINT(readability-identifier-naming): Boost.JSON's names
  static constexpr std::size_t max_array_size = kUnlimited;   // NOLINT(readability-identifier-naming)
  static constexpr std::size_t max_key_size = kUnlimited;     // NOLINT(readability-identifier-naming)
  static constexpr std::size_t max_string_size = kUnlimited;  // NOLINT(readability-identifier-naming)

  struct Field {
    bool there = false;
    bool right = false;  // the field has the right type
  };
  bool is_object = false;
  Field ret, text;
  std::uint32_t gearman_ret = 0;
  std::string response_string;

  void reset() {
    is_object = false;
    ret = text = {};
    depth_ = 0;
    response_string.clear();
    if (response_string.capacity() > kKeptText) response_string.shrink_to_fit();
  }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    if (depth_ == 0) is_object = true;
    other_value();
    ++depth_;
    return true;
  }
  bool on_object_end(std::size_t, error_code&) { return end(); }
  bool on_array_begin(error_code&) {
    other_value();
    ++depth_;
    return true;
  }
  bool on_array_end(std::size_t, error_code&) { return end(); }
  // `total` is the length of the key so far.
  bool on_key_part(std::string_view part, std::size_t total, error_code&) {
    if (depth_ != 1) return true;
    if (total == part.size()) key_.clear();
    if (total <= kTextKey.size()) key_.append(part);
    key_is_long_ = total > kTextKey.size();
    return true;
  }
  bool on_key(std::string_view part, std::size_t total, error_code& error) {
    return on_key_part(part, total, error);
  }
  bool on_string_part(std::string_view part, std::size_t total, error_code&) {
    const bool first = total == part.size();
    if (Field* field = present(); field == &text) {
      if (first) response_string.clear();
      response_string.append(part);
      text = {true, true};
    } else if (field) {
      *field = {true, false};
    }
    return true;
  }
  bool on_string(std::string_view part, std::size_t total, error_code& error) {
    return on_string_part(part, total, error);
  }
  bool on_number_part(std::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t number, std::string_view, error_code&) {
    return whole(number >= 0 && number <= kMost, static_cast<std::uint32_t>(number));
  }
  bool on_uint64(std::uint64_t number, std::string_view, error_code&) {
    return whole(number <= kMost, static_cast<std::uint32_t>(number));
  }
  // PHP may write a whole number like 0 as 0.0.
  bool on_double(double number, std::string_view, error_code&) {
    const bool right = number >= 0 && number <= kMost && std::trunc(number) == number;
    return whole(right, right ? static_cast<std::uint32_t>(number) : 0);
  }
  bool on_bool(bool, error_code&) { return other_value(); }
  bool on_null(error_code&) { return other_value(); }
  bool on_comment_part(std::string_view, error_code&) { return true; }
  bool on_comment(std::string_view, error_code&) { return true; }

 private:
  static constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();

  // The field that the value being read belongs to; null if it is neither of the two.
  Field* present() {
    if (depth_ != 1 || !is_object || key_is_long_) return nullptr;
    return key_ == kRetKey ? &ret : key_ == kTextKey ? &text : nullptr;
  }
  bool other_value() {
    if (Field* field = present()) *field = {true, false};
    return true;
  }
  bool whole(bool in_range, std::uint32_t number) {
    Field* field = present();
    if (field == &ret) gearman_ret = number;
    if (field) *field = {true, field == &ret && in_range};
    return true;
  }
  bool end() {
    --depth_;
    return true;
  }

  int depth_ = 0;
  std::string key_;
  bool key_is_long_ = false;
};

}  // namespace

// Allows bytes that are not UTF-8 and deep nesting, as the original Driveshaft's parser does.
struct AnswerDecoder::Parser final : json::basic_parser<Picker> {
  Parser() : basic_parser({.max_depth = 1000, .allow_invalid_utf8 = true}) {}
};

AnswerDecoder::AnswerDecoder() : parser_(std::make_unique<Parser>()) {}
AnswerDecoder::~AnswerDecoder() = default;

NotAnAnswer AnswerDecoder::invalid(std::string_view what, std::string_view body) const {
  return {NotAnAnswer::Kind::invalid,
          fmt::format("{}; {}, it answered {}", what, kExpected, show_answer(body, shown_))};
}

base::Result<Answer, NotAnAnswer> AnswerDecoder::decode(unsigned status, std::string_view body) {
  if (status / 100 != 2) {
    return NotAnAnswer{NotAnAnswer::Kind::http_status, fmt::format("the endpoint answered HTTP status {}: {}",
                                                                   status, show_answer(body, shown_))};
  }
  if (status == 200 && body.empty()) {
    return NotAnAnswer{NotAnAnswer::Kind::empty, fmt::format("the answer is empty; {}", kExpected)};
  }
  if (body.starts_with(kGzipMagic)) return invalid("compressed with gzip, which was not asked for", body);
  parser_->reset();
  Picker& found = parser_->handler();
  found.reset();
  error_code error;
  const std::size_t taken = parser_->write_some(false, body.data(), body.size(), error);
  if (!error && taken < body.size()) error = json::error::extra_data;
  if (error) return invalid(fmt::format("not JSON ({})", error.message()), body);
  if (!found.is_object) return invalid("JSON, but not an object", body);
  if (!found.ret.there) return invalid("gearman_ret is missing", body);
  if (!found.ret.right) return invalid("gearman_ret is not a whole number from 0 to 4294967295", body);
  if (!found.text.there && found.gearman_ret != 0) return Answer{found.gearman_ret, {}};
  if (!found.text.there) return invalid("response_string is missing", body);
  if (!found.text.right) return invalid("response_string is not a string", body);
  return Answer{found.gearman_ret, found.response_string};
}

}  // namespace driveshaft::dispatch
