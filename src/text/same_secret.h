// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "text/secret.h"

namespace driveshaft::text {

// Whether what somebody has shown is the secret. How long that takes does not depend on how much of it is
// right; the lengths alone are no secret.
bool same_secret(std::string_view shown, const Secret& secret);

}  // namespace driveshaft::text
