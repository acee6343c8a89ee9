// SPDX-License-Identifier: MIT
// A streamed answer: it tells the same, and ends the same, however it is cut.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "dispatch/stream_decoder.h"

namespace {

using namespace driveshaft::dispatch;

struct Told final : StreamDecoder::Sink {
  void status(std::uint32_t numerator, std::uint32_t denominator) override {
    text += "s" + std::to_string(numerator) + "/" + std::to_string(denominator);
  }
  void data(std::string_view bytes) override { append('d', bytes); }
  void warning(std::string_view bytes) override { append('w', bytes); }
  void append(char kind, std::string_view bytes) { text.append(1, kind).append(bytes).append(1, '\n'); }
  std::string text;
};

// What it told, and its answer or that there was none. Of one that fails, all that comes before counts; how a
// line that is cut off is called does not.
std::string outcome(std::string_view stream, std::size_t step) {
  constexpr std::size_t kMaxLine = 4096;
  StreamDecoder decoder(kMaxLine);
  AnswerDecoder answers;
  Told told;
  while (!stream.empty()) {
    if (!decoder.feed(stream.substr(0, step), told)) return told.text + "broken";
    stream.remove_prefix(std::min(step, stream.size()));
  }
  const auto answer = decoder.finish(answers, told);
  if (!answer) return told.text + "broken";
  return told.text + "a" + std::to_string(answer->gearman_ret) + std::string(answer->response_string);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const std::string whole = outcome(stream, size + 1);
  for (const std::size_t step : {std::size_t{1}, std::size_t{13}}) {
    if (outcome(stream, step) != whole) std::abort();
  }
  return 0;
}
