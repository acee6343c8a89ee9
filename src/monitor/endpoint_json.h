// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "monitor/view.h"

// The endpoints of a pool with their backends, as docs/openapi.yaml describes them. Pure.
namespace driveshaft::monitor {

// The pool's own endpoint.
boost::json::object endpoint_json(const View& view, const dispatch::PoolStatus& pool);
// The endpoints of functions that do not use the pool's own.
boost::json::array function_endpoints_json(const View& view, const dispatch::PoolStatus& pool);

}  // namespace driveshaft::monitor
