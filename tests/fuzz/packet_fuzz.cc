// SPDX-License-Identifier: MIT
// The server's byte stream: any bytes, in any pieces, give packets or one error. The first byte is the size
// of the pieces.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "gearman/packet.h"

namespace {

using namespace driveshaft::gearman;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_assignment(PacketType type, std::string_view body) {
  const auto job = parse_assignment(type, body);
  if (!job) return;
  const auto inside = [&](std::string_view view) {
    return view.data() >= body.data() && view.data() + view.size() <= body.data() + body.size();
  };
  require(inside(job->handle) && inside(job->function) && inside(job->workload));
  require(type == PacketType::job_assign ? job->unique.empty() : inside(job->unique));
  require(!job->handle.empty() && !job->function.empty());
  require(job->workload.data() + job->workload.size() == body.data() + body.size());
}

// The packets one behind the other, written as text; an error ends it.
std::string read_all(std::string_view stream, std::size_t step) {
  PacketReader reader;
  std::string packets;
  while (!stream.empty()) {
    std::size_t fed = 0;
    for (const auto room : reader.prepare()) {
      const std::size_t part = std::min({room.size(), stream.size() - fed, step - fed});
      std::copy_n(stream.data() + fed, part, room.data());
      fed += part;
    }
    require(fed > 0);
    reader.commit(fed);
    stream.remove_prefix(fed);
    while (true) {
      auto packet = reader.next();
      if (!packet) return packets + "error";
      if (!*packet) break;
      packets += std::to_string(static_cast<unsigned>((*packet)->type)) + ":";
      packets += (*packet)->body;
      if (is_assignment((*packet)->type)) check_assignment((*packet)->type, (*packet)->body);
      if ((*packet)->type == PacketType::error) describe_error((*packet)->body);
    }
  }
  return packets;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(read_all(stream, std::size_t{data[0]} + 1) == read_all(stream, std::size_t{1} << 20));
  return 0;
}
