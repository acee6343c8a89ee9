// SPDX-License-Identifier: MIT
// Endpoint URIs and server addresses: what is read is safe to send and to log, and reads the same again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/address.h"
#include "net/uri.h"

namespace {

using namespace driveshaft::net;

void require(bool holds) {
  if (!holds) std::abort();
}

bool visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string_view path_of(const driveshaft::text::Secret& target) {
  const std::string_view text = target.reveal();
  return text.substr(0, text.find('?'));
}

void check(const Uri& uri) {
  const std::string& target = uri.target.reveal();
  require(target.starts_with('/'));
  require(visible(target) && visible(uri.authority) && visible(uri.display));
  require(uri.is_unix() == uri.host.empty());
  require(uri.is_unix() == (uri.port == 0));
  require(uri.is_unix() == uri.socket_path.starts_with('/'));
  require(uri.is_fastcgi() == uri.script.starts_with('/'));
  require(!uri.is_fastcgi() || uri.authorization.empty());
  const auto again = parse_uri(uri.display);
  require(again.has_value());
  require(path_of(again->target) == path_of(uri.target) && again->authority == uri.authority &&
          again->display == uri.display && again->script == uri.script);
}

void check(const Address& address) {
  require(visible(address.host) && address.port != 0);
  require(*parse_address(to_string(address), 1) == address);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto uri = parse_uri(text)) check(*uri);
  if (const auto address = parse_address(text, 4730)) check(*address);
  return 0;
}
