// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <utility>

#include "net/timed_stream.h"

// How many clients the admin server has, and which of them has waited longest. On the admin thread.
namespace driveshaft::admin {

// While this object lives, its stream is in the list of streams that wait for their clients. The stream that
// has waited longest is the first.
class Waits {
 public:
  using Streams = std::list<net::TimedStream*>;
  Waits(Streams& waiting, net::TimedStream& stream)
      : waiting_(waiting), place_(waiting.insert(waiting.end(), &stream)) {}
  ~Waits() { waiting_.erase(place_); }
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;

 private:
  Streams& waiting_;
  const Streams::iterator place_;
};

// Adds one to a counter as long as this object lives.
class ScopedCount {
 public:
  explicit ScopedCount(std::size_t& count) : count_(&count) { ++count; }
  ~ScopedCount() {
    if (count_) --*count_;
  }
  ScopedCount(ScopedCount&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  ScopedCount& operator=(ScopedCount&&) = delete;

 private:
  std::size_t* count_;  // null when it was moved from
};

// The clients of one listening socket. Those of another have limits of their own.
struct Clients {
  Clients(const char* what, std::size_t limit, std::uint64_t bytes)
      : name(what), most(limit), body_bytes(bytes) {}

  // Clients that connect and send nothing, or do not read the answer, must keep out neither a scrape nor a
  // health check.
  bool make_room() {
    if (waiting.empty()) return false;
    waiting.front()->close();
    return true;
  }

  const char* const name;
  const std::size_t most;          // connections
  const std::uint64_t body_bytes;  // of a request, at most
  std::size_t open = 0;            // connections
  Waits::Streams waiting;
};

}  // namespace driveshaft::admin
