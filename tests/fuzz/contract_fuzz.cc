// SPDX-License-Identifier: MIT
// The endpoint's answer: any body gives an answer or a reason; what we write as JSON, Boost reads back. The
// same bytes serve as an answer and as a workload.
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "dispatch/contract.h"

namespace {

using namespace driveshaft;

void require(bool holds) {
  if (!holds) std::abort();
}

void encode_and_check(std::string_view workload) {
  dispatch::RequestBody body;
  dispatch::encode(config::RequestFormat::json, {"f", "H:h:1", workload.substr(0, 64), workload}, body);
  const std::string text = body.before + std::string(body.workload) + body.after;
  require(text.size() == body.size());
  const auto object = boost::json::parse(text).as_object();
  const bool as_base64 = object.contains("workload_encoding");
  require(object.at("workload").as_string() == (as_base64 ? base::base64(workload) : std::string(workload)));
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
  if (const auto answer = decoder.decode(200, bytes); !answer) require(!answer.error().message.empty());
  encode_and_check(bytes);
  return 0;
}
