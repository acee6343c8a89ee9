// SPDX-License-Identifier: MIT
#include "dispatch/signer.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <charconv>
#include <stdexcept>

#include "base/base64.h"

namespace driveshaft::dispatch {
namespace {

constexpr std::size_t kDigestSize = 32;  // of SHA-256, bytes
constexpr std::size_t kIdBytes = 16;     // of a digest that an id shows

using Digest = std::array<unsigned char, kDigestSize>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void require(int done) {
  if (done != 1) throw std::runtime_error("OpenSSL cannot compute HMAC-SHA256");
}

}  // namespace

std::string webhook_id(std::string_view server, const JobFields& job) {
  constexpr char kHex[] = "0123456789abcdef";
  // None of them holds a zero byte: gearmand's packets have one between them, too.
  std::string all(server);
  for (const auto field : {job.function, job.handle, job.unique}) all.append(1, '\0').append(field);
  Digest digest;
  require(EVP_Digest(all.data(), all.size(), digest.data(), nullptr, EVP_sha256(), nullptr));
  std::string id = "job_";
  for (std::size_t i = 0; i < kIdBytes; ++i) id.append({kHex[digest[i] >> 4], kHex[digest[i] & 15]});
  return id;
}

void Signer::Free::operator()(evp_mac_ctx_st* context) const { EVP_MAC_CTX_free(context); }

Signer::Signer(const std::vector<std::string>& keys) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr),
                                                               EVP_MAC_free);
  char sha256[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
                                   OSSL_PARAM_construct_end()};
  for (const auto& key : keys) {
    auto& mac = macs_.emplace_back(EVP_MAC_CTX_new(hmac.get()));
    require(EVP_MAC_init(mac.get(), bytes_of(key), key.size(), parameters));
  }
}

Signer::~Signer() = default;

void Signer::append_lines(std::string& out, std::string_view id, std::chrono::system_clock::time_point now,
                          const RequestBody& body) {
  char digits[24];
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::string_view timestamp(digits, std::to_chars(digits, digits + sizeof digits, seconds).ptr);
  out.append("webhook-id: ").append(id).append("\r\nwebhook-timestamp: ").append(timestamp);
  out += "\r\nwebhook-signature:";
  for (const auto& mac : macs_) {
    require(EVP_MAC_init(mac.get(), nullptr, 0, nullptr));  // anew, with the key it has
    for (const std::string_view piece :
         {id, std::string_view("."), timestamp, std::string_view("."), std::string_view(body.before),
          body.workload, std::string_view(body.after)}) {
      require(EVP_MAC_update(mac.get(), bytes_of(piece), piece.size()));
    }
    Digest digest;
    std::size_t size = 0;
    require(EVP_MAC_final(mac.get(), digest.data(), &size, digest.size()));
    out.append(" v1,").append(base::base64({reinterpret_cast<const char*>(digest.data()), size}));
  }
  out += "\r\n";
}

}  // namespace driveshaft::dispatch
