// SPDX-License-Identifier: MIT
#include "dispatch/signer.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <atomic>

#include "text/base64.h"

namespace {

// How many more calls of OpenSSL succeed; the next one fails.
// Negative: all succeed. Atomic, because threads of other tests call OpenSSL, too.
std::atomic<int> calls_left = -1;

bool this_one_fails() { return calls_left >= 0 && calls_left-- == 0; }

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));  // NOLINT
}

}  // namespace

// These replace the functions of OpenSSL that compute signatures, in this program only.
extern "C" {
EVP_MAC* EVP_MAC_fetch(OSSL_LIB_CTX* library, const char* algorithm, const char* properties) {
  return this_one_fails() ? nullptr
                          : real<decltype(EVP_MAC_fetch)>("EVP_MAC_fetch")(library, algorithm, properties);
}
EVP_MAC_CTX* EVP_MAC_CTX_new(EVP_MAC* mac) {
  return this_one_fails() ? nullptr : real<decltype(EVP_MAC_CTX_new)>("EVP_MAC_CTX_new")(mac);
}
int EVP_MAC_init(EVP_MAC_CTX* context, const unsigned char* key, size_t size, const OSSL_PARAM parameters[]) {
  return this_one_fails() ? 0 : real<decltype(EVP_MAC_init)>("EVP_MAC_init")(context, key, size, parameters);
}
int EVP_MAC_update(EVP_MAC_CTX* context, const unsigned char* bytes, size_t size) {
  return this_one_fails() ? 0 : real<decltype(EVP_MAC_update)>("EVP_MAC_update")(context, bytes, size);
}
int EVP_MAC_final(EVP_MAC_CTX* context, unsigned char* out, size_t* size, size_t room) {
  return this_one_fails() ? 0 : real<decltype(EVP_MAC_final)>("EVP_MAC_final")(context, out, size, room);
}
int EVP_Digest(const void* bytes, size_t count, unsigned char* out, unsigned int* size, const EVP_MD* type,
               ENGINE* engine) {
  return this_one_fails() ? 0
                          : real<decltype(EVP_Digest)>("EVP_Digest")(bytes, count, out, size, type, engine);
}
}
// NOLINTEND(readability-identifier-naming)

namespace driveshaft::dispatch {
namespace {

using Time = std::chrono::system_clock::time_point;

// Test values of the reference implementations of the specification.
const text::Secret kKey(*text::from_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
constexpr std::string_view kId = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr std::chrono::seconds kTime{1614265330};
constexpr std::string_view kBody = R"({"test": 2432232314})";
constexpr std::string_view kSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
constexpr std::string_view kOtherSignature =
    "v1,+qNgyReIHqPuR060oMQ+nyzPsJZG+OFv/pI9RG/w4Ts=";  // with a key of 32 times 'k'
constexpr std::string_view kSignatureOfNothing = "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A=";

std::string lines(Signer& signer, std::string_view before, std::string_view workload,
                  std::string_view after) {
  std::string out;
  const auto done = signer.append_lines(out, kId, Time(kTime + std::chrono::milliseconds(999)),
                                        {"", std::string(before), workload, std::string(after)});
  return done ? out : done.error().message;
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

TEST(Signer, ASignatureDoesNotDependOnEarlierOnes) {
  Signer signer({kKey});
  EXPECT_EQ(lines(signer, "", "", ""), expected(kSignatureOfNothing));
  EXPECT_EQ(lines(signer, kBody, "", ""), expected(kSignature));
  EXPECT_EQ(lines(signer, "", "", ""), expected(kSignatureOfNothing));
}

TEST(Signer, TwoSecretsGiveTwoSignatures) {
  Signer signer({kKey, text::Secret(std::string(32, 'k'))});
  EXPECT_EQ(lines(signer, kBody, "", ""),
            expected(std::string(kSignature) + " " + std::string(kOtherSignature)));
}

// Each call of OpenSSL fails once. Signatures before and after that are right.
TEST(Signer, AFailureOfOpensslIsAnError) {
  for (int good = 0;; ++good) {
    ASSERT_LT(good, 100) << "it never runs out of calls";
    calls_left = good;
    Signer signer({kKey, text::Secret(std::string(32, 'k'))});
    const std::string first = lines(signer, kBody, "", "");
    const bool failed = calls_left < 0;
    calls_left = -1;
    if (!failed) break;
    EXPECT_THAT(first, ::testing::StartsWith("the request cannot be signed: OpenSSL does not compute"));
    const std::string second = lines(signer, kBody, "", "");
    constexpr int kCallsOfConstructor = 5;
    EXPECT_EQ(second, good < kCallsOfConstructor
                          ? first
                          : expected(std::string(kSignature) + " " + std::string(kOtherSignature)));
  }
}

TEST(WebhookId, AFailureOfOpensslIsAnError) {
  calls_left = 0;
  const auto failed = webhook_id("localhost:4730", {"Sum", "H:h:1", "u", "w"});
  calls_left = -1;
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, ::testing::StartsWith("the request cannot be signed"));
}

TEST(WebhookId, IsThatOfTheJobAlone) {
  const auto id = [](const char* server, const JobFields& fields) {
    return webhook_id(server, fields).value();
  };
  const JobFields job{"Sum", "H:h:1", "u", "w"};
  EXPECT_EQ(id("localhost:4730", job), "job_ebe2b9773b266b5fe48218532e02aafb");
  EXPECT_EQ(id("localhost:4730", {"Sum", "H:h:1", "u", "another"}), id("localhost:4730", job));
  EXPECT_NE(id("localhost:4731", job), id("localhost:4730", job));
  EXPECT_NE(id("localhost:4730", {"Sum2", "H:h:1", "u", ""}), id("localhost:4730", job));
  EXPECT_NE(id("localhost:4730", {"Sum", "H:h:2", "u", ""}), id("localhost:4730", job));
  EXPECT_NE(id("localhost:4730", {"Sum", "H:h:1", "v", ""}), id("localhost:4730", job));
  EXPECT_NE(id("localhost:4730", {"Sum", "H:h:", "1u", ""}), id("localhost:4730", job));
}

}  // namespace
}  // namespace driveshaft::dispatch
