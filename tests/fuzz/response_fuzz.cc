// SPDX-License-Identifier: MIT
// The endpoint's byte stream: any bytes, in any pieces, give a response or one failure, and what it reads
// does not depend on the pieces. The first byte is the size of the pieces.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/response_reader.h"

namespace {

using driveshaft::http::ResponseReader;

constexpr std::size_t kMaxBody = 4096;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string read(std::string_view stream, std::size_t step) {
  ResponseReader reader;
  reader.reset(kMaxBody);
  std::string pending;
  while (!stream.empty() && !reader.done()) {
    pending += stream.substr(0, step);
    stream.remove_prefix(std::min(step, stream.size()));
    const auto taken = reader.read(pending);
    if (!taken) return "failed";
    require(*taken <= pending.size());
    pending.erase(0, *taken);
  }
  if (!reader.done() && !reader.end_of_stream()) return "failed";
  require(reader.done() && reader.body().size() <= kMaxBody);
  return std::to_string(reader.status()) + (reader.keep_alive() ? " keep " : " close ") +
         std::string(reader.body());
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(read(stream, std::size_t{data[0]} + 1) == read(stream, std::size_t{1} << 20));
  return 0;
}
