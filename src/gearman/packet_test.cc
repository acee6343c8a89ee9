// SPDX-License-Identifier: MIT
#include "gearman/packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace driveshaft::gearman {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

std::string response(std::uint32_t type, std::string_view body) {
  std::string bytes = "\0RES"s;
  for (const auto number : {type, static_cast<std::uint32_t>(body.size())}) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  }
  return bytes.append(body);
}

// Feeds as many bytes as the reader has room for, at most `step` at once.
std::size_t feed(PacketReader& reader, std::string_view bytes, std::size_t step = std::string::npos) {
  std::size_t fed = 0;
  for (const auto room : reader.prepare()) {
    const std::size_t part = std::min({room.size(), bytes.size() - fed, step - fed});
    std::copy_n(bytes.data() + fed, part, room.data());
    fed += part;
  }
  reader.commit(fed);
  return fed;
}

// All packets of a stream that comes `step` bytes at a time, as "type:body"; an error ends it as "error: …".
std::vector<std::string> read_all(std::string_view bytes, std::size_t step) {
  PacketReader reader;
  std::vector<std::string> packets;
  while (!bytes.empty()) {
    bytes.remove_prefix(feed(reader, bytes, step));
    while (true) {
      auto packet = reader.next();
      if (!packet) {
        packets.push_back("error: " + packet.error().message);
        return packets;
      }
      if (!*packet) break;
      packets.push_back(std::to_string(static_cast<unsigned>((*packet)->type)) + ":" +
                        std::string((*packet)->body));
    }
  }
  return packets;
}

TEST(PacketReader, CutsAStreamHoweverTheBytesCome) {
  const std::string big(100'000, 'w');
  const std::string stream = response(6, "") + response(31, "H:a:1\0f\0u\0"s + big) + response(10, "") +
                             response(31, "H:a:2\0f\0u\0x"s) + response(11, "H:a:3\0f\0"s + big) +
                             response(17, "ping");
  const std::vector<std::string> expected{
      "6:", "31:H:a:1\0f\0u\0"s + big, "10:", "31:H:a:2\0f\0u\0x"s, "11:H:a:3\0f\0"s + big, "17:ping"};
  for (const std::size_t step : {1UL, 7UL, 12UL, 4096UL, 1'000'000UL})
    EXPECT_EQ(read_all(stream, step), expected);
}

TEST(PacketReader, OnlyABigBodyHasStorageOfItsOwn) {
  PacketReader reader;
  const std::string big = response(31, std::string(kBigBody * 4, 'x'));
  std::string_view rest = big;
  while (!rest.empty()) {
    rest.remove_prefix(feed(reader, rest));
    auto packet = reader.next();
    ASSERT_TRUE(packet);
    if (!*packet) continue;
    ASSERT_TRUE((*packet)->storage);
    EXPECT_EQ((*packet)->body.data(), (*packet)->storage.get());
  }
  feed(reader, response(31, "small"));
  auto packet = reader.next();
  ASSERT_TRUE(packet && *packet);
  EXPECT_FALSE((*packet)->storage);
  EXPECT_EQ((*packet)->body, "small");
}

TEST(PacketReader, RefusesPacketsThatNoServerSends) {
  EXPECT_THAT(read_all("HTTP/1.1 400 Bad Request", 99),
              testing::ElementsAre(
                  "error: not a gearmand: expected the four bytes \\0RES of a response, got \"HTTP\""));
  EXPECT_THAT(read_all("\0REQ\0\0\0\x06\0\0\0\0"s, 99), testing::ElementsAre(HasSubstr("got \"\\x00REQ\"")));
  EXPECT_THAT(read_all(response(18, "a background job"), 99),
              testing::ElementsAre("error: a worker cannot be sent packet type 18"));
  EXPECT_THAT(read_all(response(4'000'000'000, ""), 99),
              testing::ElementsAre(HasSubstr("packet type 4000000000")));
  EXPECT_THAT(read_all(response(6, "x"), 99),
              testing::ElementsAre("error: packet type 6 claims 1 bytes; at most 0 are possible"));
  EXPECT_THAT(
      read_all("\0RES\0\0\0\x1f\xff\xff\xff\xff"s, 99),
      testing::ElementsAre("error: packet type 31 claims 4294967295 bytes; at most 536870912 are possible"));
}

TEST(PacketReader, RecognisesATlsAlert) {
  PacketReader reader;
  const std::string alert = "\x15\x03\x01\0\x02\x02\x46"s;
  std::copy(alert.begin(), alert.end(), reader.prepare()[0].begin());
  reader.commit(alert.size());
  const auto packet = reader.next();
  ASSERT_FALSE(packet);
  EXPECT_EQ(packet.error().message, "it answers with TLS: its entry in gearman_servers_list needs tls");
}

TEST(Assignment, HasFourFieldsAndAWorkloadOfAnyBytes) {
  const std::string body = "H:a:1\0func\0uniq\0work\0load"s;
  const auto job = parse_assignment(PacketType::job_assign_uniq, body);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->handle, "H:a:1");
  EXPECT_EQ(job->function, "func");
  EXPECT_EQ(job->unique, "uniq");
  EXPECT_EQ(job->workload, "work\0load"s);
  EXPECT_FALSE(job->unique_was_cut);
}

TEST(Assignment, MayHaveAnEmptyUniqueAndWorkload) {
  const std::string body = "H:a:1\0func\0\0"s;
  const auto job = parse_assignment(PacketType::job_assign_uniq, body);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->unique, "");
  EXPECT_EQ(job->workload, "");
}

TEST(Assignment, RepairsTheWorkloadOfAUniqueOf64Bytes) {
  const std::string hex63(63, 'a');
  std::string body = "H:a:1\0f\0"s + hex63 + "\0\0load"s;
  auto job = parse_assignment(PacketType::job_assign_uniq, body);
  ASSERT_TRUE(job);
  EXPECT_TRUE(job->unique_was_cut);
  EXPECT_EQ(job->workload, "load");

  body = "H:a:1\0f\0"s + std::string(63, 'z') + "\0\0load"s;  // not hexadecimal: not certain
  job = parse_assignment(PacketType::job_assign_uniq, body);
  ASSERT_TRUE(job);
  EXPECT_FALSE(job->unique_was_cut);
  EXPECT_EQ(job->workload, "\0load"s);

  body = "H:a:1\0f\0"s + hex63 + "\0load"s;  // really 63 digits
  job = parse_assignment(PacketType::job_assign_uniq, body);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->workload, "load");
}

TEST(Assignment, RefusesMissingFields) {
  for (const auto& body : {""s, "H:a:1"s, "H:a:1\0f"s, "H:a:1\0f\0u"s, "\0f\0u\0w"s, "H:a:1\0\0u\0w"s}) {
    EXPECT_FALSE(parse_assignment(PacketType::job_assign_uniq, body)) << testing::PrintToString(body);
  }
}

TEST(Assignment, OfJobAssignHasThreeFields) {
  const std::string body = "H:a:1\0func\0work\0load"s;
  const auto job = parse_assignment(PacketType::job_assign, body);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->handle, "H:a:1");
  EXPECT_EQ(job->function, "func");
  EXPECT_EQ(job->unique, "");
  EXPECT_EQ(job->unique.data(), job->bytes.data()) << "it lies in the bytes, as the others do";
  EXPECT_EQ(job->workload, "work\0load"s);
  for (const auto& broken : {""s, "H:a:1"s, "H:a:1\0f"s, "\0f\0w"s, "H:a:1\0\0w"s}) {
    EXPECT_FALSE(parse_assignment(PacketType::job_assign, broken)) << testing::PrintToString(broken);
  }
}

TEST(Append, WritesHeaderArgumentsAndData) {
  std::string out;
  append_packet(out, PacketType::pre_sleep);
  append_packet(out, PacketType::can_do, "f");
  append_packet(out, PacketType::work_complete, "H:a:1", "re\0sult"s);
  EXPECT_EQ(out, "\0REQ\0\0\0\x04\0\0\0\0\0REQ\0\0\0\x01\0\0\0\x01"s + "f" +
                     "\0REQ\0\0\0\x0d\0\0\0\x0dH:a:1\0re\0sult"s);
}

TEST(JobUnknown, IsRecognisedFromBothServers) {
  EXPECT_TRUE(is_job_unknown("JOB_NOT_FOUND\0Job given in work result not found"s));
  EXPECT_TRUE(is_job_unknown("not_worker\0"s));
  EXPECT_FALSE(is_job_unknown("server_error\0not_worker"s));
  EXPECT_FALSE(is_job_unknown(""));
}

TEST(DescribeError, IsSafeToLog) {
  EXPECT_EQ(describe_error("JOB_NOT_FOUND\0Job given in work result not found"s),
            "JOB_NOT_FOUND: Job given in work result not found");
  EXPECT_EQ(describe_error("bare\n"), "bare\\x0a");
}

}  // namespace
}  // namespace driveshaft::gearman
