// SPDX-License-Identifier: MIT
#include "net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "net/asio.h"
#include "text/lower_case.h"
#include "text/printable.h"

namespace driveshaft::net {
namespace {

using boost::system::in_place_value;  // an Error could be made from a string too, so Result asks which

constexpr std::size_t kMaxHostSize = 253;  // what the DNS allows

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '.' || c == '-' || c == '_';
}

}  // namespace

base::Result<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || port > 65535) {
    return base::Error{"the port must be a whole number from 1 to 65535"};
  }
  return static_cast<std::uint16_t>(port);
}

base::Result<std::string> parse_host_name(std::string_view text) {
  if (text.empty()) return base::Error{"the host is empty"};
  if (text.size() > kMaxHostSize)
    return base::Error{fmt::format("a host has at most {} characters", kMaxHostSize)};
  const auto bad = std::find_if_not(text.begin(), text.end(), is_name_char);
  if (bad != text.end()) {
    if (static_cast<unsigned char>(*bad) >= 0x80) {
      return base::Error{"write an international host name in its ASCII form (xn--…)"};
    }
    return base::Error{fmt::format("'{}' cannot stand in a host name", text::printable({&*bad, 1}, 1))};
  }
  return {in_place_value, text::in_lower_case(text)};
}

base::Result<std::string> parse_ipv6(std::string_view text) {
  const auto percent = std::min(text.find('%'), text.size());
  const std::string literal(text.substr(0, percent));
  const std::string_view zone = text.substr(percent);
  const bool zone_ok = zone.empty() || (zone.size() > 1 && zone.size() <= 32 &&
                                        std::all_of(zone.begin() + 1, zone.end(), is_name_char));
  in6_addr bytes;
  std::array<char, INET6_ADDRSTRLEN> canonical;
  if (!zone_ok || literal.find('\0') != literal.npos || inet_pton(AF_INET6, literal.c_str(), &bytes) != 1 ||
      !inet_ntop(AF_INET6, &bytes, canonical.data(), canonical.size())) {
    return base::Error{fmt::format("\"{}\" is not an IPv6 address", text::printable(text, 60))};
  }
  return {in_place_value, canonical.data() + std::string(zone)};
}

namespace {

struct HostAndPort {
  std::string host;
  std::string_view port;  // as written
  bool has_port = false;
};

base::Result<HostAndPort> split(std::string_view text) {
  if (text.find("://") != text.npos)
    return base::Error{"leave out the scheme: this is a host and a port alone"};
  if (text.find(',') != text.npos)
    return base::Error{"one address alone: write each of several as a string of its own"};
  if (text.find('@') != text.npos)
    return base::Error{"remove what stands before the '@': there is no user and password"};
  HostAndPort parts;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == text.npos) return base::Error{"the closing ']' is missing"};
    const auto rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return base::Error{"only ':' and a port may follow ']'"};
    auto host = parse_ipv6(text.substr(1, close - 1));
    if (!host) return host.error();
    parts.host = std::move(*host);
    parts.has_port = !rest.empty();
    if (parts.has_port) parts.port = rest.substr(1);
    return parts;
  }
  if (std::count(text.begin(), text.end(), ':') >= 2) {
    auto host = parse_ipv6(text);
    if (!host) return base::Error{host.error().message + "; with a port it is written [address]:port"};
    parts.host = std::move(*host);
    return parts;
  }
  const auto colon = text.find(':');
  auto host = parse_host_name(text.substr(0, colon));
  if (!host) return host.error();
  parts.host = std::move(*host);
  parts.has_port = colon != text.npos;
  if (parts.has_port) parts.port = text.substr(colon + 1);
  return parts;
}

// The part before an '@' may be a password, which gearmand has no use for.
base::Error expected_address(std::string_view text, const std::string& reason) {
  const auto at = text.rfind('@');
  const std::string shown =
      at == text.npos ? text::printable(text, 60) : "***" + text::printable(text.substr(at), 60);
  return {fmt::format("expected host, host:port or [IPv6]:port, got \"{}\": {}", shown, reason)};
}

}  // namespace

base::Result<Address> parse_address(std::string_view text, std::uint16_t default_port) {
  auto parts = split(text);
  if (!parts) return expected_address(text, parts.error().message);
  Address address{std::move(parts->host), default_port};
  if (parts->has_port) {
    const auto port = parse_port(parts->port);
    if (!port) return expected_address(text, port.error().message);
    address.port = *port;
  }
  return address;
}

bool is_ip_address(const std::string& host) {
  boost::system::error_code error;
  asio::ip::make_address(host, error);
  return !error.failed();
}

std::string to_string(const Address& address) {
  const bool ipv6 = address.host.find(':') != std::string::npos;
  return ipv6 ? fmt::format("[{}]:{}", address.host, address.port)
              : fmt::format("{}:{}", address.host, address.port);
}

}  // namespace driveshaft::net
