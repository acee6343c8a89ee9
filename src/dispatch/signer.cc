// SPDX-License-Identifier: MIT
#include "dispatch/signer.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <charconv>

#include "text/base64.h"

namespace driveshaft::dispatch {
namespace {

constexpr std::size_t kDigestSize = 32;  // SHA-256, in bytes
constexpr std::size_t kIdBytes = 16;     // bytes of the digest in an id

using Digest = std::array<unsigned char, kDigestSize>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

base::Error openssl_error() {
  const auto code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return {fmt::format("the request cannot be signed: OpenSSL does not compute HMAC-SHA256: {}",
                      reason ? reason : "it does not say why")};
}

}  // namespace

base::Result<std::string> webhook_id(std::string_view server, const JobFields& job) {
  constexpr char kHex[] = "0123456789abcdef";
  // None of the fields holds a zero byte, because zero bytes separate them in gearmand's packets.
  std::string all(server);
  for (const auto field : {job.function, job.handle, job.unique}) all.append(1, '\0').append(field);
  Digest digest;
  if (EVP_Digest(all.data(), all.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    return openssl_error();
  }
  std::string id = "job_";
  for (std::size_t i = 0; i < kIdBytes; ++i) id.append({kHex[digest[i] >> 4], kHex[digest[i] & 15]});
  return {boost::system::in_place_value, std::move(id)};
}

void Signer::Free::operator()(evp_mac_ctx_st* context) const { EVP_MAC_CTX_free(context); }

Signer::Signer(const std::vector<text::Secret>& keys) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr),
                                                               EVP_MAC_free);
  char sha256[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
                                   OSSL_PARAM_construct_end()};
  for (const auto& key : keys) {
    Mac mac(hmac ? EVP_MAC_CTX_new(hmac.get()) : nullptr);
    if (!mac || EVP_MAC_init(mac.get(), bytes_of(key.reveal()), key.reveal().size(), parameters) != 1) {
      unusable_ = openssl_error().message;
      return;
    }
    macs_.push_back(std::move(mac));
  }
}

Signer::~Signer() = default;

base::Result<void> Signer::append_lines(std::string& out, std::string_view id,
                                        std::chrono::system_clock::time_point now, const RequestBody& body) {
  if (!unusable_.empty()) return base::Error{unusable_};
  char digits[24];
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::string_view timestamp(digits, std::to_chars(digits, digits + sizeof digits, seconds).ptr);
  out.append("webhook-id: ").append(id).append("\r\nwebhook-timestamp: ").append(timestamp);
  out += "\r\nwebhook-signature:";
  for (const auto& mac : macs_) {
    if (auto done = append_signature(out, mac.get(), id, timestamp, body); !done) return done;
  }
  out += "\r\n";
  return {};
}

base::Result<void> Signer::append_signature(std::string& out, evp_mac_ctx_st* mac, std::string_view id,
                                            std::string_view timestamp, const RequestBody& body) {
  bool done = EVP_MAC_init(mac, nullptr, 0, nullptr) == 1;  // starts again, with the same key
  for (const std::string_view piece :
       {id, std::string_view("."), timestamp, std::string_view("."), std::string_view(body.before),
        body.workload, std::string_view(body.after)}) {
    done = done && EVP_MAC_update(mac, bytes_of(piece), piece.size()) == 1;
  }
  Digest digest;
  std::size_t size = 0;
  if (!done || EVP_MAC_final(mac, digest.data(), &size, digest.size()) != 1) return openssl_error();
  out.append(" v1,").append(text::base64({reinterpret_cast<const char*>(digest.data()), size}));
  return {};
}

}  // namespace driveshaft::dispatch
