// SPDX-License-Identifier: MIT
// A dead letter: any bytes are a letter whose job can be submitted, or a reason why not; and a letter that
// was read is read again as it is written.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dispatch/dead_letter.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace driveshaft::dispatch;
  const auto letter = read_dead_letter({reinterpret_cast<const char*>(data), size});
  if (!letter) {
    require(!letter.error().message.empty());
    return 0;
  }
  require(!letter->function.empty() && letter->unique.size() <= 64);
  require(letter->function.find('\0') == letter->function.npos &&
          letter->unique.find('\0') == letter->unique.npos);

  const std::chrono::system_clock::time_point none{};
  const int attempts = static_cast<int>(std::clamp<std::int64_t>(letter->attempts, 0, 1'000'000));
  const DeadLetter written{{letter->function, letter->handle, letter->unique, letter->workload},
                           letter->error,
                           attempts,
                           letter->first.value_or(none),
                           letter->last.value_or(none),
                           letter->pool,
                           letter->host};
  const auto again = read_dead_letter(encode(written));
  require(again && again->function == letter->function && again->handle == letter->handle &&
          again->unique == letter->unique && again->workload == letter->workload &&
          again->error == letter->error && again->attempts == attempts && again->first == written.first &&
          again->last == written.last && again->pool == letter->pool && again->host == letter->host);
  return 0;
}
