// SPDX-License-Identifier: MIT
#include "admin/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "admin/action.h"
#include "net/address.h"
#include "text/base64.h"
#include "text/equal_ignoring_case.h"
#include "text/printable.h"
#include "text/same_secret.h"

namespace driveshaft::admin {
namespace {

using Why = Refusal::Why;

constexpr std::uint16_t kAnyPort = 80;  // the port of a Host header does not matter
constexpr std::array<std::string_view, 2> kToRead{R"(Basic realm="driveshaft", charset="UTF-8")",
                                                  R"(Bearer realm="driveshaft")"};
// An action takes no password. If Basic were listed, a browser would ask for one.
constexpr std::array<std::string_view, 1> kToAct{R"(Bearer realm="driveshaft")"};

Refusal refusal(Why why, unsigned status, std::string text, const Asked& asked) {
  Reply reply = asked.target.starts_with("/api/") ? api_error(status, text)
                                                  : Reply{.status = status, .body = text + "\n"};
  return {why, std::move(text), std::move(reply)};
}

Refusal wants_token(Why why, std::string text, std::span<const std::string_view> schemes,
                    const Asked& asked) {
  Refusal refused = refusal(why, 401, std::move(text), asked);
  refused.reply.authenticate = schemes;
  return refused;
}

std::optional<Refusal> refuse_host(const Asked& asked, const AccessRules& rules) {
  if (!asked.host) {
    if (asked.is_http_1_0) return std::nullopt;
    return refusal(Why::malformed, 400, "a request of HTTP/1.1 has a Host header", asked);
  }
  const auto address = net::parse_address(*asked.host, kAnyPort);
  if (!address) return refusal(Why::malformed, 400, "the Host header: " + address.error().message, asked);
  std::string name = address->host;
  if (net::is_ip_address(name)) return std::nullopt;
  if (name.ends_with('.')) name.pop_back();
  if (std::find(rules.hosts.begin(), rules.hosts.end(), name) != rules.hosts.end()) return std::nullopt;
  return refusal(Why::host, 421,
                 fmt::format("the host {} is not known here; if this daemon has that name, start it with "
                             "--exporter_host {}",
                             name, name),
                 asked);
}

struct Shown {
  std::string token;  // empty: none
  bool is_bearer = false;
};

Shown shown_token(std::string_view authorization) {
  const auto space = authorization.find(' ');
  if (space == authorization.npos) return {};
  const auto scheme = authorization.substr(0, space);
  auto value = authorization.substr(space);
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  if (text::equal_ignoring_case(scheme, "Bearer")) return {std::string(value), true};
  if (!text::equal_ignoring_case(scheme, "Basic")) return {};
  const auto pair = text::from_base64(value);
  const auto colon = pair ? pair->find(':') : std::string::npos;
  return {colon == std::string::npos ? std::string() : pair->substr(colon + 1), false};
}

bool is_token(const Shown& shown, const text::Secret& token) {
  return !token.empty() && text::same_secret(shown.token, token);
}

// Whether the origin, `https://host:port`, is the place that the Host header names. If this daemon does not
// use TLS, the origin may be http or https, because a proxy before the daemon may use TLS.
bool is_same_origin(std::string_view origin, std::string_view host, bool tls) {
  const auto mark = origin.find("://");
  if (mark == origin.npos || !text::equal_ignoring_case(origin.substr(mark + 3), host)) return false;
  const auto scheme = origin.substr(0, mark);
  return text::equal_ignoring_case(scheme, "https") || (!tls && text::equal_ignoring_case(scheme, "http"));
}

base::Result<Access, Refusal> decide_act(const Asked& asked, const AccessRules& rules) {
  if (asked.origin && !is_same_origin(*asked.origin, asked.host.value_or(""), rules.tls)) {
    return refusal(
        Why::origin, 403,
        fmt::format("a page of {} may ask for no action here", text::printable(*asked.origin, 100)), asked);
  }
  const Shown shown = shown_token(asked.authorization);
  if (shown.token.empty() || !shown.is_bearer) {
    return wants_token(Why::no_token,
                       "an action wants the token of --admin_token_file, as Authorization: Bearer TOKEN",
                       kToAct, asked);
  }
  if (is_token(shown, rules.admin_token)) return Access::act;
  if (is_token(shown, rules.read_token)) {
    return refusal(Why::not_allowed, 403,
                   "this token is good for reading; an action wants that of --admin_token_file", asked);
  }
  return wants_token(Why::wrong_token, "the token is wrong", kToAct, asked);
}

base::Result<Access, Refusal> decide_read(const Asked& asked, const AccessRules& rules) {
  if (rules.read_token.empty()) return Access::read;
  const Shown shown = shown_token(asked.authorization);
  if (is_token(shown, rules.read_token) || is_token(shown, rules.admin_token)) return Access::read;
  if (!shown.token.empty()) return wants_token(Why::wrong_token, "the token is wrong", kToRead, asked);
  if (is_probe(asked.target)) return Access::status;
  return wants_token(
      Why::no_token,
      "reading wants the token of --admin_read_token_file, as Authorization: Bearer TOKEN or as the "
      "password of Basic",
      kToRead, asked);
}

}  // namespace

base::Result<Access, Refusal> decide(const Asked& asked, const AccessRules& rules) {
  if (auto refused = refuse_host(asked, rules)) return std::move(*refused);
  const bool acts = !rules.admin_token.empty() && is_control(asked.target);
  return acts ? decide_act(asked, rules) : decide_read(asked, rules);
}

}  // namespace driveshaft::admin
