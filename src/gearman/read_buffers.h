// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include "gearman/packet.h"
#include "net/asio.h"

namespace driveshaft::gearman {

// The buffers of a PacketReader as Asio reads into them. packet.h itself does without Asio.
inline std::array<asio::mutable_buffer, 2> to_asio(const PacketReader::Buffers& room) {
  return {asio::buffer(room[0].data(), room[0].size()), asio::buffer(room[1].data(), room[1].size())};
}

}  // namespace driveshaft::gearman
