// SPDX-License-Identifier: MIT
#include "cli/surroundings.h"

#include <glob.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <list>
#include <optional>
#include <set>
#include <string_view>

#include "letters/conversation.h"
#include "net/asio.h"
#include "net/listeners.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace driveshaft::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kTimeout = 2s;

std::vector<std::string> paths_of(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  ::globfree(&found);
  return paths;
}

// Looks at the socket of this path; nothing if no process listens there.
std::optional<PhpSocket> listening(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_socket(path, ignored) || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return std::nullopt;
  }
  asio::io_context io;
  asio::local::stream_protocol::socket socket(io);
  boost::system::error_code error;
  socket.connect(asio::local::stream_protocol::endpoint(path), error);
  const bool refused = error == asio::error::access_denied;
  if (error && !refused) return std::nullopt;
  return PhpSocket{path, !refused};
}

// The addresses on which processes named gearmand listen.
std::vector<net::Address> of_gearmand_processes() {
  std::vector<net::Address> addresses;
  for (const auto& [endpoint, user, inode] : net::listeners()) {
    const auto owner = net::owner_of_socket(inode);
    if (!owner || owner->name != "gearmand") continue;
    const auto address = endpoint.address();
    addresses.push_back({address.is_unspecified() ? "127.0.0.1" : address.to_string(), endpoint.port()});
  }
  return addresses;
}

std::vector<net::Address> that_answer(const std::vector<net::Address>& addresses) {
  net::keep_openssl_at_exit();  // a thread that looks up a name may still run when the process exits
  asio::io_context loop{1};
  base::DeadlineWheel deadlines(loop);
  net::Resolver resolver(loop);
  std::list<letters::Conversation> conversations;
  std::vector<char> answers(addresses.size());
  std::size_t left = addresses.size();
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    auto& conversation =
        conversations.emplace_back(resolver, deadlines, config::ServerConfig{addresses[i]}, kTimeout);
    asio::co_spawn(loop, conversation.greet(), [&, i](const std::exception_ptr& bug, const auto& answered) {
      if (bug) std::rethrow_exception(bug);
      answers[i] = answered.has_value();
      --left;
    });
  }
  while (left > 0) loop.run_one();
  std::vector<net::Address> found;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (answers[i]) found.push_back(addresses[i]);
  }
  return found;
}

}  // namespace

std::vector<PhpSocket> find_php_sockets(const std::vector<std::string>& patterns) {
  std::vector<PhpSocket> found;
  std::set<std::string> known;
  for (const auto& pattern : patterns) {
    for (const auto& path : paths_of(pattern)) {
      std::error_code error;
      const auto real = std::filesystem::canonical(path, error).string();
      if (error || known.contains(real)) continue;
      if (auto socket = listening(path)) {
        known.insert(real);
        found.push_back(std::move(*socket));
      }
    }
  }
  return found;
}

Surroundings look_around(const Places& places) {
  auto addresses = places.servers;
  for (auto& other : of_gearmand_processes()) {
    if (std::find(addresses.begin(), addresses.end(), other) == addresses.end()) {
      addresses.push_back(std::move(other));
    }
  }
  return {that_answer(addresses), find_php_sockets(places.php_sockets)};
}

}  // namespace driveshaft::cli
