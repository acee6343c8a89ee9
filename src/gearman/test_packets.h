// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gearman/packet.h"

// For tests: packets as a gearmand sends and reads them.
namespace driveshaft::gearman {

inline std::string from_server(PacketType type, std::string_view body = {}) {
  std::string packet;
  append_packet(packet, type, body);
  packet[3] = 'S';  // the magic of a response is \0RES
  return packet;
}

inline std::string job_packet(std::string_view handle = "H:a:1", std::string_view function = "f",
                              std::string_view workload = "work", std::string_view unique = "u") {
  std::string body;
  for (const auto field : {handle, function, unique}) body.append(field).append(1, '\0');
  return from_server(PacketType::job_assign_uniq, body.append(workload));
}

inline std::string_view name_of(PacketType type) {
  switch (type) {
    case PacketType::can_do:
      return "CAN_DO";
    case PacketType::pre_sleep:
      return "PRE_SLEEP";
    case PacketType::work_status:
      return "WORK_STATUS";
    case PacketType::work_complete:
      return "WORK_COMPLETE";
    case PacketType::work_fail:
      return "WORK_FAIL";
    case PacketType::echo_req:
      return "ECHO_REQ";
    case PacketType::submit_job_bg:
      return "SUBMIT_JOB_BG";
    case PacketType::set_client_id:
      return "SET_CLIENT_ID";
    case PacketType::work_exception:
      return "WORK_EXCEPTION";
    case PacketType::work_data:
      return "WORK_DATA";
    case PacketType::work_warning:
      return "WORK_WARNING";
    case PacketType::grab_job_uniq:
      return "GRAB_JOB_UNIQ";
    case PacketType::grab_job:
      return "GRAB_JOB";
    default:
      return "?";
  }
}

// A packet that a worker has sent.
struct WorkerPacket {
  PacketType type;
  std::vector<std::string> arguments;

  std::string text() const {
    std::string text(name_of(type));
    for (const auto& argument : arguments) text += " " + argument;
    return text;
  }
};

// Removes the whole packets from the front of `bytes`.
inline std::vector<WorkerPacket> take_packets(std::string& bytes) {
  std::vector<WorkerPacket> packets;
  std::size_t at = 0;
  const auto u32 = [&](std::size_t from) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + from + i]);
    return value;
  };
  while (bytes.size() >= at + 12 && bytes.size() >= at + 12 + u32(8)) {
    const std::size_t size = u32(8);
    WorkerPacket packet{static_cast<PacketType>(u32(4)), {}};
    std::string body = bytes.substr(at + 12, size);
    for (auto end = body.find('\0'); end != body.npos; end = body.find('\0')) {
      packet.arguments.push_back(body.substr(0, end));
      body.erase(0, end + 1);
    }
    if (size > 0) packet.arguments.push_back(body);
    packets.push_back(std::move(packet));
    at += 12 + size;
  }
  bytes.erase(0, at);
  return packets;
}

// The texts of the packets in `bytes`, which becomes empty.
inline std::vector<std::string> said(std::string& bytes) {
  std::vector<std::string> texts;
  for (const auto& packet : take_packets(bytes)) texts.push_back(packet.text());
  return texts;
}

}  // namespace driveshaft::gearman
