// SPDX-License-Identifier: MIT
#include "net/address.h"

#include <gtest/gtest.h>

namespace driveshaft::net {
namespace {

std::string normal(std::string_view text) {
  const auto address = parse_address(text, 4730);
  return address ? to_string(*address) : address.error().message;
}

std::string reason(std::string_view text) {
  const auto address = parse_address(text, 4730);
  if (address) return "parsed as " + to_string(*address);
  const std::string start = "expected host, host:port or [IPv6]:port, got \"" + std::string(text) + "\": ";
  const auto& message = address.error().message;
  return message.starts_with(start) ? message.substr(start.size()) : message;
}

TEST(Address, ReadsNamesAndLiterals) {
  EXPECT_EQ(parse_address("localhost", 4730).value(), (Address{"localhost", 4730}));
  EXPECT_EQ(parse_address("gearman-1.example:4731", 4730).value(), (Address{"gearman-1.example", 4731}));
  EXPECT_EQ(parse_address("10.0.0.1:1", 4730).value(), (Address{"10.0.0.1", 1}));
  EXPECT_EQ(parse_address("my_host:65535", 4730).value(), (Address{"my_host", 65535}));
  EXPECT_EQ(parse_address("[::1]", 4730).value(), (Address{"::1", 4730}));
  EXPECT_EQ(parse_address("[2001:db8::2]:80", 4730).value(), (Address{"2001:db8::2", 80}));
  EXPECT_EQ(parse_address("2001:db8::2", 4730).value(), (Address{"2001:db8::2", 4730}));
  EXPECT_EQ(parse_address("[fe80::1%eth0]:99", 4730).value(), (Address{"fe80::1%eth0", 99}));
}

TEST(Address, OneSpellingForOneAddress) {
  EXPECT_EQ(normal("LocalHost:4730"), "localhost:4730");
  EXPECT_EQ(normal("[0:0:0:0:0:0:0:1]"), "[::1]:4730");
  EXPECT_EQ(normal("2001:DB8::A"), "[2001:db8::a]:4730");
  EXPECT_EQ(normal("host:04730"), "host:4730");
}

TEST(Address, SaysWhatIsWrong) {
  EXPECT_EQ(
      normal("host:0"),
      "expected host, host:port or [IPv6]:port, got \"host:0\": the port must be a whole number from 1 to "
      "65535");
  const std::string port = "the port must be a whole number from 1 to 65535";
  EXPECT_EQ(reason("host:65536"), port);
  EXPECT_EQ(reason("host:99999999999999999999"), port);
  EXPECT_EQ(reason("host:"), port);
  EXPECT_EQ(reason("host:80x"), port);
  EXPECT_EQ(reason("host:-1"), port);
  EXPECT_EQ(reason("host:+1"), port);
  EXPECT_EQ(reason("host: 80"), port);
  EXPECT_EQ(reason("[::1]:"), port);
  EXPECT_EQ(reason(""), "the host is empty");
  EXPECT_EQ(reason(":4730"), "the host is empty");
  EXPECT_EQ(reason("a b"), "' ' cannot stand in a host name");
  EXPECT_EQ(reason("localhost/"), "'/' cannot stand in a host name");
  EXPECT_EQ(reason("http://localhost"), "leave out the scheme: this is a host and a port alone");
  EXPECT_EQ(reason("a:1,b:2"), "one address alone: write each of several as a string of its own");
  EXPECT_EQ(normal("u:hunter2@h:4730").find("hunter2"), std::string::npos);
  EXPECT_EQ(reason("b\xc3\xbc"
                   "cher.example"),
            "write an international host name in its ASCII form (xn--…)");
  EXPECT_EQ(reason("[::1"), "the closing ']' is missing");
  EXPECT_EQ(reason("[::1]4730"), "only ':' and a port may follow ']'");
  EXPECT_EQ(reason("[localhost]:4730"), "\"localhost\" is not an IPv6 address");
  EXPECT_EQ(reason("[]"), "\"\" is not an IPv6 address");
  EXPECT_EQ(reason("[::1%]"), "\"::1%\" is not an IPv6 address");
  EXPECT_EQ(reason("a:b:c"), "\"a:b:c\" is not an IPv6 address; with a port it is written [address]:port");
  EXPECT_TRUE(normal(std::string(254, 'a')).ends_with(": a host has at most 253 characters"));
}

TEST(Address, AnIpAddressIsToldFromAName) {
  EXPECT_TRUE(is_ip_address("127.0.0.1"));
  EXPECT_TRUE(is_ip_address("::1"));
  EXPECT_TRUE(is_ip_address("fe80::1%lo"));
  EXPECT_FALSE(is_ip_address("localhost"));
  EXPECT_FALSE(is_ip_address("127.0.0.1.example"));
  EXPECT_FALSE(is_ip_address("127.1")) << "getaddrinfo() would take it, so it is looked up";
  EXPECT_FALSE(is_ip_address(""));
}

TEST(Address, ControlCharactersAreShownEscaped) {
  EXPECT_EQ(
      normal("a\r\nb"),
      "expected host, host:port or [IPv6]:port, got \"a\\x0d\\x0ab\": '\\x0d' cannot stand in a host name");
  EXPECT_EQ(
      normal(std::string_view("[::1\0]", 6)),
      "expected host, host:port or [IPv6]:port, got \"[::1\\x00]\": \"::1\\x00\" is not an IPv6 address");
}

}  // namespace
}  // namespace driveshaft::net
