// SPDX-License-Identifier: MIT
#include "text/same_secret.h"

#include <openssl/crypto.h>

namespace driveshaft::text {

bool same_secret(std::string_view shown, const Secret& secret) {
  const std::string& bytes = secret.reveal();
  return shown.size() == bytes.size() && CRYPTO_memcmp(shown.data(), bytes.data(), bytes.size()) == 0;
}

}  // namespace driveshaft::text
