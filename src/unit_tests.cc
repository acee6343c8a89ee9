// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include "net/tls.h"

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  driveshaft::net::keep_tls_to_the_end();  // as the daemon: threads that load certificates may be at it till the end
  return RUN_ALL_TESTS();
}
