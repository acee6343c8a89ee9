// SPDX-License-Identifier: MIT
#include "dispatch/signer.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace driveshaft::dispatch {
namespace {

using Time = std::chrono::system_clock::time_point;

// Those of the specification's own implementations.
const std::string kKey = *base::from_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
constexpr std::string_view kId = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr std::chrono::seconds kTime{1614265330};
constexpr std::string_view kBody = R"({"test": 2432232314})";
constexpr std::string_view kSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
constexpr std::string_view kOtherSignature =
    "v1,+qNgyReIHqPuR060oMQ+nyzPsJZG+OFv/pI9RG/w4Ts=";  // of 32 times 'k'
constexpr std::string_view kSignatureOfNothing = "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A=";

std::string lines(Signer& signer, std::string_view before, std::string_view workload,
                  std::string_view after) {
  std::string out;
  signer.append_lines(out, kId, Time(kTime + std::chrono::milliseconds(999)),
                      {"", std::string(before), workload, std::string(after)});
  return out;
}

std::string expected(std::string_view signatures) {
  return "webhook-id: " + std::string(kId) +
         "\r\nwebhook-timestamp: 1614265330\r\nwebhook-signature: " + std::string(signatures) + "\r\n";
}

TEST(Signer, SignsAsTheSpecificationHasItHoweverTheBodyIsCut) {
  Signer signer({kKey});
  EXPECT_EQ(lines(signer, kBody, "", ""), expected(kSignature));
  EXPECT_EQ(lines(signer, "", kBody, ""), expected(kSignature));
  for (std::size_t cut = 0; cut < kBody.size(); ++cut) {
    EXPECT_EQ(
        lines(signer, kBody.substr(0, cut / 2), kBody.substr(cut / 2, cut - cut / 2), kBody.substr(cut)),
        expected(kSignature));
  }
}

TEST(Signer, OneSignatureDoesNotDependOnThoseBefore) {
  Signer signer({kKey});
  EXPECT_EQ(lines(signer, "", "", ""), expected(kSignatureOfNothing));
  EXPECT_EQ(lines(signer, kBody, "", ""), expected(kSignature));
  EXPECT_EQ(lines(signer, "", "", ""), expected(kSignatureOfNothing));
}

TEST(Signer, TwoSecretsGiveTwoSignatures) {
  Signer signer({kKey, std::string(32, 'k')});
  EXPECT_EQ(lines(signer, kBody, "", ""),
            expected(std::string(kSignature) + " " + std::string(kOtherSignature)));
}

TEST(WebhookId, IsThatOfTheJobAlone) {
  const JobFields job{"Sum", "H:h:1", "u", "w"};
  EXPECT_EQ(webhook_id("localhost:4730", job), "job_ebe2b9773b266b5fe48218532e02aafb");
  EXPECT_EQ(webhook_id("localhost:4730", {"Sum", "H:h:1", "u", "another"}),
            webhook_id("localhost:4730", job));
  EXPECT_NE(webhook_id("localhost:4731", job), webhook_id("localhost:4730", job));
  EXPECT_NE(webhook_id("localhost:4730", {"Sum2", "H:h:1", "u", ""}), webhook_id("localhost:4730", job));
  EXPECT_NE(webhook_id("localhost:4730", {"Sum", "H:h:2", "u", ""}), webhook_id("localhost:4730", job));
  EXPECT_NE(webhook_id("localhost:4730", {"Sum", "H:h:1", "v", ""}), webhook_id("localhost:4730", job));
  EXPECT_NE(webhook_id("localhost:4730", {"Sum", "H:h:", "1u", ""}), webhook_id("localhost:4730", job));
}

}  // namespace
}  // namespace driveshaft::dispatch
