// SPDX-License-Identifier: MIT
#include "net/tls.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/asio.h"
#include "net/tls_test_files.h"

namespace driveshaft::net {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

struct TlsTest : ::testing::Test {
  base::TestDir dir;
  OwnCertificate one = make_certificate(dir, "one");
  OwnCertificate other = make_certificate(dir, "other");

  static std::string error(const TlsSettings& settings) {
    const auto checked = check_tls(settings);
    EXPECT_EQ(ERR_peek_error(), 0u) << "nothing is left for the next call to find";
    return checked ? "" : checked.error().message;
  }
};

TEST_F(TlsTest, FilesThatBelongTogetherAreAccepted) {
  EXPECT_EQ(error({}), "");
  EXPECT_EQ(error({one.certificate_file, other.certificate_file, other.key_file, "", true}), "");
}

TEST_F(TlsTest, FilesThatCannotBeUsedAreNamedWithTheirKeyAndReason) {
  const std::string missing = dir / "missing";
  const std::string garbage = dir.write("garbage", "no PEM");
  const std::string empty = dir.write("empty", "");
  EXPECT_EQ(error({missing, "", "", "", true}),
            "ca_file " + missing + ": cannot be read: No such file or directory");
  EXPECT_EQ(error({"/", "", "", "", true}), "ca_file /: cannot be read: Is a directory");
  for (const auto& file : {garbage, empty}) {
    EXPECT_THAT(error({file, "", "", "", true}),
                HasSubstr("ca_file " + file + ": expected certificates in PEM"));
    EXPECT_THAT(error({"", file, one.key_file, "", true}),
                HasSubstr("certificate_file " + file + ": expected a certificate in PEM"));
    EXPECT_THAT(error({"", one.certificate_file, file, "", true}),
                HasSubstr("key_file " + file + ": expected a private key in PEM"));
  }
  EXPECT_THAT(error({"", missing, one.key_file, "", true}),
              HasSubstr("certificate_file " + missing + ": cannot be read"));
  EXPECT_THAT(error({"", one.certificate_file, missing, "", true}),
              HasSubstr("key_file " + missing + ": cannot be read"));
}

TEST_F(TlsTest, AKeyOfAnotherCertificateHasItsOwnMessage) {
  EXPECT_EQ(
      error({"", one.certificate_file, other.key_file, "", true}),
      "key_file " + other.key_file + ": the key is not that of the certificate in " + one.certificate_file);
}

TEST_F(TlsTest, AnEncryptedKeyDoesNotAskForAPassphrase) {
  const auto encrypted = make_certificate(dir, "encrypted", "passphrase");
  EXPECT_EQ(error({"", encrypted.certificate_file, encrypted.key_file, "", true}),
            "key_file " + encrypted.key_file + ": the key is encrypted; store it without a passphrase");
}

TEST_F(TlsTest, AFileWithADamagedAuthorityIsRefused) {
  const std::string good = dir.read("one.pem");
  const std::string bundle = dir.write("bundle", good + good.substr(0, good.size() / 2) + "\n");
  EXPECT_THAT(error({bundle, "", "", "", true}), HasSubstr("expected certificates in PEM"));
}

TEST_F(TlsTest, SessionsNameThePeer) {
  const auto by_host = std::make_shared<TlsClient>(TlsSettings{});
  const auto session = new_session(*by_host, "a.example");
  ASSERT_TRUE(session);
  EXPECT_STREQ(SSL_get_servername(session->get(), TLSEXT_NAMETYPE_host_name), "a.example");
  EXPECT_EQ(SSL_get_verify_mode(session->get()), SSL_VERIFY_PEER);

  // An address is no name for SNI; it is checked as an address, a zone or not.
  for (const auto* address : {"127.0.0.1", "::1", "fe80::1%lo"}) {
    const auto of_address = new_session(*by_host, address);
    ASSERT_TRUE(of_address) << address;
    EXPECT_EQ(SSL_get_servername(of_address->get(), TLSEXT_NAMETYPE_host_name), nullptr);
    char* checked = X509_VERIFY_PARAM_get1_ip_asc(SSL_get0_param(of_address->get()));
    ASSERT_TRUE(checked) << address;
    OPENSSL_free(checked);
  }
  const auto by_name = std::make_shared<TlsClient>(TlsSettings{"", "", "", "b.example", false});
  const auto named = new_session(*by_name, "127.0.0.1");
  ASSERT_TRUE(named);
  EXPECT_STREQ(SSL_get_servername(named->get(), TLSEXT_NAMETYPE_host_name), "b.example");
  EXPECT_EQ(SSL_get_verify_mode(named->get()), SSL_VERIFY_NONE);
}

TEST_F(TlsTest, AClientWithoutUsableFilesReportsTheReason) {
  const std::string late = dir / "late.pem";
  const auto client = std::make_shared<TlsClient>(TlsSettings{late, "", "", "", true});
  EXPECT_THAT(client->session("h").error().message, HasSubstr(late + " could not be read yet"));
  EXPECT_THAT(new_session(*client, "h").error().message, HasSubstr("No such file"));
  EXPECT_THAT(new_session(*client, "h").error().message, HasSubstr("No such file"));
  dir.write("late.pem", dir.read("one.pem"));
  EXPECT_TRUE(new_session(*client, "h"));
}

// A FIFO stands for a file system that hangs: who opens one waits until somebody writes to it.
TEST_F(TlsTest, WhileItsFilesCannotBeReadAClientUsesTheLastContext) {
  const auto client = std::make_shared<TlsClient>(TlsSettings{dir / "ca.pem", "", "", "", true});
  dir.write("ca.pem", dir.read("one.pem"));
  ASSERT_TRUE(new_session(*client, "h"));

  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  std::filesystem::rename(dir / "fifo", dir / "ca.pem");
  asio::io_context loop;
  BlockingCalls calls(loop);
  const auto guard = asio::make_work_guard(loop);
  const auto looked_at_once = [&] {
    const auto looked = std::make_shared<bool>(false);
    client->look(calls, [looked] { *looked = true; });
    loop.run_for(20ms);
    return *looked;
  };
  // The file is read when it has stood still for a second. There is a reader as soon as a writer need not
  // wait.
  int writer = -1;
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (writer < 0 && std::chrono::steady_clock::now() < end) {
    looked_at_once();
    writer = ::open((dir / "ca.pem").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  }
  ASSERT_GE(writer, 0) << "nobody has opened it";
  EXPECT_TRUE(client->session("h")) << "not held up, and the one read before";
  bool at_once = false;
  while (!at_once && std::chrono::steady_clock::now() < end) at_once = looked_at_once();
  EXPECT_TRUE(at_once) << "later connections do not wait for it";

  ::close(writer);  // the file is empty, and not used
  std::filesystem::rename(dir.write("good", dir.read("other.pem")), dir / "ca.pem");
  EXPECT_TRUE(new_session(*client, "h"));
}

TEST_F(TlsTest, ALookWhoseCallerHasGoneIsOfUseToTheNextOne) {
  const std::string path = dir / "ca.pem";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const auto client = std::make_shared<TlsClient>(TlsSettings{path, "", "", "", true});
  {
    asio::io_context loop;
    BlockingCalls calls(loop);
    client->look(calls, [] {});
  }
  std::FILE* fifo = std::fopen(path.c_str(), "w");  // when the thread that looks has opened it, too
  ASSERT_TRUE(fifo);
  std::filesystem::rename(dir.write("good", dir.read("one.pem")), path);
  std::fputs(dir.read("one.pem").c_str(), fifo);
  std::fclose(fifo);
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!client->session("h") && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(client->session("h"));
}

TEST(TlsClients, OneForAllWithTheSameSettings) {
  TlsClients clients;
  const auto client = clients.client(TlsSettings{});
  EXPECT_EQ(clients.client(TlsSettings{}), client);
  EXPECT_NE(clients.client(TlsSettings{"", "", "", "n", true}), client);
}

TEST(TlsErrors, SayWhatCanBeDone) {
  OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, nullptr);  // otherwise the first connection does
  const auto text = [](int reason) { return tls_error(ERR_PACK(ERR_LIB_SSL, 0, reason)).message(); };
  EXPECT_EQ(text(SSL_R_WRONG_VERSION_NUMBER), "wrong version number (does it speak TLS on this port?)");
  EXPECT_THAT(text(SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED),
              HasSubstr("give certificate_file and key_file in tls"));
  EXPECT_THAT(text(SSL_R_TLSV1_ALERT_UNKNOWN_CA), HasSubstr("it does not accept our certificate"));
  EXPECT_THAT(text(SSL_R_UNEXPECTED_EOF_WHILE_READING), HasSubstr("closed without the end message of TLS"));
  EXPECT_THAT(text(SSL_R_BAD_DIGEST_LENGTH), Not(HasSubstr("(")));
}

TEST(TlsErrors, AlertsNameThePeer) {
  EXPECT_TRUE(is_tls_alert(tls_error(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_TLSV1_ALERT_UNKNOWN_CA))));
  EXPECT_FALSE(is_tls_alert(tls_error(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_WRONG_VERSION_NUMBER))));
  EXPECT_FALSE(is_tls_alert(asio::error::eof));
}

TEST(FileStamp, KnowsAFileThatWasReplacedOrWritten) {
  const base::TestDir dir;
  EXPECT_FALSE(base::stamp_file(dir / "file"));
  const auto first = base::stamp_file(dir.write("file", "1"));
  ASSERT_TRUE(first);
  EXPECT_EQ(base::stamp_file(dir / "file"), first);
  std::filesystem::rename(dir.write("new", "2"), dir / "file");
  const auto second = base::stamp_file(dir / "file");
  EXPECT_NE(second, first);
  dir.write("file", "longer");
  EXPECT_NE(base::stamp_file(dir / "file"), second);
}

TEST(FileStamp, IsYoungForAWhile) {
  const base::TestDir dir;
  auto stamp = *base::stamp_file(dir.write("file", ""));
  EXPECT_TRUE(stamp.younger_than(1h));
  stamp.changed.tv_sec -= 3601;
  EXPECT_FALSE(stamp.younger_than(1h));
  stamp.changed.tv_sec += 7200;  // the clock was set back since
  EXPECT_FALSE(stamp.younger_than(1h));
}

}  // namespace
}  // namespace driveshaft::net
