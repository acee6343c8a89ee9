// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

// The binary packets between a worker and gearmand, as bytes. Pure: no sockets, no clock.
// Source of the facts: gearmand's PROTOCOL file.
namespace driveshaft::gearman {

// Why one connection cannot be used any more. It is closed, and a new one is opened.
struct LinkError {
  std::string message;
};

// The types that Driveshaft sends and receives: as a worker, and for background jobs as a client.
enum class PacketType : std::uint32_t {
  can_do = 1,
  cant_do = 2,
  pre_sleep = 4,
  noop = 6,
  job_created = 8,
  grab_job = 9,
  no_job = 10,
  job_assign = 11,
  work_status = 12,
  work_complete = 13,
  work_fail = 14,
  echo_req = 16,
  echo_res = 17,
  submit_job_bg = 18,
  error = 19,
  set_client_id = 22,
  work_exception = 25,
  work_data = 28,
  work_warning = 29,
  grab_job_uniq = 30,
  job_assign_uniq = 31,
  get_status_unique = 41,
  status_res_unique = 42,
};

// The largest body that is accepted from a server. A larger claimed size closes the connection.
inline constexpr std::size_t kMaxBody = 512 * 1024 * 1024;
// A larger body is read straight into memory of its own, which the receiver may keep.
inline constexpr std::size_t kBigBody = 16 * 1024;

// One packet from the server.
struct Packet {
  PacketType type;
  std::string_view body;            // valid until the next prepare() of the reader, or as long as `storage`
  std::unique_ptr<char[]> storage;  // of a big body: `body` is in it, and it may be moved away
};

// Cuts the byte stream from the server into packets: prepare(), read into the buffers, commit(), then next()
// until there is no packet. Memory: one buffer of 32 KiB, and the body of a big packet while it is read.
class PacketReader {
 public:
  using Buffers = std::array<std::span<char>, 2>;

  PacketReader();

  // The buffers for the next bytes of the stream, in order. The first is never empty.
  Buffers prepare();
  void commit(std::size_t bytes);

  // The next whole packet; nothing if more bytes are needed. After an error the stream cannot be used any
  // more.
  base::Result<std::optional<Packet>, LinkError> next();

 private:
  struct Header {
    PacketType type;
    std::size_t size;
  };
  base::Result<Header, LinkError> read_header() const;
  std::size_t available() const { return end_ - begin_; }

  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;

  // While big packets follow each other, less is read ahead, because the beginning of the next packet has to
  // be copied.
  bool expect_big_ = false;

  // The big packet that is being read, if there is one.
  std::unique_ptr<char[]> big_;
  PacketType big_type_{};
  std::size_t big_size_ = 0;
  std::size_t big_filled_ = 0;
};

// A job as the server assigns it: views into the body of the packet.
struct Assignment {
  std::string_view bytes;  // the body of the packet; the other views are into it
  std::string_view handle;
  std::string_view function;
  std::string_view unique;  // empty for JOB_ASSIGN, which has no unique
  std::string_view workload;
  bool unique_was_cut = false;  // of a unique of 64 bytes the first 63 came; see parse_assignment()
};

// Whether a packet of this type assigns a job.
constexpr bool is_assignment(PacketType type) {
  return type == PacketType::job_assign_uniq || type == PacketType::job_assign;
}

// Reads the body of such a packet; JOB_ASSIGN has no unique. gearmand cuts a unique of exactly 64 bytes to 63
// bytes, and puts a zero byte before the workload. Where this is certain (63 hexadecimal digits, then a zero
// byte), the zero byte is removed.
base::Result<Assignment, LinkError> parse_assignment(PacketType type, std::string_view body);

// Whether an ERROR packet says that a result or status was sent for a job that does not belong to this
// connection. gearmand and the Perl Gearman::Server have different error codes for this.
bool is_job_unknown(std::string_view body);

// `CODE: text` from the body of an ERROR packet, safe to log.
std::string describe_error(std::string_view body);

// Each appends one packet to `out`. Without memory it throws std::bad_alloc and appends nothing.
void append_packet(std::string& out, PacketType type);
void append_packet(std::string& out, PacketType type, std::string_view argument);
void append_packet(std::string& out, PacketType type, std::string_view argument, std::string_view data);
void append_packet(std::string& out, PacketType type, std::string_view first, std::string_view second,
                   std::string_view data);

}  // namespace driveshaft::gearman
