// SPDX-License-Identifier: MIT
#include "net/listeners.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>

namespace driveshaft::net {
namespace {

using asio::ip::make_address;
using asio::ip::tcp;
using testing::ElementsAre;

constexpr std::string_view kTable =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:127A 00000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 21355 1 0 1 "
    "0\n"
    "   1: 0100007F:127A 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000   104        0 21377 1 0 1 "
    "0\n"
    "   2: 00000000:22B8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 999 1 0 1 0\n"
    "   3: nonsense 0A\n";

TEST(Listeners, AreTheSocketsThatListen) {
  EXPECT_THAT(parse_listeners(kTable), ElementsAre(Listener{{make_address("127.0.0.1"), 4730}, 104, 21355},
                                                   Listener{{make_address("0.0.0.0"), 8888}, 0, 999}));
}

TEST(Listeners, OfIpv6Too) {
  EXPECT_THAT(
      parse_listeners("   0: 00000000000000000000000001000000:127A 00000000000000000000000000000000:0000 0A "
                      "00000000:00000000 00:00000000 00000000     0        0 5 1 0 1 0\n"),
      ElementsAre(Listener{{make_address("::1"), 4730}, 0, 5}));
}

bool conflict(const char* other, const char* wanted, std::uint16_t port = 80) {
  return conflicts_with(tcp::endpoint(make_address(other), 80), tcp::endpoint(make_address(wanted), port));
}

TEST(Listeners, OneConflictsWithTheSameAddressAndWithAll) {
  EXPECT_TRUE(conflict("127.0.0.1", "127.0.0.1"));
  EXPECT_FALSE(conflict("127.0.0.1", "127.0.0.1", 81));
  EXPECT_FALSE(conflict("127.0.0.1", "127.0.0.2"));
  EXPECT_TRUE(conflict("0.0.0.0", "127.0.0.1"));
  EXPECT_TRUE(conflict("127.0.0.1", "0.0.0.0"));
  EXPECT_TRUE(conflict("::", "127.0.0.1"));
  EXPECT_FALSE(conflict("0.0.0.0", "::1"));
  EXPECT_FALSE(conflict("::1", "127.0.0.1"));
}

TEST(Listeners, ASocketOfOursIsFoundWithOurProcess) {
  asio::io_context io;
  const tcp::acceptor own(io, {make_address("127.0.0.1"), 0});
  const auto all = listeners();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Listener& one) { return one.endpoint == own.local_endpoint(); });
  ASSERT_NE(found, all.end());
  EXPECT_EQ(found->user, ::geteuid());
  const auto owner = owner_of_socket(found->inode);
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->pid, ::getpid());
  EXPECT_EQ(owner->name, process_of(::getpid()).name);
  EXPECT_FALSE(owner->name.empty());
}

}  // namespace
}  // namespace driveshaft::net
