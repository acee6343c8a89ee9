// SPDX-License-Identifier: MIT
#include "net/listeners.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <type_traits>

namespace driveshaft::net {
namespace {

using asio::ip::tcp;

constexpr std::string_view kListens = "0A";  // TCP_LISTEN

template <class Number>
std::optional<Number> number(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Words of 32 bits, each as the machine would print the number that its bytes are in memory.
template <class Bytes>
std::optional<Bytes> address_bytes(std::string_view hex) {
  Bytes bytes{};
  if (hex.size() != 2 * bytes.size()) return std::nullopt;
  for (std::size_t word = 0; word < bytes.size(); word += 4) {
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t from = std::endian::native == std::endian::little ? 3 - i : i;
      const auto byte = number<unsigned char>(hex.substr(2 * (word + from), 2), 16);
      if (!byte) return std::nullopt;
      bytes[word + i] = *byte;
    }
  }
  return bytes;
}

std::optional<asio::ip::address> address(std::string_view hex) {
  if (const auto v4 = address_bytes<asio::ip::address_v4::bytes_type>(hex)) {
    return asio::ip::address_v4(*v4);
  }
  if (const auto v6 = address_bytes<asio::ip::address_v6::bytes_type>(hex)) {
    return asio::ip::address_v6(*v6);
  }
  return std::nullopt;
}

// "sl: local remote state tx:rx tr:when retransmits uid timeout inode …"
std::optional<Listener> parse_line(const std::string& line) {
  std::istringstream words(line);
  const std::vector<std::string> fields{std::istream_iterator<std::string>(words), {}};
  if (fields.size() < 10 || fields[3] != kListens) return std::nullopt;
  const auto colon = fields[1].find(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto host = address(std::string_view(fields[1]).substr(0, colon));
  const auto port = number<std::uint16_t>(std::string_view(fields[1]).substr(colon + 1), 16);
  const auto user = number<uid_t>(fields[7], 10);
  const auto inode = number<std::uint64_t>(fields[9], 10);
  if (!host || !port || !user || !inode) return std::nullopt;
  return Listener{{*host, *port}, *user, *inode};
}

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// ::ffff:1.2.3.4 is 1.2.3.4.
asio::ip::address plain(const asio::ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

bool has_socket(const std::filesystem::path& process, const std::string& socket) {
  std::error_code error;
  for (std::filesystem::directory_iterator file(process / "fd", error), end; !error && file != end;
       file.increment(error)) {
    std::error_code gone;
    if (std::filesystem::read_symlink(file->path(), gone) == socket) return true;
  }
  return false;
}

}  // namespace

std::vector<Listener> parse_listeners(std::string_view table) {
  std::vector<Listener> found;
  std::istringstream lines{std::string(table)};
  for (std::string line; std::getline(lines, line);) {
    if (const auto listener = parse_line(line)) found.push_back(*listener);
  }
  return found;
}

bool conflicts_with(const tcp::endpoint& other, const tcp::endpoint& wanted) {
  if (other.port() != wanted.port()) return false;
  const auto one = plain(other.address()), two = plain(wanted.address());
  if (one == two) return true;
  // [::] may be all IPv4 addresses as well.
  const auto all_of = [](const asio::ip::address& all, const asio::ip::address& some) {
    return all.is_unspecified() && (all.is_v6() || some.is_v4());
  };
  return all_of(one, two) || all_of(two, one);
}

std::vector<Listener> listeners() {
  auto all = parse_listeners(contents("/proc/net/tcp"));
  for (auto& one : parse_listeners(contents("/proc/net/tcp6"))) all.push_back(one);
  return all;
}

Process process_of(pid_t pid) {
  std::string name = contents(fmt::format("/proc/{}/comm", pid));
  if (name.ends_with('\n')) name.pop_back();
  return {pid, std::move(name)};
}

std::optional<Process> owner_of_socket(std::uint64_t inode) {
  const std::string socket = fmt::format("socket:[{}]", inode);
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    const auto pid = number<pid_t>(entry->path().filename().string(), 10);
    if (pid && has_socket(entry->path(), socket)) return process_of(*pid);
  }
  return std::nullopt;
}

}  // namespace driveshaft::net
