// SPDX-License-Identifier: MIT
#include "net/uri.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <boost/url/authority_view.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/pct_string_view.hpp>
#include <boost/url/url_view.hpp>

#include "net/address.h"
#include "text/base64.h"
#include "text/equal_ignoring_case.h"
#include "text/printable.h"

namespace driveshaft::net {
namespace {

namespace urls = boost::urls;
using boost::system::in_place_value;  // an Error could be made from a string too, so Result asks which

constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

struct SchemeRow {
  std::string_view name;
  Uri::Scheme scheme;
  std::uint16_t default_port;
};
constexpr SchemeRow kSchemes[] = {
    {"http", Uri::Scheme::http, 80},          {"https", Uri::Scheme::https, 443},
    {"http+unix", Uri::Scheme::http_unix, 0}, {"fcgi", Uri::Scheme::fcgi, 9000},  // where php-fpm listens
    {"fcgi+unix", Uri::Scheme::fcgi_unix, 0},
};

const SchemeRow* find_scheme(std::string_view name) {
  const auto row = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                [&](const SchemeRow& r) { return text::equal_ignoring_case(r.name, name); });
  return row == std::end(kSchemes) ? nullptr : row;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// The part between the scheme and the fragment, still encoded.
struct Parts {
  const SchemeRow* scheme = nullptr;
  std::string_view authority;
  std::string_view target;  // may be empty, or begin with '?'
};

base::Result<Parts> split(std::string_view text) {
  if (text.empty()) return base::Error{"it is empty"};
  if (std::any_of(text.begin(), text.end(), is_control))
    return base::Error{"it contains a control character"};
  if (text.find(' ') != text.npos) return base::Error{"it contains a space, write %20"};
  text = text.substr(0, text.find('#'));

  Parts parts;
  const auto delimiter = text.find("://");
  if (delimiter != text.npos && delimiter < text.find_first_of("/?@")) {
    const auto name = text.substr(0, delimiter);
    parts.scheme = find_scheme(name);
    if (!parts.scheme)
      return base::Error{fmt::format("the scheme \"{}\" is not served", text::printable(name, 20))};
    text.remove_prefix(delimiter + 3);
  } else {
    // As users of curl write it: "localhost/job.php", "localhost:8080/job.php".
    // And "unix:/run/php-fpm.sock", as in nginx's configuration.
    if (text.starts_with("unix:")) {
      return base::Error{
          "a Unix socket is written as fcgi+unix://%2Fpath%2Fto.sock/path/of/script.php, or as "
          "http+unix://%2Fpath%2Fto.sock/path"};
    }
    const auto colon = text.find(':');
    if (colon != text.npos && find_scheme(text.substr(0, colon))) {
      return base::Error{"two slashes must follow the scheme's colon"};
    }
    if (const auto slashes = text.find("//"); slashes != text.npos && find_scheme(text.substr(0, slashes))) {
      return base::Error{"a colon must follow the scheme"};
    }
    parts.scheme = &kSchemes[0];
  }
  const auto end = std::min(text.find_first_of("/?"), text.size());
  parts.authority = text.substr(0, end);
  parts.target = text.substr(end);
  return parts;
}

// Origin form of the path and query. Bytes that RFC 3986 wants encoded but clients commonly send raw
// ("?ids[]=1", UTF-8) are encoded here, so the request line is always plain ASCII.
base::Result<std::string> request_target(std::string_view text) {
  constexpr std::string_view kAllowed = "-._~!$&'()*+,;=:@/?%";
  std::string target(text.starts_with('/') ? "" : "/");
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       kAllowed.find(c) != kAllowed.npos;
    if (plain) {
      target += c;
    } else {
      target += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  if (!urls::parse_origin_form(target)) {
    return base::Error{"two hexadecimal digits must follow each '%' (a percent sign itself is %25)"};
  }
  return {in_place_value, std::move(target)};
}

// A query may have a token in it: what follows its question mark is not shown.
std::string without_query(std::string_view text) {
  const auto question = text.find('?');
  if (question == text.npos || question + 1 == text.size()) return std::string(text);
  return std::string(text.substr(0, question)) + "?***";
}

// Fills in `authorization`.
base::Result<void> read_userinfo(const urls::authority_view& authority, Uri& uri) {
  if (!authority.has_userinfo() || authority.encoded_userinfo().empty()) return {};
  const std::string user = authority.user();
  const std::string password = authority.password();
  if (user.find(':') != user.npos) return base::Error{"Basic authorization allows no ':' in a user name"};
  if (std::any_of(user.begin(), user.end(), is_control) ||
      std::any_of(password.begin(), password.end(), is_control)) {
    return base::Error{"Basic authorization allows no control characters in user name and password"};
  }
  uri.authorization = text::Secret("Basic " + text::base64(user + ':' + password));
  return {};
}

base::Result<void> read_tcp_host(const urls::authority_view& authority, const SchemeRow& scheme, Uri& uri) {
  const bool bracketed = std::string_view(authority.encoded_host()).starts_with('[');
  auto host = bracketed ? parse_ipv6(std::string(authority.host_address()))
                        : parse_host_name(std::string(authority.host()));
  if (!host) return host.error();
  uri.host = std::move(*host);
  uri.port = scheme.default_port;
  if (authority.has_port() && !authority.port().empty()) {
    const auto port = parse_port(std::string(authority.port()));
    if (!port) return port.error();
    uri.port = *port;
  }
  uri.authority = bracketed ? '[' + uri.host + ']' : uri.host;
  if (uri.port != scheme.default_port) uri.authority += ':' + std::to_string(uri.port);
  return {};
}

base::Result<void> read_unix_host(const urls::authority_view& authority, Uri& uri) {
  uri.socket_path = authority.host();
  if (!uri.socket_path.starts_with('/')) {
    return base::Error{
        "the absolute path of the socket must follow \"://\", with %2F for each '/' of it, as in "
        "%2Frun%2Fapp.sock/path"};
  }
  if (std::any_of(uri.socket_path.begin(), uri.socket_path.end(), is_control)) {
    return base::Error{"the socket's path contains a control character"};
  }
  if (uri.socket_path.size() > kMaxSocketPath) {
    return base::Error{fmt::format("the socket's path has {} bytes, the system allows {}",
                                   uri.socket_path.size(), kMaxSocketPath)};
  }
  if (authority.has_port()) return base::Error{"a Unix socket has no port"};
  uri.authority = "localhost";
  return {};
}

// Decodes a part of the request target, whose encoding is valid.
base::Result<std::string> read_script(std::string_view target) {
  std::string path = urls::pct_string_view(path_of(target)).decode();
  if (path.ends_with('/')) {
    return base::Error{"the path of the script's file follows the host, as in /srv/app/job.php"};
  }
  if (std::any_of(path.begin(), path.end(), is_control)) {
    return base::Error{"the path of the script contains a control character"};
  }
  return {in_place_value, std::move(path)};
}

base::Result<Uri> read(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return parts.error();
  const auto authority = urls::parse_authority(parts->authority);
  if (!authority) {
    return base::Error{
        "the part before the path is not [user:password@]host[:port]; other characters in a user name or "
        "password are percent-encoded, an IPv6 address stands in brackets"};
  }
  Uri uri;
  uri.scheme = parts->scheme->scheme;
  const auto host =
      uri.is_unix() ? read_unix_host(*authority, uri) : read_tcp_host(*authority, *parts->scheme, uri);
  if (!host) return host.error();
  auto target = request_target(parts->target);
  if (!target) return target.error();
  if (uri.is_fastcgi()) {
    if (authority->has_userinfo()) return base::Error{"FastCGI knows no user and password, remove them"};
    auto script = read_script(*target);
    if (!script) return script.error();
    uri.script = std::move(*script);
  }
  const auto userinfo = read_userinfo(*authority, uri);
  if (!userinfo) return userinfo.error();
  const std::string shown_host =
      uri.is_unix() ? std::string(std::string_view(authority->encoded_host())) : uri.authority;
  uri.display = fmt::format("{}://{}{}{}", parts->scheme->name, uri.authorization.empty() ? "" : "***@",
                            shown_host, without_query(*target));
  uri.target = text::Secret(std::move(*target));
  return uri;
}

// A password whose '@' and host were forgotten stands where a port would.
std::string masked_after_colon(std::string_view text) {
  const auto scheme = text.find("://");
  const auto begin = scheme == text.npos ? 0 : scheme + 3;
  const auto end = std::min(text.find_first_of("/?#", begin), text.size());
  const auto authority = text.substr(begin, end - begin);
  const auto colon = authority.rfind(':');
  const bool harmless = colon == text.npos || authority.starts_with('[') ||
                        (begin == 0 && find_scheme(authority.substr(0, colon))) ||
                        authority.find_first_not_of("0123456789", colon + 1) == text.npos;
  if (harmless) return text::printable(text, 100);
  return text::printable(text.substr(0, begin + colon + 1), 60) + "***" +
         text::printable(text.substr(end), 100);
}

// A URI that could not be read may still hold a password, anywhere before its last '@', and a token in its
// query.
std::string masked(std::string_view whole) {
  const std::string text = without_query(whole);
  const auto at = text.rfind('@');
  if (at == text.npos) return masked_after_colon(text);
  const auto scheme = text.substr(0, at).find("://");
  const auto shown = scheme == text.npos ? std::string() : text.substr(0, scheme + 3);
  return text::printable(shown, 20) + "***" + text::printable(text.substr(at), 100);
}

}  // namespace

bool Uri::may_be_fastcgi() const {
  if (scheme != Scheme::http) return false;
  const std::string_view path = path_of(target.reveal());
  return path.ends_with(".php") || path.find(".php/") != path.npos;
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

std::string_view query_of(std::string_view target) {
  const auto mark = target.find('?');
  return mark == target.npos ? std::string_view() : target.substr(mark + 1);
}

base::Result<Uri> parse_uri(std::string_view text) {
  auto uri = read(text);
  if (uri) return uri;
  return base::Error{
      fmt::format("expected an http://, https://, http+unix://, fcgi:// or fcgi+unix:// URI, got \"{}\": {}",
                  masked(text), uri.error().message)};
}

}  // namespace driveshaft::net
