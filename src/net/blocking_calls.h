// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "base/blocked_signals.h"
#include "net/asio.h"

namespace driveshaft::net {

// Calls that may block for long, away from the loop: the system's resolver, and looks at files, whose file
// system may be one of the network that hangs. Each call has a thread of its own, so that one that hangs
// holds up no other, nor the loop, nor the exit. On the loop's thread.
class BlockingCalls {
 public:
  // How other threads reach the loop, for as long as there are these calls. It outlives them in the last
  // thread.
  class Mailbox {
   public:
    explicit Mailbox(asio::io_context& loop) : loop_(&loop) {}

    // Calls `handler` from the loop, unless the BlockingCalls are gone by then. Any thread.
    template <class Handler>
    void post(const std::shared_ptr<Mailbox>& self, Handler handler) {
      const std::lock_guard lock(mutex_);
      if (!loop_) return;
      asio::post(*loop_, [self, handler = std::move(handler)]() mutable {
        if (self->loop_) handler();
      });
    }
    void close() {
      const std::lock_guard lock(mutex_);
      loop_ = nullptr;
    }

   private:
    std::mutex mutex_;
    asio::io_context* loop_;  // null when it is closed; written on the loop's thread, with the mutex held
  };

  explicit BlockingCalls(asio::io_context& loop) : loop_(loop), mailbox_(std::make_shared<Mailbox>(loop)) {}
  BlockingCalls(const BlockingCalls&) = delete;
  // Calls under way end by themselves. Their `done` is not called any more.
  ~BlockingCalls() { mailbox_->close(); }

  asio::io_context& loop() const { return loop_; }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

  // Runs `call` in a thread of that name (15 characters at most), and then `done` with its result, from the
  // loop and not from within. What `call` throws is thrown there instead. Throws std::system_error where no
  // thread can be had.
  template <class Call, class Done>
  void run(const char* name, Call call, Done done) {
    start(name, [mailbox = mailbox_, call = std::move(call), done = std::move(done)]() mutable {
      std::promise<decltype(call())> result;
      try {
        result.set_value(call());
      } catch (...) {
        result.set_exception(std::current_exception());
      }
      mailbox->post(mailbox,
                    [result = result.get_future(), done = std::move(done)]() mutable { done(result.get()); });
    });
  }

  void post(std::function<void()> handler) { mailbox_->post(mailbox_, std::move(handler)); }

 private:
  template <class Work>
  static void start(const char* name, Work work) {
    const base::BlockedSignals blocked;
    std::thread([name, work = std::move(work)]() mutable {
      ::pthread_setname_np(::pthread_self(), name);
      work();
    }).detach();
  }

  asio::io_context& loop_;
  const std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace driveshaft::net
