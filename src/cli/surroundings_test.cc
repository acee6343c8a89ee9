// SPDX-License-Identifier: MIT
#include "cli/surroundings.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <optional>

#include "base/test_dir.h"
#include "net/asio.h"

namespace driveshaft::cli {
namespace {

using asio::local::stream_protocol;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Surroundings, SocketsThatAreListenedOnAreFoundOnce) {
  const base::TestDir dir;
  asio::io_context io;
  std::optional<stream_protocol::acceptor> gone(std::in_place, io,
                                                stream_protocol::endpoint(dir / "gone.sock"));
  gone.reset();
  const stream_protocol::acceptor real(io, stream_protocol::endpoint(dir / "php8.2-fpm.sock"));
  const stream_protocol::acceptor other(io, stream_protocol::endpoint(dir / "a.sock"));
  dir.write("file.sock", "");
  std::filesystem::create_symlink(dir / "php8.2-fpm.sock", dir / "php-fpm.sock");
  const std::vector<std::string> patterns{dir / "php*.sock", dir / "none/*.sock", dir / "*.sock"};
  EXPECT_THAT(find_php_sockets(patterns),
              ElementsAre(PhpSocket{dir / "php-fpm.sock", true}, PhpSocket{dir / "a.sock", true}));
  EXPECT_THAT(find_php_sockets({dir / "gone.sock"}), IsEmpty());
}

TEST(Surroundings, OnlyServersThatAnswerAreFound) {
  asio::io_context io;
  asio::ip::tcp::acceptor closed(io, {asio::ip::make_address("127.0.0.1"), 0});
  const auto port = closed.local_endpoint().port();
  closed.close();
  const auto found = look_around({{}, {{"127.0.0.1", port}}});
  EXPECT_THAT(found.php, IsEmpty());
  EXPECT_THAT(found.servers, testing::Not(testing::Contains(net::Address{"127.0.0.1", port})));
}

}  // namespace
}  // namespace driveshaft::cli
