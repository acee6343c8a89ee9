// SPDX-License-Identifier: MIT
#include "config/server_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "config/tls_keys.h"

namespace driveshaft::config {
namespace {

constexpr std::uint16_t kGearmanPort = 4730;

// "::1:4730" is a valid IPv6 address, but probably meant as an address with a port.
bool has_port_without_brackets(std::string_view text) {
  return !text.starts_with('[') && std::count(text.begin(), text.end(), ':') > 1 &&
         text.ends_with(fmt::format(":{}", kGearmanPort));
}

struct ServerAddress {
  static bool read(const Value& value, net::Address& out) {
    if (!value.is(Node::Kind::string)) return false;
    auto address = net::parse_address(value.node().text, kGearmanPort);
    if (address) {
      if (has_port_without_brackets(value.node().text)) {
        value.warning(
            fmt::format("it is read as an IPv6 address without a port; if its last part is the port, write "
                        "[{}]:{}",
                        value.node().text.substr(0, value.node().text.rfind(':')), kGearmanPort));
      }
      out = std::move(*address);
    } else {
      value.error(address.error().message);
    }
    return true;
  }
  static std::string show(const net::Address& address) { return quoted_json(net::to_string(address)); }
};

struct TlsOrPlain {
  static bool read(const Value& value, std::optional<net::TlsSettings>& tls) {
    if (bool on = true; read_bool(value, on) && !on) {
      tls.reset();
      return true;
    }
    return Tls::read(value, tls.emplace());
  }
  static std::string show(const std::optional<net::TlsSettings>& tls) {
    return tls ? Tls::show(*tls) : std::string(kNone);
  }
};

constexpr Key<ServerConfig> kServerKeys[] = {
    key<&ServerConfig::address, ServerAddress>("address", "the address of a server").is_required(),
    key<&ServerConfig::tls, TlsOrPlain>(
        "tls", "false, true, or an object of ca_file, certificate_file, key_file, server_name and verify"),
};

}  // namespace

Keys<ServerConfig> server_keys() { return kServerKeys; }

std::optional<ServerConfig> read_server(const Value& value) {
  ServerConfig server;
  if (value.is(Node::Kind::object)) {
    read_object(value, server_keys(), server);
  } else if (!ServerAddress::read(value, server.address)) {
    value.error(fmt::format("expected the address of a server, or an object of address and tls, got {}",
                            value.shown()));
  }
  if (server.address.host.empty()) return std::nullopt;
  return server;
}

std::string server_text(const ServerConfig& server) {
  if (!server.tls) return ServerAddress::show(server.address);
  return object_text(server_keys(), server);
}

}  // namespace driveshaft::config
