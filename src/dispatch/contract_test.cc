// SPDX-License-Identifier: MIT
#include "dispatch/contract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "text/base64.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::string_literals;
using config::RequestFormat;
using testing::HasSubstr;
using testing::StartsWith;

std::string text(const RequestBody& body) { return body.before + std::string(body.workload) + body.after; }

std::string encoded(RequestFormat format, std::string_view workload) {
  RequestBody body;
  encode(format, {"Sum", "H:host:6", "57a7b604", workload}, body);
  EXPECT_EQ(body.size(), text(body).size());
  return text(body);
}

std::string all_bytes() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

TEST(Json, IsTheDocumentedObject) {
  EXPECT_EQ(encoded(RequestFormat::json, "[1,2]"),
            R"({"function_name":"Sum","job_handle":"H:host:6","unique":"57a7b604","workload":"[1,2]"})");
}

TEST(Json, APlainWorkloadIsNotCopied) {
  const std::string workload(100'000, 'w');
  RequestBody body;
  encode(RequestFormat::json, {"f", "h", "u", workload}, body);
  EXPECT_EQ(body.workload.data(), workload.data());
  EXPECT_EQ(body.workload.size(), workload.size());
}

TEST(Json, ASpecialByteOfAWorkloadIsEncodedWhereverItStands) {
  for (int value = 0; value < 256; ++value) {
    const auto byte = static_cast<char>(value);
    const bool plain = value >= 0x20 && value < 0x80 && byte != '"' && byte != '\\';
    for (const std::size_t at : {0UL, 31UL, 1023UL, 1024UL, 2047UL, 2048UL, 2099UL}) {
      std::string workload(2100, 'w');
      workload[at] = byte;
      RequestBody body;
      encode(RequestFormat::json, {"f", "h", "u", workload}, body);
      ASSERT_EQ(!body.workload.empty(), plain) << "byte " << value << " at " << at;
      const auto object = boost::json::parse(text(body)).as_object();
      ASSERT_EQ(object.contains("workload_encoding"), value >= 0x80);
      ASSERT_EQ(object.at("workload").as_string(), value < 0x80 ? workload : text::base64(workload));
    }
  }
}

TEST(Json, EscapesWhatMustBeEscapedAndKeepsUtf8) {
  const std::string workload = "a\"b\\c\nd\re\tf\0g\x1f"s + "ü€𝄞";
  const std::string body = encoded(RequestFormat::json, workload);
  EXPECT_THAT(body, HasSubstr("\"workload\":\"a\\\"b\\\\c\\nd\\re\\tf\\u0000g\\u001fü€𝄞\"}"));
  EXPECT_EQ(boost::json::parse(body).at("workload").as_string(), workload);
}

TEST(Json, AWorkloadThatIsNotUtf8GoesAsBase64) {
  EXPECT_THAT(encoded(RequestFormat::json, "\xff\x00\x01"s),
              testing::EndsWith(R"("workload":"/wAB","workload_encoding":"base64"})"));
  const auto object = boost::json::parse(encoded(RequestFormat::json, all_bytes())).as_object();
  EXPECT_EQ(object.at("workload_encoding").as_string(), "base64");
}

TEST(Json, AnEmptyWorkloadIsAnEmptyString) {
  EXPECT_THAT(encoded(RequestFormat::json, ""), testing::EndsWith(R"("workload":""})"));
}

TEST(Json, AUniqueThatIsNotUtf8StaysReadable) {
  RequestBody body;
  encode(RequestFormat::json,
         {"f", "h",
          "a\xff"
          "b\"c",
          "w"},
         body);
  EXPECT_EQ(text(body), R"({"function_name":"f","job_handle":"h","unique":"a)"
                        "\xEF\xBF\xBD"
                        R"(b\"c","workload":"w"})");
}

TEST(Json, AReusedBodyKeepsNothingOfTheLastJob) {
  RequestBody body;
  encode(RequestFormat::multipart, {"f", "h", "u", "first"}, body);
  encode(RequestFormat::json, {"f", "h", "u", "\x01"}, body);
  encode(RequestFormat::json, {"f", "h", "u", "x"}, body);
  EXPECT_EQ(text(body), R"({"function_name":"f","job_handle":"h","unique":"u","workload":"x"})");
  EXPECT_EQ(body.content_type, "application/json");
}

TEST(Multipart, HasFourPartsWithUnchangedBytes) {
  const std::string workload = all_bytes();
  RequestBody body;
  encode(RequestFormat::multipart, {"Sum", "H:host:6", "57a7b604", workload}, body);
  const std::string_view prefix = "multipart/form-data; boundary=";
  ASSERT_THAT(std::string(body.content_type), StartsWith(std::string(prefix)));
  const std::string boundary = "--" + std::string(body.content_type.substr(prefix.size()));
  const auto part = [&](const std::string& name, const std::string& value) {
    return boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
  };
  EXPECT_EQ(text(body), part("function_name", "Sum") + part("job_handle", "H:host:6") +
                            part("unique", "57a7b604") + part("workload", workload) + boundary + "--\r\n");
}

TEST(Multipart, NoFieldCanHoldTheBoundary) {
  RequestBody body;
  encode(RequestFormat::multipart, {"f", "h", "u", "w"}, body);
  const std::string seen = body.content_type;
  const std::string boundary = seen.substr(seen.find('=') + 1);
  for (const std::string& forged : {"--" + boundary + "--\r\n", boundary}) {
    encode(RequestFormat::multipart, {"f", "h", "u", forged}, body);
    EXPECT_NE(body.content_type, seen);
    encode(RequestFormat::multipart, {"f", "h", forged, "w"}, body);
    EXPECT_NE(body.content_type, seen);
  }
}

TEST(Urlencoded, EscapesEveryByteThatIsNotUnreserved) {
  EXPECT_EQ(encoded(RequestFormat::urlencoded, "a b&c=d+e/\0\xff~"s),
            "function_name=Sum&job_handle=H%3Ahost%3A6&unique=57a7b604&workload=a+b%26c%3Dd%2Be%2F%00%FF~");
}

}  // namespace
}  // namespace driveshaft::dispatch
