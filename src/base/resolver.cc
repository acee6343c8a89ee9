// SPDX-License-Identifier: MIT
#include "base/resolver.h"

#include <fmt/format.h>
#include <netdb.h>
#include <pthread.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace driveshaft::base {
namespace {

std::string reason(int error, int system_error) {
  return error == EAI_SYSTEM ? std::generic_category().message(system_error) : ::gai_strerror(error);
}

Resolver::Answer query(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) return Error{reason(error, errno)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);

  Resolver::Addresses addresses;
  for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
    asio::ip::tcp::endpoint address;
    if (entry->ai_addrlen > address.capacity()) continue;
    std::memcpy(address.data(), entry->ai_addr, entry->ai_addrlen);
    address.resize(entry->ai_addrlen);
    addresses.push_back(address);
  }
  if (addresses.empty()) return Error{"no IPv4 or IPv6 address"};
  return addresses;
}

}  // namespace

// Where the threads leave their answers. It outlives the resolver in the last of them.
struct Resolver::Mailbox {
  std::mutex mutex;
  Resolver* resolver;  // null when it is gone; written on the loop's thread, with the mutex held

  void deliver(const std::shared_ptr<Mailbox>& self, const std::string& host, Answer answer) {
    const std::lock_guard lock(mutex);
    if (!resolver) return;
    asio::post(resolver->loop_, [self, host, answer = std::move(answer)] {
      if (self->resolver) self->resolver->answered(host, answer);
    });
  }
};

Resolver::Resolver(asio::io_context& loop) : loop_(loop), mailbox_(std::make_shared<Mailbox>()) {
  mailbox_->resolver = this;
}

Resolver::~Resolver() {
  const std::lock_guard lock(mailbox_->mutex);
  mailbox_->resolver = nullptr;
}

void Resolver::look_up(const std::string& host, Handler handler) {
  auto& waiting = waiting_[host];
  waiting.push_back(std::move(handler));
  if (waiting.size() > 1) return;
  try {
    std::thread([mailbox = mailbox_, host] {
      ::pthread_setname_np(::pthread_self(), "resolver");
      mailbox->deliver(mailbox, host, query(host));
    }).detach();
  } catch (const std::system_error& error) {
    mailbox_->deliver(mailbox_, host, Error{fmt::format("no thread to look it up: {}", error.what())});
  }
}

void Resolver::answered(const std::string& host, const Answer& answer) {
  const auto waiting = waiting_.extract(host);
  for (const auto& handler : waiting.mapped()) handler(answer);
}

}  // namespace driveshaft::base
