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

// Runs calls that may block for long outside the loop: calls of the system's resolver, and reads of files,
// which may lie on a network file system that hangs. Each call has a thread of its own. So a call that hangs
// delays neither another call, nor the loop, nor the exit. Used on the loop's thread.
class BlockingCalls {
 public:
  // Other threads post to the loop through it, until the BlockingCalls are destroyed. Each of these threads
  // keeps it alive.
  class Mailbox {
   public:
    explicit Mailbox(asio::io_context& loop) : loop_(&loop) {}

    // Has the loop call `handler`, unless the BlockingCalls are destroyed before. Any thread.
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
  // Calls in progress go on in their threads. Their `done` is not called any more.
  ~BlockingCalls() { mailbox_->close(); }

  asio::io_context& loop() const { return loop_; }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

  // Runs `call` in a new thread of that name (at most 15 characters). Then the loop calls `done` with the
  // result, never from within run(). An exception of `call` is thrown in the loop instead. Throws
  // std::system_error if no thread can be started.
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
