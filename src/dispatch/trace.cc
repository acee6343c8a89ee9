// SPDX-License-Identifier: MIT
#include "dispatch/trace.h"

#include <array>
#include <cstring>
#include <random>

namespace driveshaft::dispatch {
namespace {

std::uint64_t random_word() {
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return random();
}

std::uint64_t random_id() {
  std::uint64_t id = 0;
  while (id == 0) id = random_word();
  return id;
}

// The two hexadecimal digits of each byte from 0 to 255.
constexpr std::array<char, 512> kDigits = [] {
  constexpr char kHex[] = "0123456789abcdef";
  std::array<char, 512> digits{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    digits[2 * byte] = kHex[byte >> 4];
    digits[2 * byte + 1] = kHex[byte & 15];
  }
  return digits;
}();

void append_hex(std::string& out, std::uint64_t word) {
  char digits[16];
  for (int i = 14; i >= 0; i -= 2, word >>= 8) std::memcpy(digits + i, &kDigits[2 * (word & 255)], 2);
  out.append(digits, sizeof digits);
}

}  // namespace

Trace new_trace(double sampling) {
  constexpr std::uint64_t kWhole = std::uint64_t{1} << 56;
  Trace trace{random_id(), random_id(), false};
  trace.sampled = static_cast<double>(trace.low % kWhole) < sampling * static_cast<double>(kWhole);
  return trace;
}

std::uint64_t new_span() { return random_id(); }

void append_trace_id(std::string& out, const Trace& trace) {
  append_hex(out, trace.high);
  append_hex(out, trace.low);
}

void append_traceparent(std::string& out, const Trace& trace, std::uint64_t span) {
  out += "00-";
  append_trace_id(out, trace);
  out += '-';
  append_hex(out, span);
  out += trace.sampled ? "-01" : "-00";
}

}  // namespace driveshaft::dispatch
