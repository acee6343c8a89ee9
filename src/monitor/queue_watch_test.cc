// SPDX-License-Identifier: MIT
#include "monitor/queue_watch.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace driveshaft::monitor {
namespace {

using asio::ip::tcp;

TEST(QueueWatch, GoesOnAfterAnException) {
  asio::io_context loop;
  net::Resolver resolver(loop);
  base::DeadlineWheel deadlines(loop);
  const auto nobody = tcp::acceptor(loop, {asio::ip::address_v4::loopback(), 0}).local_endpoint();
  int attempts = 0;
  const auto watch = std::make_shared<QueueWatch>(
      resolver, deadlines, net::Address{"127.0.0.1", nobody.port()}, nullptr, "us", [&] {
        if (++attempts == 1) throw std::runtime_error("a bug");
        loop.stop();
      });
  watch->start();
  loop.run_for(std::chrono::seconds(20));
  EXPECT_EQ(attempts, 2);
  EXPECT_FALSE(watch->report().known);
}

}  // namespace
}  // namespace driveshaft::monitor
