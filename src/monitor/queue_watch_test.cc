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

TEST(QueueWatch, DeadLettersAreNotWaitingJobs) {
  asio::io_context loop;
  net::Resolver resolver(loop);
  base::DeadlineWheel deadlines(loop);
  tcp::acceptor gearmand(loop, {asio::ip::address_v4::loopback(), 0});
  const auto watch = std::make_shared<QueueWatch>(resolver, deadlines,
                                                  net::Address{"127.0.0.1", gearmand.local_endpoint().port()},
                                                  nullptr, "us", [&] { loop.stop(); });
  watch->watch({"f"}, {"failed_jobs"});
  tcp::socket peer(loop);
  gearmand.async_accept(peer, [&](const boost::system::error_code&) {
    asio::write(peer,
                asio::buffer(std::string_view("failed_jobs\t4\t1\t1\nf\t2\t0\t1\nother\t5\t0\t1\n.\n.\n")));
  });
  watch->start();
  loop.run_for(std::chrono::seconds(20));
  ASSERT_TRUE(watch->report().known);
  EXPECT_EQ(watch->report().dead_letters, 3U) << "one is being run again";
  EXPECT_EQ(watch->report().all.queued, 7U);
  EXPECT_EQ(watch->report().all.running, 1U);
}

}  // namespace
}  // namespace driveshaft::monitor
