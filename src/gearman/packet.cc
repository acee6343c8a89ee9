// SPDX-License-Identifier: MIT
#include "gearman/packet.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "text/printable.h"

namespace driveshaft::gearman {
namespace {

constexpr std::size_t kBufferSize = 32 * 1024;
constexpr std::size_t kReadAheadOfBig = 4 * 1024;
constexpr std::size_t kHeaderSize = 12;
constexpr std::string_view kResponseMagic{"\0RES", 4};
// How a TLS server refuses plain text: with an alert, of any version, which is shorter than a packet header.
constexpr std::string_view kTlsAlert{"\x15\x03", 2};
constexpr std::string_view kRequestMagic{"\0REQ", 4};
// An ERROR and the echo of our own packet are small. A server that sends more is not a gearmand.
constexpr std::size_t kMaxSmallBody = 16 * 1024;
constexpr std::size_t kCutUniqueSize = 63;

std::uint32_t read_u32(const char* at) {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return std::endian::native == std::endian::little ? __builtin_bswap32(value) : value;
}

void append_u32(std::string& out, std::uint32_t value) {
  if (std::endian::native == std::endian::little) value = __builtin_bswap32(value);
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}

void append_header(std::string& out, PacketType type, std::size_t size) {
  out.append(kRequestMagic);
  append_u32(out, static_cast<std::uint32_t>(type));
  append_u32(out, static_cast<std::uint32_t>(size));
}

// The largest body of a type that Driveshaft may be sent; nothing for other types.
std::optional<std::size_t> largest_body(std::uint32_t type) {
  switch (static_cast<PacketType>(type)) {
    case PacketType::noop:
    case PacketType::no_job:
      return 0;
    case PacketType::job_created:
    case PacketType::echo_res:
    case PacketType::error:
    case PacketType::status_res_unique:
      return kMaxSmallBody;
    case PacketType::job_assign:
    case PacketType::job_assign_uniq:
      return kMaxBody;
    default:
      return std::nullopt;
  }
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

}  // namespace

PacketReader::PacketReader() : buffer_(std::make_unique_for_overwrite<char[]>(kBufferSize)) {}

PacketReader::Buffers PacketReader::prepare() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0) {
    std::memmove(&buffer_[0], &buffer_[begin_], available());
    end_ -= begin_;
    begin_ = 0;
  }
  const std::size_t limit = expect_big_ && end_ < kReadAheadOfBig ? kReadAheadOfBig : kBufferSize;
  const std::span<char> rest(&buffer_[end_], limit - end_);
  if (!big_) return {rest, std::span<char>()};
  return {std::span<char>(&big_[big_filled_], big_size_ - big_filled_), rest};
}

void PacketReader::commit(std::size_t bytes) {
  if (big_) {
    const std::size_t into_big = std::min(bytes, big_size_ - big_filled_);
    big_filled_ += into_big;
    bytes -= into_big;
  }
  end_ += bytes;
}

base::Result<PacketReader::Header, LinkError> PacketReader::read_header() const {
  const char* at = &buffer_[begin_];
  if (std::string_view(at, kResponseMagic.size()) != kResponseMagic) {
    return LinkError{fmt::format("not a gearmand: expected the four bytes \\0RES of a response, got \"{}\"",
                                 text::printable({at, kResponseMagic.size()}, kResponseMagic.size()))};
  }
  const std::uint32_t type = read_u32(at + 4);
  const std::size_t size = read_u32(at + 8);
  const auto largest = largest_body(type);
  if (!largest) return LinkError{fmt::format("a worker cannot be sent packet type {}", type)};
  if (size > *largest) {
    return LinkError{
        fmt::format("packet type {} claims {} bytes; at most {} are possible", type, size, *largest)};
  }
  return Header{static_cast<PacketType>(type), size};
}

base::Result<std::optional<Packet>, LinkError> PacketReader::next() {
  if (big_) {
    if (big_filled_ < big_size_) return std::nullopt;
    const std::string_view body(big_.get(), big_size_);
    return Packet{big_type_, body, std::move(big_)};
  }
  if (std::string_view(&buffer_[begin_], available()).starts_with(kTlsAlert)) {
    return LinkError{"it answers with TLS: its entry in gearman_servers_list needs tls"};
  }
  if (available() < kHeaderSize) return std::nullopt;
  auto header = read_header();
  if (!header) return header.error();

  if (available() >= kHeaderSize + header->size) {
    const std::string_view body(&buffer_[begin_ + kHeaderSize], header->size);
    if (is_assignment(header->type)) expect_big_ = header->size > kBigBody;
    begin_ += kHeaderSize + header->size;
    return Packet{header->type, body, nullptr};
  }
  if (header->size > kBigBody) {
    expect_big_ = true;
    // The memory is not touched before bytes come. So a false size costs address space, but no memory.
    big_.reset(new (std::nothrow) char[header->size]);
    if (!big_) return LinkError{fmt::format("there is no memory for its packet of {} bytes", header->size)};
    big_type_ = header->type;
    big_size_ = header->size;
    begin_ += kHeaderSize;
    big_filled_ = available();
    std::memcpy(big_.get(), &buffer_[begin_], big_filled_);
    begin_ = end_ = 0;
  }
  return std::nullopt;
}

base::Result<Assignment, LinkError> parse_assignment(PacketType type, std::string_view body) {
  Assignment job;
  job.bytes = body;
  job.unique = body.substr(0, 0);
  std::string_view rest = body;
  std::string_view* const fields[] = {&job.handle, &job.function, &job.unique};
  const bool with_unique = type == PacketType::job_assign_uniq;
  for (std::string_view* field : std::span(fields).first(with_unique ? 3 : 2)) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) {
      return LinkError{fmt::format("a job without its handle{}, each ended by a zero byte",
                                   with_unique ? ", function and unique" : " and function")};
    }
    *field = rest.substr(0, end);
    rest.remove_prefix(end + 1);
  }
  if (job.handle.empty() || job.function.empty()) return LinkError{"a job without a handle or a function"};
  job.workload = rest;
  if (job.unique.size() == kCutUniqueSize && rest.starts_with('\0') && is_hex(job.unique)) {
    job.workload.remove_prefix(1);
    job.unique_was_cut = true;
  }
  return job;
}

bool is_job_unknown(std::string_view body) {
  const auto code = body.substr(0, body.find('\0'));
  return code == "JOB_NOT_FOUND" || code == "not_worker";
}

std::string describe_error(std::string_view body) {
  const std::size_t end = body.find('\0');
  std::string text = text::printable(body.substr(0, end), 64);
  if (end != std::string_view::npos) text += ": " + text::printable(body.substr(end + 1), 256);
  return text;
}

// reserve() comes first: without memory nothing is appended, rather than a part of a packet.
void append_packet(std::string& out, PacketType type) {
  out.reserve(out.size() + kHeaderSize);
  append_header(out, type, 0);
}

void append_packet(std::string& out, PacketType type, std::string_view argument) {
  out.reserve(out.size() + kHeaderSize + argument.size());
  append_header(out, type, argument.size());
  out.append(argument);
}

void append_packet(std::string& out, PacketType type, std::string_view argument, std::string_view data) {
  const std::size_t size = argument.size() + 1 + data.size();
  out.reserve(out.size() + kHeaderSize + size);
  append_header(out, type, size);
  out.append(argument).push_back('\0');
  out.append(data);
}

void append_packet(std::string& out, PacketType type, std::string_view first, std::string_view second,
                   std::string_view data) {
  const std::size_t size = first.size() + 1 + second.size() + 1 + data.size();
  out.reserve(out.size() + kHeaderSize + size);
  append_header(out, type, size);
  out.append(first).push_back('\0');
  out.append(second).push_back('\0');
  out.append(data);
}

}  // namespace driveshaft::gearman
