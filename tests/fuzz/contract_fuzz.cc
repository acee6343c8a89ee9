// SPDX-License-Identifier: MIT
// The endpoint's answer: any body gives an answer or a reason, the same as when Boost reads it into a tree;
// what we write as JSON, Boost reads back. The same bytes serve as an answer and as a workload.
#include <boost/json/parse.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "dispatch/answer_decoder.h"
#include "dispatch/contract.h"
#include "dispatch/dead_letter.h"
#include "text/base64.h"

namespace {

using namespace driveshaft;

void require(bool holds) {
  if (!holds) std::abort();
}

// The decoder picks two fields out of a stream of tokens; this reads the whole tree first.
void agrees_with_a_tree(std::string_view body,
                        const base::Result<dispatch::Answer, dispatch::NotAnAnswer>& ours) {
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 1000;
  options.allow_invalid_utf8 = true;
  const auto tree = boost::json::parse({body.data(), body.size()}, error, {}, options);
  const auto* object = error ? nullptr : tree.if_object();
  const auto* ret = object ? object->if_contains("gearman_ret") : nullptr;
  const auto* text = object ? object->if_contains("response_string") : nullptr;
  boost::system::error_code not_whole;
  const auto number = ret && ret->is_number() ? ret->to_number<std::uint32_t>(not_whole) : 0;
  const bool good_ret = ret && ret->is_number() && !not_whole;
  const bool good = good_ret && (text ? text->is_string() : number != 0);
  require(ours.has_value() == good);
  if (good)
    require(ours->gearman_ret == number &&
            (!text || ours->response_string == std::string_view(text->get_string())));
}

void encode_and_check(std::string_view workload) {
  dispatch::RequestBody body;
  dispatch::encode(config::RequestFormat::json, {"f", "H:h:1", workload.substr(0, 64), workload}, body);
  const std::string text = body.before + std::string(body.workload) + body.after;
  require(text.size() == body.size());
  const auto object = boost::json::parse(text).as_object();
  const bool as_base64 = object.contains("workload_encoding");
  require(object.at("workload").as_string() == (as_base64 ? text::base64(workload) : std::string(workload)));
  const std::chrono::system_clock::time_point time(std::chrono::seconds(1'800'000'000));
  const auto letter = boost::json::parse(
      dispatch::encode(dispatch::DeadLetter{{"f", "H:h:1", workload.substr(0, 64), workload},
                                            workload.substr(0, 200),
                                            3,
                                            time,
                                            time,
                                            "pool",
                                            "host"}));
  require(letter.at("workload") == object.at("workload") && letter.at("attempts").as_int64() == 3);
  for (const auto format : {config::RequestFormat::multipart, config::RequestFormat::urlencoded}) {
    dispatch::encode(format, {"f", "H:h:1", "u", workload}, body);
    require(body.size() >= workload.size());
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static dispatch::AnswerDecoder decoder;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto answer = decoder.decode(200, bytes);
  if (!answer) require(!answer.error().message.empty());
  agrees_with_a_tree(bytes, answer);
  encode_and_check(bytes);
  return 0;
}
