// SPDX-License-Identifier: MIT
#include "admin/routes.h"

#include <fmt/format.h>

#include <exception>

#include "base/log.h"

namespace driveshaft::admin {
namespace {

Reply index(const Sources&);

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
  std::string_view what;
  Reply (*reply)(const Sources&);
};

constexpr Route kRoutes[] = {
    {"/", "this page", index},
    {"/metrics", "metrics in the Prometheus text format", metrics},
    {"/healthz", "200 while the event loop turns, otherwise 503", healthz},
    {"/readyz", "200 while at least one gearmand is connected, otherwise 503", readyz},
};

Reply index(const Sources&) {
  Reply reply;
  reply.body = "driveshaft\n\n";
  for (const Route& route : kRoutes) reply.body += fmt::format("{:<10}{}\n", route.path, route.what);
  return reply;
}

}  // namespace

Reply answer(std::string_view method, std::string_view target, const Sources& sources) {
  const std::string_view path = target.substr(0, target.find('?'));
  for (const Route& route : kRoutes) {
    if (route.path != path) continue;
    if (method != "GET" && method != "HEAD") {
      return {.status = 405, .body = "only GET and HEAD\n", .allow = "GET, HEAD"};
    }
    try {
      return route.reply(sources);
    } catch (const std::exception& e) {
      base::kMainLog.error("cannot answer {} on the exporter address: {}", path, e.what());
      return {.status = 500, .body = "internal error, see the log\n"};
    }
  }
  return {.status = 404, .body = "not found; / lists what there is\n"};
}

}  // namespace driveshaft::admin
