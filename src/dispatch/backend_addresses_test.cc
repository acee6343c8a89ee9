// SPDX-License-Identifier: MIT
#include "dispatch/backend_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace driveshaft::dispatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<asio::ip::address> addresses(const std::vector<std::string>& texts) {
  std::vector<asio::ip::address> found;
  for (const auto& text : texts) found.push_back(asio::ip::make_address(text));
  return found;
}

// Each backend as text: "a b" for one with two addresses.
std::vector<std::string> backends(const std::vector<std::string>& found,
                                  std::optional<Family> avoided = std::nullopt) {
  std::vector<std::string> texts;
  for (const auto& backend : backends_of(addresses(found), avoided)) {
    std::string& text = texts.emplace_back();
    for (const auto& address : backend) text += (text.empty() ? "" : " ") + address.to_string();
  }
  return texts;
}

TEST(BackendAddresses, ANameWithoutAddressesIsNoBackend) { EXPECT_THAT(backends({}), IsEmpty()); }

TEST(BackendAddresses, EachAddressIsABackendInAnOrderThatStays) {
  EXPECT_THAT(backends({"10.0.0.2", "10.0.0.1"}), ElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_THAT(backends({"10.0.0.1", "10.0.0.2"}), ElementsAre("10.0.0.1", "10.0.0.2"));
}

TEST(BackendAddresses, OneAddressOfEachFamilyIsOneHost) {
  EXPECT_THAT(backends({"::1", "127.0.0.1"}), ElementsAre("::1 127.0.0.1"));
  EXPECT_THAT(backends({"127.0.0.1", "::1"}), ElementsAre("127.0.0.1 ::1"));
}

TEST(BackendAddresses, OfTwoFamiliesTheFirstChoiceOfTheSystemCounts) {
  EXPECT_THAT(backends({"fd00::2", "fd00::1", "10.0.0.1", "10.0.0.2"}), ElementsAre("fd00::1", "fd00::2"));
  EXPECT_THAT(backends({"10.0.0.1", "10.0.0.2", "fd00::1"}), ElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_THAT(backends({"fd00::1", "10.0.0.2", "10.0.0.1"}), ElementsAre("fd00::1 10.0.0.1 10.0.0.2"));
}

TEST(BackendAddresses, AFamilyThatIsAvoidedCountsOnlyWhereThereIsNoOther) {
  EXPECT_THAT(backends({"fd00::1", "fd00::2", "10.0.0.1", "10.0.0.2"}, Family::ipv6),
              ElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_THAT(backends({"fd00::1", "fd00::2"}, Family::ipv6), ElementsAre("fd00::1", "fd00::2"));
}

TEST(BackendAddresses, ThereAreNoMoreThanSixtyFour) {
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) many.push_back("10.0.0." + std::to_string(i));
  EXPECT_THAT(backends(many), SizeIs(kMostAddresses));
}

}  // namespace
}  // namespace driveshaft::dispatch
