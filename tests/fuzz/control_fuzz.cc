// SPDX-License-Identifier: MIT
// A request to the control socket: any bytes give an action or an answer that says what is wrong.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "admin/action.h"

namespace {

using namespace driveshaft::admin;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

// The target, a newline, and the body.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto newline = bytes.find('\n');
  const auto target = bytes.substr(0, newline);
  const auto body = newline == bytes.npos ? std::string_view() : bytes.substr(newline + 1);
  const auto action = parse_action("POST", target, body);
  require(is_control(target) || !action);
  if (!action) {
    require(action.error().status == 400 || action.error().status == 404);
    require(action.error().body.starts_with("{\"error\":\"") && action.error().body.ends_with("\"}"));
  } else if (const auto* cancel = std::get_if<CancelAction>(&*action)) {
    require(cancel->handles.empty() != cancel->function.empty());
  } else if (const auto* pause = std::get_if<PauseAction>(&*action)) {
    require(!pause->pool.empty() && (!pause->lasts || pause->lasts->count() >= 0));
  }
  return 0;
}
