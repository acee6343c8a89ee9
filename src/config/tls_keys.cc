// SPDX-License-Identifier: MIT
#include "config/tls_keys.h"

#include <fmt/format.h>

#include "net/address.h"

namespace driveshaft::config {
namespace {

constexpr std::string_view kFileType = "the absolute path of a file in PEM";

struct PemFile {
  static bool read(const Value& value, std::string& path) {
    if (!value.is(Node::Kind::string)) return false;
    path = value.node().text;
    return is_absolute_path(path);
  }
  static std::string show(const std::string& path) { return quoted_json(path); }
};

struct PeerName {
  static bool read(const Value& value, std::string& name) {
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
  static std::string show(const std::string& name) { return quoted_json(name); }
};

constexpr Key<net::TlsSettings> kTlsKeys[] = {
    key<&net::TlsSettings::ca_file, PemFile>("ca_file", kFileType),
    key<&net::TlsSettings::certificate_file, PemFile>("certificate_file", kFileType),
    key<&net::TlsSettings::key_file, PemFile>("key_file", kFileType),
    key<&net::TlsSettings::server_name, PeerName>("server_name", "a host name or address"),
    key<&net::TlsSettings::verify, YesOrNo>("verify", "true or false"),
};

void check_pair(const Value& value, std::string_view one, std::string_view other) {
  if (value.node().find(one) && !value.node().find(other)) {
    value.error(fmt::format("expected {} beside {}: a certificate is of use only with its key", other, one));
  }
}

}  // namespace

Keys<net::TlsSettings> tls_keys() { return kTlsKeys; }

bool Tls::read(const Value& value, net::TlsSettings& settings) {
  settings = {};
  if (value.is(Node::Kind::boolean)) return value.node().text == "true";
  if (!value.is(Node::Kind::object)) return false;
  read_object(value, tls_keys(), settings);
  check_pair(value, "certificate_file", "key_file");
  check_pair(value, "key_file", "certificate_file");
  if (!settings.verify && value.node().find("ca_file")) {
    value.warning("ca_file is not used: with verify false any certificate is taken");
  }
  return true;
}

std::string Tls::show(const net::TlsSettings& settings) {
  const net::TlsSettings defaults;
  return object_text(tls_keys(), settings, &defaults);
}

}  // namespace driveshaft::config
