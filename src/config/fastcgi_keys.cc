// SPDX-License-Identifier: MIT
#include "config/fastcgi_keys.h"

#include <fmt/format.h>

#include "base/log.h"
#include "config/key_table.h"

namespace driveshaft::config {

bool read_document_root(const Value& value, Pool& pool) {
  if (!value.is(Node::Kind::string)) return false;
  std::string path = value.node().text;
  if (!path.empty() && !is_absolute_path(path)) return false;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  pool.document_root = std::move(path);
  return true;
}

void check_document_root(const Value& pool_value, const Pool& pool) {
  if (pool.document_root.empty() || pool.uri.display.empty()) return;
  const Value value = pool_value.member(*pool_value.node().find("fastcgi_document_root"));
  const std::string folder = pool.document_root == "/" ? "/" : pool.document_root + '/';
  bool of_use = false;
  const auto check = [&](const base::Uri& uri) {
    if (!uri.is_fastcgi()) return;
    of_use = true;
    if (uri.script.starts_with(folder)) return;
    value.error(fmt::format("expected a folder that the script {} is in, got {}",
                            base::printable(uri.script, 100), value.shown()));
  };
  check(pool.uri);
  for (const auto& [_, function] : pool.functions) {
    if (function.uri) check(*function.uri);
  }
  if (of_use) return;
  value.error(
      fmt::format("{} does not speak FastCGI: write it with fcgi:// or fcgi+unix://, or remove "
                  "fastcgi_document_root",
                  base::printable(pool.uri.display, 100)));
}

}  // namespace driveshaft::config
