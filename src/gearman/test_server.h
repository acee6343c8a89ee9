// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gearman/test_packets.h"
#include "net/address.h"
#include "net/asio.h"
#include "net/test_acceptor.h"

namespace driveshaft::gearman {

// For tests: a gearmand on the loopback, in the loop of the test. It has one queue, gives its jobs to the
// workers that grab, wakes those that sleep, and takes results. Jobs of a closed connection are queued again.
class TestServer {
 public:
  using Tcp = asio::ip::tcp;

  struct Job {
    std::string handle;
    std::string function;
    std::string workload;
    std::string unique = "u";
  };

  // One connection, as the server sees it.
  class Worker : public std::enable_shared_from_this<Worker> {
   public:
    Worker(TestServer& server, Tcp::socket socket) : server_(server), socket_(std::move(socket)) {}

    // The packets that have come, each as text.
    const std::vector<std::string>& said() const { return said_; }
    // How many packets begin with `text`.
    int count(std::string_view text) const {
      return static_cast<int>(
          std::count_if(said_.begin(), said_.end(), [&](const auto& one) { return one.starts_with(text); }));
    }
    bool asleep() const { return asleep_; }
    bool ended() const { return ended_; }
    int running() const { return static_cast<int>(running_.size()); }
    void send(std::string_view bytes) {
      boost::system::error_code ignored;
      asio::write(socket_, asio::buffer(bytes), ignored);
    }
    void close() {
      boost::system::error_code ignored;
      socket_.close(ignored);
      end();
    }
    // Stops reading until it is told to read again.
    void pause_reading() { reads_ = false; }
    void resume_reading() {
      if (!std::exchange(reads_, true)) read();
    }

   private:
    friend class TestServer;
    void read() {
      socket_.async_read_some(asio::buffer(room_),
                              [self = shared_from_this()](const auto& error, std::size_t bytes) {
                                if (error) return self->end();
                                self->received_.append(self->room_.data(), bytes);
                                for (const auto& packet : take_packets(self->received_)) self->handle(packet);
                                if (self->reads_) self->read();
                              });
    }
    void end() {
      if (std::exchange(ended_, true)) return;
      for (auto& job : std::exchange(running_, {})) server_.submit(std::move(job));
    }
    void handle(const WorkerPacket& packet) {
      said_.push_back(packet.text());
      switch (packet.type) {
        case PacketType::can_do:
          functions_.push_back(packet.arguments[0]);
          return;
        case PacketType::grab_job_uniq:
        case PacketType::grab_job:
          asleep_ = false;
          return grab();
        case PacketType::pre_sleep:
          asleep_ = next_job() == server_.queue.end();
          if (!asleep_) send(from_server(PacketType::noop));
          return;
        case PacketType::echo_req:
          return send(from_server(PacketType::echo_res, packet.arguments[0]));
        case PacketType::submit_job_bg:
          if (!server_.answers_submissions) return;
          return send(from_server(PacketType::job_created, "H:test:letter"));
        case PacketType::work_complete:
        case PacketType::work_fail:
        case PacketType::work_exception:
          return finish(packet);
        default:
          return;
      }
    }
    // The first of the functions that the worker has registered.
    std::deque<Job>::iterator next_job() {
      return std::find_if(server_.queue.begin(), server_.queue.end(), [this](const Job& job) {
        return std::find(functions_.begin(), functions_.end(), job.function) != functions_.end();
      });
    }
    void grab() {
      if (!server_.answers_grabs) return;
      const auto next = next_job();
      if (next == server_.queue.end()) return send(from_server(PacketType::no_job));
      running_.push_back(std::move(*next));
      server_.queue.erase(next);
      const Job& job = running_.back();
      send(job_packet(job.handle, job.function, job.workload, job.unique));
    }
    void finish(const WorkerPacket& packet) {
      const auto job = std::find_if(running_.begin(), running_.end(),
                                    [&](const Job& one) { return one.handle == packet.arguments[0]; });
      if (job == running_.end()) {
        send(from_server(PacketType::error, std::string("JOB_NOT_FOUND\0Job given", 23)));
        return;
      }
      running_.erase(job);
      server_.results.push_back(packet.text());
    }

    TestServer& server_;
    Tcp::socket socket_;
    std::array<char, 16 * 1024> room_;
    std::string received_;
    std::vector<std::string> said_;
    std::vector<std::string> functions_;
    std::vector<Job> running_;
    bool asleep_ = false;
    bool ended_ = false;
    bool reads_ = true;
  };

  explicit TestServer(asio::io_context& loop)
      : acceptor_(loop, [this](Tcp::socket socket) {
          workers.push_back(std::make_shared<Worker>(*this, std::move(socket)));
          workers.back()->read();
        }) {}
  ~TestServer() {
    acceptor_.stop();
    for (const auto& worker : workers) worker->socket_.close();
  }

  net::Address address() const { return {"127.0.0.1", acceptor_.port()}; }

  void submit(Job job) {
    queue.push_back(std::move(job));
    for (const auto& worker : workers) {
      if (worker->asleep_ && !worker->ended_) worker->send(from_server(PacketType::noop));
    }
  }
  // Connections that are open.
  int connections() const {
    return static_cast<int>(
        std::count_if(workers.begin(), workers.end(), [](const auto& worker) { return !worker->ended(); }));
  }

  std::vector<std::shared_ptr<Worker>> workers;  // in the order in which they came
  std::deque<Job> queue;
  std::vector<std::string> results;  // the terminal packets of jobs, each as text
  bool answers_grabs = true;
  bool answers_submissions = true;

 private:
  net::TestAcceptor acceptor_;
};

}  // namespace driveshaft::gearman
