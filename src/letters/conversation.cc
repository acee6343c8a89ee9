// SPDX-License-Identifier: MIT
#include "letters/conversation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "dispatch/dead_letter.h"
#include "gearman/read_buffers.h"

namespace driveshaft::letters {
namespace {

using base::Error;
using base::Result;
using boost::system::in_place_value;
using gearman::PacketType;
using net::kResult;

constexpr std::chrono::milliseconds kLeastTimeout{100};
constexpr std::size_t kMostText = 64 * 1024 * 1024;  // bytes of an answer

Error not_expected(PacketType type) {
  return {fmt::format("it answers with packet type {}, which is no answer to this question",
                      static_cast<std::uint32_t>(type))};
}

Error said(std::string_view body) { return {"it says " + gearman::describe_error(body)}; }

}  // namespace

Conversation::Conversation(net::Resolver& resolver, base::DeadlineWheel& deadlines,
                           const config::ServerConfig& server, std::chrono::milliseconds timeout)
    : deadlines_(deadlines),
      timeout_(timeout),
      dialer_(resolver, deadlines, server.address,
              server.tls ? std::make_shared<net::TlsClient>(*server.tls) : nullptr, timeout),
      stream_(resolver.loop()) {}

asio::awaitable<Result<net::Stream>> Conversation::dial() {
  if (closed_) co_return Error{"given up"};
  auto dialled = co_await dialer_.dial();
  if (!dialled) co_return Error{dialled.error().message};
  co_return Result<net::Stream>(in_place_value, std::move(*dialled));
}

asio::awaitable<Result<void>> Conversation::begin() {
  auto stream = co_await dial();
  if (!stream) co_return stream.error();
  stream_ = std::move(*stream);
  // A Perl Gearman::Server does not know this packet. It must not be used: it would lose the jobs that are
  // not completed when the connection ends.
  gearman::append_packet(out_, PacketType::get_status_unique, "driveshaft-letters");
  const auto answer = co_await ask(PacketType::status_res_unique);
  if (!answer) co_return answer.error();
  if (answer->type == PacketType::error) {
    co_return Error{
        fmt::format("this is no gearmand, and would lose its dead letters: {}", said(answer->body).message)};
  }
  co_return Result<void>();
}

asio::awaitable<Result<void>> Conversation::greet() {
  const auto began = base::Deadline::Clock::now();
  auto stream = co_await dial();
  if (!stream) co_return stream.error();
  stream_ = std::move(*stream);
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(base::Deadline::Clock::now() - began);
  timeout_ = std::max(timeout_ - took, kLeastTimeout);
  constexpr std::string_view kHello = "driveshaft";
  gearman::append_packet(out_, PacketType::echo_req, kHello);
  const auto answer = co_await ask(PacketType::echo_res);
  if (!answer) co_return answer.error();
  if (answer->type == PacketType::error) co_return said(answer->body);
  if (answer->body != kHello) co_return Error{"it sends back other bytes than it was sent"};
  co_return Result<void>();
}

asio::awaitable<Result<void>> Conversation::ask_as_text(std::string command,
                                                        std::function<bool(std::string_view)> is_last) {
  auto stream = co_await dial();
  if (!stream) co_return stream.error();
  if (const auto sent = co_await send(*stream, command); !sent) co_return sent.error();
  bool complete = false;
  gearman::LineReader lines;
  std::array<char, 16 * 1024> bytes;
  for (std::size_t left = kMostText; !complete;) {
    wait_for(*stream);
    const auto [error, size] = co_await stream->async_read_some(asio::buffer(bytes), kResult);
    deadline_.clear();
    if (error) co_return lost(error);
    if (size > left) co_return Error{fmt::format("its answer is longer than {} bytes", kMostText)};
    left -= size;
    lines.feed({bytes.data(), size}, [&](std::string_view line) { complete |= is_last(line); });
  }
  co_return Result<void>();
}

asio::awaitable<Result<Conversation::Counts>> Conversation::count(std::string_view function) {
  Counts counts;
  const auto read = co_await ask_as_text("status\n", [&](std::string_view line) {
    const auto queue = gearman::parse_status_line(line);
    if (queue && queue->function == function) counts = {queue->queued, queue->running};
    return line == ".";
  });
  if (!read) co_return read.error();
  co_return counts;
}

asio::awaitable<Result<unsigned>> Conversation::attempts() {
  constexpr unsigned kMost = 255;  // what --job-retries can be
  const std::string function = "driveshaft-letters-" + dispatch::new_unique();
  const auto job = co_await submit_background(function, function, "");
  if (!job) co_return job.error();
  if (!job->refused.empty()) co_return Error{"it does not take a job: " + job->refused};

  for (unsigned i = 0; i <= kMost; ++i) {
    if (i > 0) gearman::append_packet(out_, PacketType::cant_do, function);
    take_from(function);
    gearman::append_packet(out_, PacketType::grab_job);
  }
  unsigned handed_out = 0;
  for (unsigned i = 0; i <= kMost; ++i) {
    const auto answer = co_await ask(PacketType::job_assign, PacketType::no_job);
    if (!answer) co_return answer.error();
    if (answer->type == PacketType::job_assign) ++handed_out;
  }
  if (handed_out > kMost) complete(job->handle);
  if (const auto done = co_await give_back(function); !done) co_return done.error();
  // Without this command gearmand would list the function in its status for ever.
  const auto forgotten = co_await ask_as_text("drop function " + function + '\n', [](auto) { return true; });
  if (!forgotten) co_return forgotten.error();
  co_return handed_out > kMost ? 0 : handed_out;
}

void Conversation::take_from(std::string_view function) {
  gearman::append_packet(out_, PacketType::can_do, function);
}

asio::awaitable<Result<std::optional<Conversation::Job>>> Conversation::grab() {
  using Grabbed = std::optional<Job>;
  gearman::append_packet(out_, PacketType::grab_job);
  const auto answer = co_await ask(PacketType::job_assign, PacketType::no_job);
  if (!answer) co_return answer.error();
  if (answer->type == PacketType::error) co_return said(answer->body);
  if (answer->type == PacketType::no_job) co_return Grabbed();
  const auto job = gearman::parse_assignment(answer->type, answer->body);
  if (!job) co_return Error{job.error().message};
  co_return Grabbed(Job{std::string(job->handle), std::string(job->workload)});
}

void Conversation::complete(std::string_view handle) {
  gearman::append_packet(out_, PacketType::work_complete, handle, "");
}

asio::awaitable<Result<void>> Conversation::give_back(std::string_view function) {
  gearman::append_packet(out_, PacketType::cant_do, function);
  gearman::append_packet(out_, PacketType::echo_req, "done");
  const auto answer = co_await ask(PacketType::echo_res);
  if (!answer) co_return answer.error();
  if (answer->type == PacketType::error) co_return said(answer->body);
  co_return Result<void>();
}

asio::awaitable<Result<bool>> Conversation::has(std::string_view unique) {
  gearman::append_packet(out_, PacketType::get_status_unique, unique);
  const auto answer = co_await ask(PacketType::status_res_unique);
  if (!answer) co_return answer.error();
  if (answer->type == PacketType::error) co_return said(answer->body);
  // The answer's fields are separated by zero bytes: the unique, whether it is known, whether it runs, ….
  const auto end = answer->body.find('\0');
  if (end == std::string::npos || std::string_view(answer->body).substr(0, end) != unique) {
    co_return Error{"it answers for another unique than it was asked for"};
  }
  co_return std::string_view(answer->body).substr(end + 1).starts_with('1');
}

asio::awaitable<Result<Conversation::Submission>> Conversation::submit_background(std::string_view function,
                                                                                  std::string_view unique,
                                                                                  std::string_view workload) {
  gearman::append_packet(out_, PacketType::submit_job_bg, function, unique, workload);
  auto answer = co_await ask(PacketType::job_created);
  if (!answer) co_return answer.error();
  if (answer->type == PacketType::error) co_return Submission{"", gearman::describe_error(answer->body)};
  co_return Submission{std::move(answer->body), ""};
}

asio::awaitable<Result<void>> Conversation::send(net::Stream& stream, std::string& bytes) {
  if (closed_) co_return lost({});
  for (std::size_t sent = 0; sent < bytes.size();) {
    error_code error;
    sent += stream.write_some(asio::const_buffer(asio::buffer(bytes)) + sent, error);
    if (error == asio::error::would_block) {
      wait_for(stream);
      std::tie(error) = co_await stream.async_wait(kResult);
      deadline_.clear();
    }
    if (error) co_return lost(error);
  }
  bytes.clear();
  co_return Result<void>();
}

asio::awaitable<Result<Conversation::Answer>> Conversation::ask(PacketType expected, PacketType or_this) {
  if (const auto sent = co_await send(stream_, out_); !sent) co_return sent.error();
  while (true) {
    const auto packet = reader_.next();
    if (!packet) co_return Error{packet.error().message};
    if (*packet) {
      const auto& [type, body, storage] = **packet;
      if (type != PacketType::error && type != expected && type != or_this) co_return not_expected(type);
      co_return Answer{type, std::string(body)};
    }
    const auto room = gearman::to_asio(reader_.prepare());
    wait_for(stream_);
    const auto [error, size] = co_await stream_.async_read_some(room, kResult);
    deadline_.clear();
    if (error) co_return lost(error);
    reader_.commit(size);
  }
}

Error Conversation::lost(const error_code& error) const {
  return {fmt::format("connection lost: {}", closed_                     ? "given up"
                                             : too_late_                 ? "no answer in time"
                                             : error == asio::error::eof ? "closed by the server"
                                                                         : error.message())};
}

void Conversation::wait_for(net::Stream& stream) {
  waited_for_ = &stream;
  deadlines_.set(deadline_, timeout_);
}

void Conversation::too_late() {
  too_late_ = true;
  waited_for_->close();
}

void Conversation::close() {
  closed_ = true;
  dialer_.cancel();
  if (deadline_.is_set()) waited_for_->close();
}

}  // namespace driveshaft::letters
