// SPDX-License-Identifier: MIT
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "gearman/grabber.h"
#include "gearman/packet.h"

namespace driveshaft::gearman {
namespace {

// What gearmand sends for a job with a workload of that size.
std::string assignment(std::size_t size) {
  const std::string body = std::string("H:gearman-1:12345\0f\0", 20) +
                           "57a7b604-659a-11e5-9442-04013e647701" + std::string(1, '\0') +
                           std::string(size, 'w');
  std::string packet("\0RES\0\0\0\x1f", 8);
  for (int shift = 24; shift >= 0; shift -= 8) packet += static_cast<char>(body.size() >> shift);
  return packet + body;
}

// A stream of jobs, in reads as large as the reader wants them.
void read_jobs(benchmark::State& state) {
  const std::string packet = assignment(static_cast<std::size_t>(state.range(0)));
  PacketReader reader;
  std::size_t sent = 0;
  for (auto _ : state) {
    for (bool whole = false; !whole;) {
      auto next = reader.next();
      whole = next && *next;
      if (whole) benchmark::DoNotOptimize(parse_assignment((**next).type, (**next).body));
      if (whole) break;
      std::size_t filled = 0;
      for (const auto room : reader.prepare()) {
        for (std::size_t at = 0; at < room.size();) {
          const std::size_t count = std::min(room.size() - at, packet.size() - sent);
          std::memcpy(room.data() + at, packet.data() + sent, count);
          at += count;
          filled += count;
          sent = (sent + count) % packet.size();
        }
      }
      reader.commit(filled);
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(packet.size()));
}
BENCHMARK(read_jobs)->Arg(0)->Arg(100)->Arg(10'000)->Arg(100'000);

void write_results(benchmark::State& state) {
  const std::string result(static_cast<std::size_t>(state.range(0)), 'r');
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_packet(out, PacketType::work_complete, "H:gearman-1:12345", result);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(write_results)->Arg(1)->Arg(10'000);

// One job alone: the connection is woken, grabs the job, gets NO_JOB for the next grab, and sleeps.
void wake_grab_and_sleep(benchmark::State& state) {
  Grabber grabber(std::chrono::seconds(5));
  const auto now = Grabber::Clock::now();
  auto at = now;
  for (auto _ : state) {
    at += std::chrono::seconds(1);
    grabber.wake();
    grabber.granted(grabber.grabs_wanted());
    bool good = grabber.on_job();
    grabber.granted(grabber.grabs_wanted());
    while (grabber.outstanding() > 0) benchmark::DoNotOptimize(grabber.on_no_job(at));
    good = good && grabber.on_noop(at + std::chrono::seconds(1));
    benchmark::DoNotOptimize(good);
  }
}
BENCHMARK(wake_grab_and_sleep);

}  // namespace
}  // namespace driveshaft::gearman
