// SPDX-License-Identifier: MIT
#include "admin/reply.h"

#include <boost/json.hpp>

#include "net/uri.h"

namespace driveshaft::admin {

Reply api_error(unsigned status, std::string_view what) {
  return {.status = status,
          .content_type = kJson,
          .body = boost::json::serialize(boost::json::object{{"error", what}})};
}

bool is_probe(std::string_view target) {
  const auto path = net::path_of(target);
  return path == "/healthz" || path == "/readyz";
}

Reply without_details(Reply reply) {
  if (reply.status == 200) reply.body = "ok\n";
  if (reply.status == 503) reply.body = "not ok\n";
  return reply;
}

}  // namespace driveshaft::admin
