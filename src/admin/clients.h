// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <utility>

#include "net/timed_stream.h"

// Counts the clients of the admin server, and knows which of them has waited longest. Used on the admin
// thread.
namespace driveshaft::admin {

// While this object lives, `stream` is in the list of streams that wait for their clients. The stream that
// has waited longest is the first. The list and the stream outlive this object.
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

// While this object lives, the counter is one higher. The counter outlives it.
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

// The clients of one listening socket. Each listening socket has limits of its own.
struct Clients {
  enum class Of { exporter, control_socket };

  Clients(Of socket, std::size_t limit, std::uint64_t bytes)
      : name(socket == Of::exporter ? "the exporter address" : "the control socket"),
        of(socket),
        most(limit),
        body_bytes(bytes) {}

  // Closes the connection that has waited longest for its client. So clients that send nothing, or do not
  // read their answers, cannot keep a scrape or a health check out. False: no connection waits.
  bool make_room() {
    if (waiting.empty()) return false;
    waiting.front()->close();
    return true;
  }

  const char* const name;
  const Of of;
  const std::size_t most;          // most connections that may be open
  const std::uint64_t body_bytes;  // largest size of a request's body
  std::size_t open = 0;            // connections that are open
  Waits::Streams waiting;
};

}  // namespace driveshaft::admin
