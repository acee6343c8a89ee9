// SPDX-License-Identifier: MIT
#include <benchmark/benchmark.h>

#include <string>

#include "dispatch/answer_decoder.h"
#include "dispatch/contract.h"
#include "dispatch/stream_decoder.h"

namespace driveshaft::dispatch {
namespace {

enum Bytes { text, quoted, binary };

std::string workload(std::size_t size, Bytes bytes) {
  std::string result(size, 'w');
  for (std::size_t i = 0; i < size; i += 10) {
    if (bytes == quoted) result[i] = '"';
    if (bytes == binary) result[i] = '\xff';
  }
  return result;
}

template <config::RequestFormat kFormat, Bytes kBytes>
void encode_request(benchmark::State& state) {
  const std::string bytes = workload(static_cast<std::size_t>(state.range(0)), kBytes);
  RequestBody body;
  for (auto _ : state) {
    encode(kFormat, {"Sum", "H:gearman-1:12345", "57a7b604-659a-11e5-9442-04013e647701", bytes}, body);
    benchmark::DoNotOptimize(body.before.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
using Format = config::RequestFormat;
BENCHMARK(encode_request<Format::json, text>)->Arg(100)->Arg(100'000);
BENCHMARK(encode_request<Format::json, quoted>)->Arg(100)->Arg(100'000);
BENCHMARK(encode_request<Format::json, binary>)->Arg(100)->Arg(100'000);
BENCHMARK(encode_request<Format::multipart, text>)->Arg(100)->Arg(100'000);
BENCHMARK(encode_request<Format::urlencoded, text>)->Arg(100)->Arg(100'000);

void decode_answer(benchmark::State& state) {
  const std::string body = R"({"gearman_ret":0,"response_string":")" +
                           std::string(static_cast<std::size_t>(state.range(0)), 'r') + "\"}";
  AnswerDecoder decoder;
  for (auto _ : state) benchmark::DoNotOptimize(decoder.decode(200, body));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(decode_answer)->Arg(1)->Arg(100)->Arg(100'000);

struct Nobody final : StreamDecoder::Sink {
  void status(std::uint32_t, std::uint32_t) override {}
  void data(std::string_view) override {}
  void warning(std::string_view) override {}
};

void decode_streamed_line(benchmark::State& state) {
  const std::string line =
      R"({"data":")" + std::string(static_cast<std::size_t>(state.range(0)), 'd') + "\"}\n";
  StreamDecoder decoder(1 << 20);
  Nobody nobody;
  for (auto _ : state) benchmark::DoNotOptimize(decoder.feed(line, nobody).has_value());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(line.size()));
}
BENCHMARK(decode_streamed_line)->Arg(10)->Arg(10'000);

}  // namespace
}  // namespace driveshaft::dispatch
