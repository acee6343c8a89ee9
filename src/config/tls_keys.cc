// SPDX-License-Identifier: MIT
#include "config/tls_keys.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/key_table.h"
#include "net/address.h"

namespace driveshaft::config {
namespace {

constexpr std::string_view kFileType = "the absolute path of a file in PEM";

bool read_path(const Value& value, std::string& path) {
  if (!value.is(Node::Kind::string)) return false;
  path = value.node().text;
  return is_absolute_path(path);
}

bool read_server_name(const Value& value, std::string& name) {
  if (!value.is(Node::Kind::string)) return false;
  const std::string& text = value.node().text;
  auto read = text.find(':') == text.npos ? net::parse_host_name(text) : net::parse_ipv6(text);
  if (read) {
    name = std::move(*read);
  } else {
    value.error(
        fmt::format("expected a host name or address, got {}: {}", value.shown(), read.error().message));
  }
  return true;
}

constexpr Key<net::TlsSettings> kTlsKeys[] = {
    {"ca_file", kFileType, "", [](const Value& v, net::TlsSettings& s) { return read_path(v, s.ca_file); },
     [](const net::TlsSettings& s) { return quoted_json(s.ca_file); }},
    {"certificate_file", kFileType, "",
     [](const Value& v, net::TlsSettings& s) { return read_path(v, s.certificate_file); },
     [](const net::TlsSettings& s) { return quoted_json(s.certificate_file); }},
    {"key_file", kFileType, "", [](const Value& v, net::TlsSettings& s) { return read_path(v, s.key_file); },
     [](const net::TlsSettings& s) { return quoted_json(s.key_file); }},
    {"server_name", "a host name or address", "",
     [](const Value& v, net::TlsSettings& s) { return read_server_name(v, s.server_name); },
     [](const net::TlsSettings& s) { return quoted_json(s.server_name); }},
    {"verify", "true or false", "",
     [](const Value& v, net::TlsSettings& s) { return read_bool(v, s.verify); },
     [](const net::TlsSettings& s) { return std::string(s.verify ? "true" : "false"); }},
};

void check_pair(const Value& value, std::string_view one, std::string_view other) {
  if (value.node().find(one) && !value.node().find(other)) {
    value.error(fmt::format("expected {} beside {}: a certificate is of use only with its key", other, one));
  }
}

}  // namespace

bool read_tls(const Value& value, net::TlsSettings& settings) {
  settings = {};
  if (value.is(Node::Kind::boolean)) return value.node().text == "true";
  if (!value.is(Node::Kind::object)) return false;
  read_only_keys(value, kTlsKeys, settings);
  check_pair(value, "certificate_file", "key_file");
  check_pair(value, "key_file", "certificate_file");
  if (!settings.verify && value.node().find("ca_file")) {
    value.warning("ca_file is not used: with verify false any certificate is taken");
  }
  return true;
}

std::string tls_text(const net::TlsSettings& settings) {
  std::vector<std::string> members;
  for (const auto& key : kTlsKeys) {
    auto text = key.show(settings);
    if (text != key.show({})) members.push_back(fmt::format("{}: {}", in_quotes(key.name), text));
  }
  return fmt::format("{{{}}}", fmt::join(members, ", "));
}

}  // namespace driveshaft::config
