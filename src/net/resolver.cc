// SPDX-License-Identifier: MIT
#include "net/resolver.h"

#include <fmt/format.h>
#include <netdb.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

namespace driveshaft::net {
namespace {

std::string reason(int error, int system_error) {
  return error == EAI_SYSTEM ? std::generic_category().message(system_error) : ::gai_strerror(error);
}

Resolver::Answer query(const std::string& host) try {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) return base::Error{reason(error, errno)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);

  Resolver::Addresses addresses;
  for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
    asio::ip::tcp::endpoint address;
    if (entry->ai_addrlen > address.capacity()) continue;
    std::memcpy(address.data(), entry->ai_addr, entry->ai_addrlen);
    address.resize(entry->ai_addrlen);
    addresses.push_back(address);
  }
  if (addresses.empty()) return base::Error{"no IPv4 or IPv6 address"};
  return addresses;
} catch (const std::bad_alloc&) {
  return base::Error{"out of memory"};
}

}  // namespace

void Resolver::look_up(const std::string& host, Handler handler) {
  auto& waiting = waiting_[host];
  waiting.push_back(std::move(handler));
  if (waiting.size() > 1) return;
  try {
    begin(host);
  } catch (const std::bad_alloc&) {  // the next caller begins anew
    waiting_.erase(host);
    throw;
  }
}

void Resolver::begin(const std::string& host) {
  try {
    calls_.run(
        "resolver", [host] { return query(host); },
        [this, host](const Answer& answer) { answered(host, answer); });
  } catch (const std::system_error& error) {
    calls_.post([this, host, why = fmt::format("no thread to look it up: {}", error.what())] {
      answered(host, base::Error{why});
    });
  }
}

void Resolver::answered(const std::string& host, const Answer& answer) {
  const auto waiting = waiting_.extract(host);
  for (const auto& handler : waiting.mapped()) handler(answer);
}

}  // namespace driveshaft::net
