// SPDX-License-Identifier: MIT
#include "config/server_keys.h"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include "config/tls_keys.h"

namespace driveshaft::config {
namespace {

constexpr std::uint16_t kGearmanPort = 4730;

struct ServerAddress {
  static bool read(const Value& value, net::Address& out) {
    if (!value.is(Node::Kind::string)) return false;
    auto address = net::parse_address(value.node().text, kGearmanPort);
    if (address) {
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
    return Tls::read(value, tls.emplace());
  }
  static std::string show(const std::optional<net::TlsSettings>& tls) {
    return tls ? Tls::show(*tls) : std::string(kNone);
  }
};

constexpr Key<ServerConfig> kServerKeys[] = {
    key<&ServerConfig::address, ServerAddress>("address", "the address of a server").is_required(),
    key<&ServerConfig::tls, TlsOrPlain>("tls", kTlsType),
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
