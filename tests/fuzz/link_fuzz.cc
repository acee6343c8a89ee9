// SPDX-License-Identifier: MIT
// A whole session: a gearmand on loopback sends any bytes, in any pieces, to a Link that grabs and runs jobs,
// submits dead letters and leaves jobs unanswered, as a pool does. These must hold: each reserved slot is
// released, each job has one end, each submission has one answer, and no call follows link_closed(). The
// first byte is the size of the pieces, the second says what the pool does with its jobs.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/deadlines.h"
#include "gearman/link.h"
#include "log/log.h"
#include "net/asio.h"
#include "net/resolver.h"

namespace {

using namespace driveshaft;
using namespace std::chrono_literals;

constexpr int kSlots = 8;

void require(bool holds) {
  if (!holds) std::abort();
}

// A server that says what it is told to.
class Server {
 public:
  Server() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    require(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
            ::listen(listener_, 8) == 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const { return port_; }
  bool accept() {
    if (peer_ < 0) peer_ = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
    return peer_ >= 0;
  }
  void say(std::string_view bytes) const {
    char heard[4096];
    while (::recv(peer_, heard, sizeof heard, 0) > 0) {
    }
    if (::send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return;  // it has hung up
  }
  void hang_up() {
    if (peer_ >= 0) reset(std::exchange(peer_, -1));
  }
  // On a slow machine a link may have come back already: it would wait for a word here.
  void refuse_the_next() const {
    for (int next; (next = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) reset(next);
  }

 private:
  // Not a proper end: ports in TIME_WAIT would be used up in a minute.
  static void reset(int connection) {
    const linger at_once{1, 0};
    ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(connection);
  }

  int listener_;
  int peer_ = -1;
  std::uint16_t port_ = 0;
};

// What a pool does, in small.
class Owner final : public gearman::LinkOwner {
 public:
  explicit Owner(unsigned manners) : manners_(manners) {}

  bool job_assigned(gearman::Link& link, const gearman::Assignment& job, std::unique_ptr<char[]>) override {
    require(!closed_);
    require(!job.handle.empty() && !job.function.empty());
    --reserved_;
    if (job.function != "f") return false;
    jobs_.push_back({link.generation(), std::string(job.handle)});
    return true;
  }
  void no_job(gearman::Link&) override {
    require(!closed_);
    --reserved_;
  }
  void grabs_are_late(gearman::Link&) override { require(!closed_); }
  void connection_lost(gearman::Link&) override {
    require(!closed_);
    reserved_ = 0;
  }
  void turn_needed(gearman::Link&) override { require(!closed_); }
  void on_writable(gearman::Link&) override {}
  void input_begins() override { require(!closed_ && !std::exchange(in_input_, true)); }
  void input_ends() override { require(std::exchange(in_input_, false)); }
  void link_changed(bool connected) override { require(std::exchange(up_, connected) != connected); }
  void result_refused() override {}
  void link_closed(gearman::Link&) override { require(!std::exchange(closed_, true)); }

  // The end of a turn of the loop.
  void turn(gearman::Link& link) {
    if (closed_) return;
    for (auto& job : std::exchange(jobs_, {})) end(link, job);
    if (const int grabs = std::min(link.grabs_wanted(), kSlots - reserved_); grabs > 0) {
      reserved_ += grabs;
      link.grab(grabs);
    }
    if (link.wants_wake_grab()) {
      ++reserved_;
      link.wake_grab();
    }
    link.flush();
  }

  bool closed() const { return closed_; }
  void settle() const { require(closed_ && reserved_ == 0 && submitted_ == answered_ && !up_); }

 private:
  struct Job {
    std::uint64_t generation;
    std::string handle;
  };

  void end(gearman::Link& link, const Job& job) {
    const unsigned what = manners_ + count_++;
    if (what % 4 == 3) return link.leave_unanswered(job.generation);
    if (what % 4 == 2 && link.holds(job.generation)) {
      ++submitted_;
      const auto number =
          link.submit_background("dead", "u", job.handle, [this](gearman::Submitted, std::string_view) {
            require(!closed_);
            ++answered_;
          });
      if (what % 8 == 2) {
        link.forget_submission(number);
        --submitted_;
      }
    }
    const bool sent = link.send_result(
        job.generation, job.handle,
        what % 3 == 0 ? gearman::JobResult::complete : gearman::JobResult::warning_and_fail, "data");
    require(sent == link.holds(job.generation));
  }

  const unsigned manners_;
  unsigned count_ = 0;
  int reserved_ = 0;
  int submitted_ = 0;
  int answered_ = 0;
  bool up_ = false;
  bool in_input_ = false;
  bool closed_ = false;
  std::vector<Job> jobs_;
};

void turns(asio::io_context& loop, Owner& owner, gearman::Link& link) {
  for (int count = 0; count < 4; ++count) {
    loop.restart();
    if (loop.poll() == 0 && count > 0) return;
    owner.turn(link);
  }
}

// The kernel takes its time on a busy machine.
template <class Done>
void turns_until(Done done, asio::io_context& loop, Owner& owner, gearman::Link& link) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!done()) {
    require(std::chrono::steady_clock::now() < end);
    turns(loop, owner, link);
    std::this_thread::yield();
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  static const bool quiet = [] {
    log::log_to_console(log::Format::text, log::Level::error);
    return true;
  }();
  if (size < 2 || !quiet) return 0;
  const std::size_t step = std::size_t{data[0]} * 4 + 1;
  std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);

  asio::io_context loop(1);
  base::DeadlineWheel deadlines(loop);
  net::Resolver resolver(loop);
  gearman::Servers servers(deadlines);
  Owner owner(data[1]);
  const net::Address address{"127.0.0.1", server.port()};
  auto link = std::make_shared<gearman::Link>(
      resolver, deadlines, owner, gearman::Link::Settings{address, servers[address], "fuzz", {"f"}, 1h});
  server.refuse_the_next();
  link->start();
  turns_until([&] { return server.accept(); }, loop, owner, *link);
  for (int count = 0; count < 3; ++count) turns(loop, owner, *link);
  while (!stream.empty()) {
    server.say(stream.substr(0, step));
    stream.remove_prefix(std::min(step, stream.size()));
    turns(loop, owner, *link);
    if (data[1] == 0xff && stream.size() < 8) link->retire();
  }
  link->retire();
  turns(loop, owner, *link);
  if (data[1] % 2 == 0) {
    link->stop();
  } else {
    server.hang_up();
  }
  turns_until(
      [&] {
        server.refuse_the_next();
        return owner.closed();
      },
      loop, owner, *link);
  server.hang_up();
  owner.settle();
  link.reset();
  return 0;
}
