// SPDX-License-Identifier: MIT
#include "admin/routes.h"

#include "admin/page.h"
#include "net/uri.h"

namespace driveshaft::admin {
namespace {

Reply metrics(const Sources& sources) {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = sources.metrics()};
}

Reply health_reply(const Health& health) {
  return {.status = health.ok ? 200U : 503U, .body = health.detail + "\n"};
}

Reply healthz(const Sources& sources) { return health_reply(sources.health()); }

Reply readyz(const Sources& sources) { return health_reply(sources.ready()); }

struct Route {
  std::string_view path;
  Reply (*reply)(const Sources&);
};

constexpr Route kRoutes[] = {
    {"/metrics", metrics},
    {"/healthz", healthz},
    {"/readyz", readyz},
};

}  // namespace

std::optional<Reply> refuse_method(std::string_view method) {
  if (method == "GET" || method == "HEAD") return std::nullopt;
  return Reply{.status = 405, .body = "only GET and HEAD\n", .allow = "GET, HEAD"};
}

Reply answer(std::string_view method, std::string_view target, const Sources& sources) {
  const std::string_view path = net::path_of(target);
  if (const PageFile* file = find_page_file(path)) {
    if (auto refused = refuse_method(method)) return std::move(*refused);
    return {.content_type = file->content_type, .body = std::string(file->body)};
  }
  for (const Route& route : kRoutes) {
    if (route.path != path) continue;
    if (auto refused = refuse_method(method)) return std::move(*refused);
    return route.reply(sources);
  }
  return {.status = 404, .body = "not found; the page at / leads to what there is\n"};
}

}  // namespace driveshaft::admin
