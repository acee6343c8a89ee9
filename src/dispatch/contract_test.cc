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

class Decode : public testing::Test {
 protected:
  AnswerDecoder decoder;
  std::string error(std::string_view body, unsigned status = 200) {
    const auto answer = decoder.decode(status, body);
    EXPECT_FALSE(answer) << body;
    return answer ? "" : answer.error().message;
  }
};

TEST_F(Decode, Success) {
  for (const unsigned status : {200U, 201U, 299U}) {
    const auto answer = decoder.decode(status, R"({"gearman_ret": 0, "response_string": "3", "more": [{}]})");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->gearman_ret, 0U);
    EXPECT_EQ(answer->response_string, "3");
  }
}

TEST_F(Decode, FailureWithItsText) {
  const auto answer = decoder.decode(200, R"({"response_string":"out of stock","gearman_ret":4294967295})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->gearman_ret, 4294967295U);
  EXPECT_EQ(answer->response_string, "out of stock");
}

TEST_F(Decode, AFailureMayHaveNoText) {
  const auto answer = decoder.decode(200, R"({"gearman_ret":1})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->gearman_ret, 1U);
  EXPECT_EQ(answer->response_string, "");
}

TEST_F(Decode, ResponsesOfAnyBytesAndSize) {
  auto answer = decoder.decode(200, R"({"gearman_ret":0,"response_string":"a\u0000b\u00fc)"
                                    "\xff"
                                    R"("})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response_string, "a\0bü\xff"s);
  const std::string big(3'000'000, 'r');
  answer = decoder.decode(200, R"({"gearman_ret":0.0,"response_string":")" + big + "\"}");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response_string, big);
  answer = decoder.decode(200, R"({"gearman_ret":0,"response_string":""})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response_string, "");
}

TEST_F(Decode, OnlyFieldsOfTheObjectItselfCountAndTheLaterOfTwo) {
  const auto answer = decoder.decode(
      200,
      R"({"response_string":["no"],"gearman_ret":1,"a":{"gearman_ret":2,"response_string":"in"},"b":[3,"x"],)"
      R"("gearman_ret_":4,"response_string_and_more":"no","response_strin":"no","":5,)"
      R"("response\u005fstring":"yes","gearman_ret":0,"c":"no"})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->gearman_ret, 0U);
  EXPECT_EQ(answer->response_string, "yes");
  EXPECT_THAT(error(R"([{"gearman_ret":0,"response_string":"x"}])"), StartsWith("JSON, but not an object"));
  EXPECT_THAT(error(R"({"gearman_ret":0,"response_string":"x","response_string":null})"),
              StartsWith("response_string is not a string"));
}

TEST_F(Decode, CompressionThatNobodyAskedForIsNamed) {
  EXPECT_THAT(error("\x1f\x8b\x08rest"), StartsWith("compressed with gzip, which was not asked for"));
}

TEST_F(Decode, ManyLongAnswers) {
  const std::string text(10'000, 'r');
  for (int count = 0; count < 200; ++count) {
    const auto answer = decoder.decode(200, R"({"gearman_ret":0,"response_string":")" + text + "\"}");
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->response_string, text);
  }
}

TEST_F(Decode, AnyOtherStatusIsAFailureThatShowsTheBody) {
  EXPECT_EQ(error("<h1>Oops</h1>", 500), "the endpoint answered HTTP status 500: \"<h1>Oops</h1>\"");
  EXPECT_EQ(error("<html><head><title>502 Bad Gateway</title></head>", 502),
            "the endpoint answered HTTP status 502: an HTML page, \"502 Bad Gateway\"");
  EXPECT_THAT(error(R"({"gearman_ret":0,"response_string":"x"})", 302), HasSubstr("HTTP status 302"));
  EXPECT_EQ(decoder.decode(404, "").error().kind, NotAnAnswer::Kind::http_status);
}

TEST_F(Decode, AnEmptyAnswerIsAKindOfItsOwn) {
  const auto empty = decoder.decode(200, "").error();
  EXPECT_EQ(empty.kind, NotAnAnswer::Kind::empty);
  EXPECT_THAT(empty.message, StartsWith("the answer is empty; the endpoint must answer {\"gearman_ret\""));
  EXPECT_EQ(decoder.decode(200, " ").error().kind, NotAnAnswer::Kind::invalid);
}

TEST_F(Decode, AnAnswerOutsideTheContractSaysWhatIsWrong) {
  EXPECT_THAT(error(" "), StartsWith("not JSON (incomplete JSON"));
  EXPECT_THAT(error("", 204), StartsWith("not JSON (incomplete JSON"));
  EXPECT_THAT(error("PHP Fatal error: …"),
              AllOf(StartsWith("not JSON (syntax error"), HasSubstr("answered \"Fatal error: …\"")));
  EXPECT_THAT(error(R"({"gearman_ret":0,"response_string":"x"}<br>)"), StartsWith("not JSON (extra data"));
  EXPECT_THAT(error("[0]"), StartsWith("JSON, but not an object"));
  EXPECT_THAT(error(R"({"response_string":"x"})"), StartsWith("gearman_ret is missing"));
  EXPECT_THAT(error(R"({"gearman_ret":0})"), StartsWith("response_string is missing"));
  for (const auto* ret :
       {"-1", "\"0\"", "0.5", "4294967296", "null", "true", "1e99", "18446744073709551615"}) {
    EXPECT_THAT(error(R"({"gearman_ret":)" + std::string(ret) + R"(,"response_string":"x"})"),
                StartsWith("gearman_ret is not a whole number"));
  }
  for (const auto* response : {"3", "null", "[\"x\"]", "{}"}) {
    EXPECT_THAT(error(R"({"gearman_ret":0,"response_string":)" + std::string(response) + "}"),
                StartsWith("response_string is not a string"));
  }
  EXPECT_THAT(error(std::string(5000, '[')), StartsWith("not JSON (too deep"));
  EXPECT_THAT(error(std::string(1000, 'x')), HasSubstr("… (1000 bytes)"));
}

}  // namespace
}  // namespace driveshaft::dispatch
