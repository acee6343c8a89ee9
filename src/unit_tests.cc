// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include "net/tls.h"

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  driveshaft::net::keep_openssl_at_exit();  // a thread may still read certificates when the tests are over
  return RUN_ALL_TESTS();
}
