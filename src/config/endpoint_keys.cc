// SPDX-License-Identifier: MIT
#include "config/endpoint_keys.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "config/key_table.h"
#include "text/printable.h"

namespace driveshaft::config {
namespace {

// The URI of php-fpm that was most likely meant; empty: HTTP is.
std::string probably_fastcgi(const net::Uri& uri) {
  constexpr std::uint16_t kFastCgiPort = 9000;
  if (!uri.may_be_fastcgi() || uri.port != kFastCgiPort) return {};
  // Without user, password and query, which must not be shown.
  const std::string_view path = net::path_of(uri.target.reveal());
  return fmt::format("fcgi://{}{}", uri.authority, text::printable(path, 200));
}

bool read_uri(const Value& value, net::Uri& uri) {
  if (!value.is(Node::Kind::string)) return false;
  auto parsed = net::parse_uri(value.node().text);
  if (parsed) {
    uri = std::move(*parsed);
    if (const auto fastcgi = probably_fastcgi(uri); !fastcgi.empty()) {
      value.warning(
          fmt::format("port 9000 with a .php path is most likely php-fpm, which speaks FastCGI and not "
                      "HTTP: write \"{}\", with the path of the script's file",
                      fastcgi));
    }
  } else {
    value.error(parsed.error().message);
  }
  return true;
}

std::string uri_text(const net::Uri& uri) { return quoted_json(uri.display); }

struct BackendUri {
  static bool read(const Value& value, net::Uri& uri) { return read_uri(value, uri); }
  static std::string show(const net::Uri& uri) { return uri_text(uri); }
};

constexpr Key<BackendConfig> kBackendKeys[] = {
    key<&BackendConfig::uri, BackendUri>("uri",
                                         "an http://, https://, http+unix://, fcgi:// or fcgi+unix:// URI")
        .is_required(),
    key<&BackendConfig::weight, Whole<0, kMostWeight>>("weight",
                                                       "a whole number from 0 (no more jobs) to 100"),
    key<&BackendConfig::max_concurrency, Whole<0, 1'000'000>>(
        "max_concurrency", "a whole number from 0 (no limit of its own) to 1000000"),
};

Keys<BackendConfig> backend_keys() { return kBackendKeys; }

// Reads one backend. If it is wrong, that has been reported, and it has no URI.
BackendConfig read_backend(const Value& value) {
  BackendConfig backend;
  if (value.is(Node::Kind::object)) {
    read_object(value, backend_keys(), backend);
  } else if (!read_uri(value, backend.uri)) {
    value.error(fmt::format("expected a URI, or an object of uri, weight and max_concurrency, got {}",
                            value.shown()));
  }
  return backend;
}

// A backend whose settings are the defaults is written as its URI.
std::string backend_text(const BackendConfig& backend) {
  const BackendConfig plain{.uri = backend.uri};
  if (backend == plain) return uri_text(backend.uri);
  const BackendConfig defaults;
  return object_text(backend_keys(), backend, &defaults);
}

void read_backends(const Value& value, std::vector<BackendConfig>& backends) {
  const std::size_t count = value.node().children.size();
  if (count == 0 || count > kMostBackends) {
    value.error(fmt::format("expected an array of 1 to {} backends, got {}", kMostBackends, count));
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    BackendConfig backend = read_backend(value.element(i));
    if (backend.uri.display.empty()) continue;
    const bool is_known = std::any_of(backends.begin(), backends.end(),
                                      [&](const auto& other) { return other.uri == backend.uri; });
    if (is_known) {
      value.element(i).error(
          fmt::format("{} is listed already; remove one, or give it more weight", uri_text(backend.uri)));
    } else {
      backends.push_back(std::move(backend));
    }
  }
  const bool takes_jobs =
      std::any_of(backends.begin(), backends.end(), [](const auto& backend) { return backend.weight > 0; });
  if (!takes_jobs && !backends.empty()) value.warning("every weight is 0, so no backend takes a job");
}

std::vector<std::string> describe(const std::string& before, const std::string& after) {
  constexpr std::string_view kName = "job_processing_uri";
  if (before != after) return {from_to(kName, before, after)};
  return {fmt::format("{} {}: another user, password or query", kName, after)};
}

}  // namespace

std::vector<std::string> EndpointConfig::names() const {
  std::vector<std::string> names;
  std::map<std::string_view, int> alike;
  for (const auto& backend : backends) {
    const int number = ++alike[backend.uri.display];
    names.push_back(number == 1 ? backend.uri.display : fmt::format("{} #{}", backend.uri.display, number));
  }
  return names;
}

std::string EndpointConfig::display() const {
  constexpr std::size_t kShown = 3;
  const auto all = names();
  std::string text;
  for (std::size_t i = 0; i < std::min(backends.size(), kShown); ++i) {
    text += (i > 0 ? ", " : "") + all[i];
  }
  if (backends.size() > kShown) text += fmt::format(" and {} more", backends.size() - kShown);
  return text;
}

bool EndpointValue::read(const Value& value, EndpointConfig& endpoint) {
  endpoint.backends.clear();
  if (value.is(Node::Kind::array)) {
    read_backends(value, endpoint.backends);
    return true;
  }
  BackendConfig only;
  if (!read_uri(value, only.uri)) return false;
  if (!only.uri.display.empty()) endpoint.backends.push_back(std::move(only));
  return true;
}

std::string EndpointValue::show(const EndpointConfig& endpoint) {
  std::vector<std::string> texts;
  for (const auto& backend : endpoint.backends) texts.push_back(backend_text(backend));
  const bool is_one = texts.size() == 1 && texts.front().front() == '"';
  return is_one ? texts.front() : fmt::format("[{}]", fmt::join(texts, ", "));
}

bool OwnEndpointValue::read(const Value& value, std::optional<EndpointConfig>& endpoint) {
  EndpointConfig own;
  const bool is_understood = EndpointValue::read(value, own);
  if (!own.backends.empty()) endpoint = std::move(own);
  return is_understood;
}

std::string OwnEndpointValue::show(const std::optional<EndpointConfig>& endpoint) {
  return endpoint ? EndpointValue::show(*endpoint) : std::string(kNone);
}

std::vector<std::string> describe_endpoint(const PoolConfig& before, const PoolConfig& after) {
  // One URI is shown as it is; several are shown as the file has them.
  const auto text = [](const EndpointConfig& endpoint) {
    const bool is_one = endpoint == EndpointConfig(endpoint.backends.front().uri);
    return is_one ? endpoint.display() : EndpointValue::show(endpoint);
  };
  return describe(text(before.endpoint), text(after.endpoint));
}

std::vector<std::string> describe_own_endpoint(const FunctionSettings& before,
                                               const FunctionSettings& after) {
  return describe(OwnEndpointValue::show(before.endpoint), OwnEndpointValue::show(after.endpoint));
}

}  // namespace driveshaft::config
