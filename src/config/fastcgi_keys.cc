// SPDX-License-Identifier: MIT
#include "config/fastcgi_keys.h"

#include <fmt/format.h>

#include "config/key_table.h"
#include "text/printable.h"

namespace driveshaft::config {

std::optional<std::string> document_root_of(std::string_view text) {
  if (!is_absolute_path(text)) return std::nullopt;
  while (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
  return std::string(text);
}

bool DocumentRoot::read(const Value& value, std::string& folder) {
  if (!value.is(Node::Kind::string)) return false;
  const std::string& text = value.node().text;
  const auto root = text.empty() ? std::string() : document_root_of(text);
  if (root) folder = *root;
  return root.has_value();
}

std::string DocumentRoot::show(const std::string& folder) { return quoted_json(folder); }

void check_document_root(const Value& pool_value, const PoolConfig& pool) {
  if (pool.fastcgi_document_root.empty() || pool.endpoint.backends.empty()) return;
  const Value value = pool_value.member(*pool_value.node().find("fastcgi_document_root"));
  const std::string folder = pool.fastcgi_document_root == "/" ? "/" : pool.fastcgi_document_root + '/';
  bool of_use = false;
  const auto check = [&](const net::Uri& uri) {
    if (!uri.is_fastcgi()) return;
    of_use = true;
    if (uri.script.starts_with(folder)) return;
    value.error(fmt::format("expected a folder that the script {} is in, got {}",
                            text::printable(uri.script, 100), value.shown()));
  };
  const auto check_all = [&](const EndpointConfig& endpoint) {
    for (const auto& backend : endpoint.backends) check(backend.uri);
  };
  check_all(pool.endpoint);
  for (const auto& [_, function] : pool.functions) {
    if (function.endpoint) check_all(*function.endpoint);
  }
  if (of_use) return;
  value.error(
      fmt::format("{} does not speak FastCGI: write it with fcgi:// or fcgi+unix://, or remove "
                  "fastcgi_document_root",
                  text::printable(pool.endpoint.display(), 100)));
}

}  // namespace driveshaft::config
