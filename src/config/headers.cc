// SPDX-License-Identifier: MIT
#include "config/headers.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/base64.h"
#include "text/equal_ignoring_case.h"

namespace driveshaft::config {
namespace {

using base::Error;

// Headers that Driveshaft writes into every request.
constexpr std::string_view kOurs[] = {"host",         "user-agent",     "accept",
                                      "content-type", "content-length", "traceparent"};
constexpr std::string_view kOurPrefixes[] = {"driveshaft-", "webhook-"};
// Headers that govern the connection, or ask for answers that Driveshaft does not understand.
constexpr std::string_view kForbidden[] = {
    "connection", "keep-alive",       "proxy-connection", "te",    "trailer", "transfer-encoding",
    "upgrade",    "content-encoding", "accept-encoding",  "expect"};
constexpr std::string_view kSecretPrefix = "whsec_";

bool is_token(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != kMarks.npos;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

template <std::size_t N>
bool holds(const std::string_view (&names)[N], std::string_view name) {
  return std::any_of(std::begin(names), std::end(names),
                     [&](std::string_view one) { return text::equal_ignoring_case(one, name); });
}

}  // namespace

base::Result<void> check_header_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxHeaderName || !std::all_of(name.begin(), name.end(), is_token)) {
    return Error{fmt::format("a header's name has 1 to {} letters, digits and marks of !#$%&'*+-.^_`|~",
                             kMaxHeaderName)};
  }
  const bool ours =
      std::any_of(std::begin(kOurPrefixes), std::end(kOurPrefixes), [&](std::string_view prefix) {
        return name.size() >= prefix.size() &&
               text::equal_ignoring_case(name.substr(0, prefix.size()), prefix);
      });
  if (ours || holds(kOurs, name)) return Error{"Driveshaft itself sends this header; leave it out"};
  if (holds(kForbidden, name)) {
    return Error{"this header would change how requests and answers travel; leave it out"};
  }
  return {};
}

base::Result<void> check_header_value(std::string_view value) {
  if (value.empty()) return Error{"the value is empty; write one, or leave the header out"};
  if (value.size() > kMaxHeaderValue) {
    return Error{fmt::format("the value has {} bytes; at most {} are sent", value.size(), kMaxHeaderValue)};
  }
  if (is_blank(value.front()) || is_blank(value.back())) {
    return Error{"the value begins or ends with a space or tab, which HTTP would drop; leave it out"};
  }
  const auto wrong =
      std::find_if(value.begin(), value.end(), [](char c) { return c != '\t' && (c < 0x20 || c > 0x7e); });
  if (wrong != value.end()) {
    return Error{fmt::format("byte {} of the value is {}; a value is one line of ASCII",
                             wrong - value.begin() + 1,
                             *wrong == '\r' || *wrong == '\n'       ? "a line break"
                             : static_cast<signed char>(*wrong) < 0 ? "not ASCII"
                                                                    : "a control character")};
  }
  return {};
}

base::Result<text::Secret> header_value_of_file(std::string_view content) {
  content = content.substr(0, content.find_last_not_of("\r\n") + 1);
  if (const auto good = check_header_value(content); !good) return good.error();
  return text::Secret(std::string(content));
}

base::Result<std::vector<text::Secret>> signing_keys_of_file(std::string_view content) {
  std::vector<text::Secret> keys;
  for (int number = 1; !content.empty(); ++number) {
    const auto end = std::min(content.find('\n'), content.size());
    auto line = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (line.empty()) continue;
    auto key = line.starts_with(kSecretPrefix) ? text::from_base64(line.substr(kSecretPrefix.size()))
                                               : std::optional<std::string>();
    if (!key) {
      return Error{
          fmt::format("line {} is not a secret; one is whsec_ and base64, as `echo whsec_$(openssl "
                      "rand -base64 32)` makes it",
                      number)};
    }
    if (key->size() < kMinSigningKey || key->size() > kMaxSigningKey) {
      return Error{fmt::format("the secret of line {} has {} bytes; it must have {} to {}", number,
                               key->size(), kMinSigningKey, kMaxSigningKey)};
    }
    text::Secret secret(std::move(*key));
    if (std::find(keys.begin(), keys.end(), secret) != keys.end()) {
      return Error{fmt::format("line {} repeats a secret; remove it", number)};
    }
    keys.push_back(std::move(secret));
  }
  if (keys.empty()) return Error{"there is no secret in it; one is whsec_ and base64"};
  if (keys.size() > kMaxSigningSecrets) {
    return Error{fmt::format("it has {} secrets; at most {} sign a request: the new one and the old one",
                             keys.size(), kMaxSigningSecrets)};
  }
  return keys;
}

}  // namespace driveshaft::config
