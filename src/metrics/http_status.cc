// SPDX-License-Identifier: MIT
#include "metrics/http_status.h"

#include <algorithm>
#include <array>

namespace driveshaft::metrics {
namespace {

// Sorted. The statuses of IANA's HTTP Status Code Registry that are in use, and five others: 419 (Laravel),
// 499 (nginx), and 520, 521, 522 and 524 (Cloudflare).
constexpr std::array kCommon{300, 301, 302, 303, 304, 307, 308,  //
                             400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413,
                             414, 415,                                                              //
                             416, 417, 419, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499,  //
                             500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 521, 522, 524};
static_assert(kCommon.size() == 50);

}  // namespace

std::string http_status_label(int status) {
  if (std::binary_search(kCommon.begin(), kCommon.end(), status)) return std::to_string(status);
  if (status < 100 || status > 599) return "other";
  return std::to_string(status / 100) + "xx";
}

}  // namespace driveshaft::metrics
