// SPDX-License-Identifier: MIT
#include "daemon/channel.h"

#include <sys/socket.h>

#include <chrono>
#include <string_view>
#include <utility>

namespace driveshaft::daemon {

// The operations in progress keep the state alive.
struct Channel::State : std::enable_shared_from_this<State> {
  State(asio::io_context& loop, int descriptor, OnMessage message, OnEnd end)
      : socket(loop, asio::local::stream_protocol(), descriptor),
        on_message(std::move(message)),
        on_end(std::move(end)) {}

  void read();
  void write();

  asio::local::stream_protocol::socket socket;
  OnMessage on_message;
  OnEnd on_end;
  std::string received;             // the beginning of a line
  std::deque<std::string> to_send;  // the first line is being sent
  bool closed = false;
};

void Channel::State::read() {
  asio::async_read_until(
      socket, asio::dynamic_buffer(received), '\n',
      [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
        if (self->closed) return;
        if (error) {
          self->closed = true;
          return self->on_end();
        }
        const auto message = parse_line(std::string_view(self->received).substr(0, size - 1),
                                        std::chrono::steady_clock::now());
        self->received.erase(0, size);
        if (message) self->on_message(*message);
        if (!self->closed) self->read();
      });
}

void Channel::State::write() {
  asio::async_write(socket, asio::buffer(to_send.front()),
                    [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                      if (error || self->closed) return;
                      self->to_send.pop_front();
                      if (!self->to_send.empty()) self->write();
                    });
}

Channel::Channel(asio::io_context& loop, int descriptor, OnMessage on_message, OnEnd on_end)
    : state_(std::make_shared<State>(loop, descriptor, std::move(on_message), std::move(on_end))) {
  state_->read();
}

Channel::~Channel() { close(); }

void Channel::say(const Message& message) {
  if (state_->closed) return;
  state_->to_send.push_back(to_line(message, std::chrono::steady_clock::now()));
  if (state_->to_send.size() == 1) state_->write();
}

void Channel::close() {
  state_->closed = true;
  boost::system::error_code ignored;
  state_->socket.close(ignored);
}

void say_now(int descriptor, const Message& message) {
  const std::string line = to_line(message, std::chrono::steady_clock::now());
  [[maybe_unused]] const auto ignored = ::send(descriptor, line.data(), line.size(), MSG_NOSIGNAL);
}

}  // namespace driveshaft::daemon
