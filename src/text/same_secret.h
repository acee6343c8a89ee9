// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "text/secret.h"

namespace driveshaft::text {

// Whether `shown`, which a client has sent, is the secret. The time that this takes does not depend on how
// many bytes are right, but on the lengths, which are not secret.
bool same_secret(std::string_view shown, const Secret& secret);

}  // namespace driveshaft::text
