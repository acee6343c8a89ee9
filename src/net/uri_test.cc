// SPDX-License-Identifier: MIT
#include "net/uri.h"

#include <gtest/gtest.h>

namespace driveshaft::net {
namespace {

Uri read(std::string_view text) {
  const auto uri = parse_uri(text);
  EXPECT_TRUE(uri) << uri.error().message;
  return uri ? *uri : Uri{};
}

// The part of the message that is not the same for every URI.
std::string reason(std::string_view text) {
  const auto uri = parse_uri(text);
  if (uri) return "parsed as " + uri->display;
  const std::string start =
      "expected an http://, https://, http+unix://, fcgi:// or fcgi+unix:// URI, got \"";
  EXPECT_EQ(uri.error().message.substr(0, start.size()), start);
  return uri.error().message.substr(start.size());
}

TEST(Uri, Http) {
  const Uri uri = read("http://Shop.example:8080/job.php?a=b#part");
  EXPECT_EQ(uri.scheme, Uri::Scheme::http);
  EXPECT_EQ(uri.host, "shop.example");
  EXPECT_EQ(uri.port, 8080);
  EXPECT_EQ(uri.socket_path, "");
  EXPECT_EQ(uri.target.reveal(), "/job.php?a=b");
  EXPECT_EQ(uri.authority, "shop.example:8080");
  EXPECT_EQ(uri.authorization.reveal(), "");
  EXPECT_EQ(uri.display, "http://shop.example:8080/job.php?***");
}

TEST(Uri, DefaultPortsAreLeftOutOfTheHostHeader) {
  EXPECT_EQ(read("http://a/").port, 80);
  EXPECT_EQ(read("http://a:80/").authority, "a");
  EXPECT_EQ(read("https://a/").port, 443);
  EXPECT_EQ(read("https://a:443/").authority, "a");
  EXPECT_EQ(read("https://a:80/").authority, "a:80");
  EXPECT_EQ(read("http://a:/x").port, 80);
  EXPECT_EQ(read("HTTPS://a/").scheme, Uri::Scheme::https);
}

TEST(Uri, WithoutSchemeMeansHttp) {
  EXPECT_EQ(read("localhost/job.php"), read("http://localhost/job.php"));
  EXPECT_EQ(read("localhost:8080/job.php"), read("http://localhost:8080/job.php"));
  EXPECT_EQ(read("localhost"), read("http://localhost/"));
  EXPECT_EQ(read("localhost/?next=http://b/"), read("http://localhost/?next=http://b/"));
  EXPECT_EQ(read("u:p@localhost/"), read("http://u:p@localhost/"));
}

TEST(Uri, TargetIsAlwaysAPathInPlainAscii) {
  EXPECT_EQ(read("http://a").target.reveal(), "/");
  EXPECT_EQ(read("http://a?x=1").target.reveal(), "/?x=1");
  EXPECT_EQ(read("http://a#f").target.reveal(), "/");
  EXPECT_EQ(read("http://a/b?").target.reveal(), "/b?");
  EXPECT_EQ(read("http://a//b/../c").target.reveal(), "//b/../c");
  EXPECT_EQ(read("http://a/x?ids[]=1|2").target.reveal(), "/x?ids%5B%5D=1%7C2");
  EXPECT_EQ(read("http://a/caf\xc3\xa9%20b").target.reveal(), "/caf%C3%A9%20b");
  EXPECT_EQ(read("http://a/mail@b?c=d@e").target.reveal(), "/mail@b?c=d@e");
}

TEST(Uri, Ipv6) {
  const Uri uri = read("http://[0::1]:8080/");
  EXPECT_EQ(uri.host, "::1");
  EXPECT_EQ(uri.port, 8080);
  EXPECT_EQ(uri.authority, "[::1]:8080");
  EXPECT_EQ(read("https://[2001:db8::1]/").authority, "[2001:db8::1]");
}

TEST(Uri, UserAndPasswordBecomeBasicAuthorizationAndAreMasked) {
  const Uri uri = read("http://Aladdin:open%20sesame@a:81/x");
  EXPECT_EQ(uri.authorization.reveal(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(uri.display, "http://***@a:81/x");
  EXPECT_EQ(uri.authority, "a:81");
  EXPECT_EQ(read("http://user@a/").authorization.reveal(), "Basic dXNlcjo=");
  EXPECT_EQ(read("http://user@a/").display, "http://***@a/");
  EXPECT_EQ(read("http://:p@a/").authorization.reveal(), "Basic OnA=");
  EXPECT_EQ(read("http://u:a:b%40@a/").authorization.reveal(), "Basic dTphOmJA");
  EXPECT_EQ(read("http://@a/").authorization.reveal(), "");
}

TEST(Uri, ShowsNeitherUserNorQuery) {
  EXPECT_EQ(read("http://token@a/x?token=secret").display, "http://***@a/x?***");
  EXPECT_EQ(read("http://a/x?").display, "http://a/x?");
  EXPECT_EQ(read("http://a/x?a?b").display, "http://a/x?***");
  EXPECT_EQ(reason("ftp://a/?token=secret").substr(0, 13), "ftp://a/?***\"");
  EXPECT_EQ(reason("http://a:x/?token=secret@b").substr(0, 17), "http://a:***/?***");
}

TEST(Uri, UnixSocket) {
  const Uri uri = read("http+unix://%2Frun%2Fapp.sock/path?q");
  EXPECT_EQ(uri.scheme, Uri::Scheme::http_unix);
  EXPECT_EQ(uri.host, "");
  EXPECT_EQ(uri.port, 0);
  EXPECT_EQ(uri.socket_path, "/run/app.sock");
  EXPECT_EQ(uri.target.reveal(), "/path?q");
  EXPECT_EQ(uri.authority, "localhost");
  EXPECT_EQ(uri.display, "http+unix://%2Frun%2Fapp.sock/path?***");
  EXPECT_EQ(read("http+unix://u:p@%2Fs/").authorization.reveal(), "Basic dTpw");
  EXPECT_EQ(read("http+unix://%2F" + std::string(106, 's')).socket_path.size(), 107u);
}

TEST(Uri, FastCgi) {
  const Uri uri = read("fcgi://Php.example/srv/my%20app/job.php?run=a&x[]=1#part");
  EXPECT_EQ(uri.scheme, Uri::Scheme::fcgi);
  EXPECT_TRUE(uri.is_fastcgi() && !uri.is_unix());
  EXPECT_EQ(uri.host, "php.example");
  EXPECT_EQ(uri.port, 9000);
  EXPECT_EQ(uri.script, "/srv/my app/job.php");
  EXPECT_EQ(uri.target.reveal(), "/srv/my%20app/job.php?run=a&x%5B%5D=1");
  EXPECT_EQ(uri.authority, "php.example");
  EXPECT_EQ(uri.display, "fcgi://php.example/srv/my%20app/job.php?***");
  EXPECT_EQ(read("fcgi://[::1]:9001/a.php").authority, "[::1]:9001");
  EXPECT_EQ(read("http://a/x.php").script, "");
}

TEST(Uri, APhpScriptOverPlainHttpMayBeFastCgi) {
  for (const char* text : {"http://h/job.php", "http://h:9001/index.php/jobs?a", "h/job.php?x=y.html"}) {
    EXPECT_TRUE(read(text).may_be_fastcgi()) << text;
  }
  for (const char* text : {"http://h/jobs", "http://h/jobs?x=a.php", "https://h/job.php", "fcgi://h/job.php",
                           "http+unix://%2Fs/job.php"}) {
    EXPECT_FALSE(read(text).may_be_fastcgi()) << text;
  }
}

TEST(Uri, ErrorsShowNoPasswordAfterASlip) {
  for (const std::string text :
       {"https//u:hunter2@h/", "http://u:hunter2/", "http://u:hunter2", "u:hunter2/x", "http://u:hunter2@/",
        "http://u:hunter2/x@y z", "ftp://u:hunter2@h"}) {
    const auto uri = parse_uri(text);
    ASSERT_FALSE(uri) << text;
    EXPECT_EQ(uri.error().message.find("hunter2"), std::string::npos) << uri.error().message;
  }
  EXPECT_EQ(reason("https//h/x"), "https//h/x\": a colon must follow the scheme");
  EXPECT_EQ(read("httpd//x").target.reveal(), "//x");
}

TEST(Uri, FastCgiOverAUnixSocket) {
  const Uri uri = read("FCGI+unix://%2Frun%2Fphp%2Ffpm.sock/srv/app/job.php");
  EXPECT_EQ(uri.scheme, Uri::Scheme::fcgi_unix);
  EXPECT_TRUE(uri.is_fastcgi() && uri.is_unix());
  EXPECT_EQ(uri.socket_path, "/run/php/fpm.sock");
  EXPECT_EQ(uri.port, 0);
  EXPECT_EQ(uri.script, "/srv/app/job.php");
  EXPECT_EQ(uri.authority, "localhost");
  EXPECT_EQ(uri.display, "fcgi+unix://%2Frun%2Fphp%2Ffpm.sock/srv/app/job.php");
}

TEST(Uri, SaysWhatIsWrongWithAFastCgiUri) {
  const std::string script = ": the path of the script's file follows the host, as in /srv/app/job.php";
  EXPECT_EQ(reason("fcgi://a:9000"), "fcgi://a:9000\"" + script);
  EXPECT_EQ(reason("fcgi://a/srv/?x=1"), "fcgi://a/srv/?***\"" + script);
  EXPECT_EQ(reason("fcgi+unix://%2Fs"), "fcgi+unix://%2Fs\"" + script);
  EXPECT_EQ(reason("fcgi://a/x%00.php"),
            "fcgi://a/x%00.php\": the path of the script contains a control character");
  EXPECT_EQ(reason("fcgi://u:secret@a/x.php"),
            "fcgi://***@a/x.php\": FastCGI knows no user and password, remove them");
  EXPECT_EQ(reason("fcgi:a/x.php"), "fcgi:a/x.php\": two slashes must follow the scheme's colon");
  EXPECT_EQ(reason("fcgi://a:0/x"), "fcgi://a:0/x\": the port must be a whole number from 1 to 65535");
}

TEST(Uri, SaysWhatIsWrong) {
  const std::string port = ": the port must be a whole number from 1 to 65535";
  EXPECT_EQ(reason("http://a:0/"), "http://a:0/\"" + port);
  EXPECT_EQ(reason("http://a:65536/"), "http://a:65536/\"" + port);
  EXPECT_EQ(reason("http://a:99999999999999999999999/"), "http://a:99999999999999999999999/\"" + port);
  EXPECT_EQ(reason(""), "\": it is empty");
  EXPECT_EQ(reason("http://"), "http://\": the host is empty");
  EXPECT_EQ(reason("http:///x"), "http:///x\": the host is empty");
  EXPECT_EQ(reason("http://:80/x"), "http://:80/x\": the host is empty");
  EXPECT_EQ(reason("/job.php"), "/job.php\": the host is empty");
  EXPECT_EQ(reason("ftp://a/"), "ftp://a/\": the scheme \"ftp\" is not served");
  EXPECT_EQ(reason("http:/a/"), "http:/a/\": two slashes must follow the scheme's colon");
  EXPECT_EQ(reason("http://a/ b"), "http://a/ b\": it contains a space, write %20");
  EXPECT_EQ(reason("http://a/\r\nX: y"), "http://a/\\x0d\\x0aX: y\": it contains a control character");
  EXPECT_EQ(reason(std::string_view("http://a\0/", 10)), "http://a\\x00/\": it contains a control character");
  EXPECT_EQ(reason("http://a/100%"),
            "http://a/100%\": two hexadecimal digits must follow each '%' (a percent sign itself is %25)");
  EXPECT_EQ(reason("http://a%0ab/"), "http://a%0ab/\": '\\x0a' cannot stand in a host name");
  EXPECT_EQ(reason("http://a!b/"), "http://a!b/\": '!' cannot stand in a host name");
  EXPECT_EQ(reason("http://[v1.x]/"), "http://[v1.x]/\": \"v1.x\" is not an IPv6 address");
}

TEST(Uri, SaysWhatIsWrongWithASocketPath) {
  const std::string absolute =
      ": the absolute path of the socket must follow \"://\", with %2F for each '/' of it, as in "
      "%2Frun%2Fapp.sock/path";
  EXPECT_EQ(reason("http+unix:///run/app.sock"), "http+unix:///run/app.sock\"" + absolute);
  EXPECT_EQ(reason("http+unix://run/app"), "http+unix://run/app\"" + absolute);
  EXPECT_EQ(reason("unix:/run/php-fpm.sock"),
            "unix:/run/php-fpm.sock\": a Unix socket is written as "
            "fcgi+unix://%2Fpath%2Fto.sock/path/of/script.php, or as http+unix://%2Fpath%2Fto.sock/path");
  EXPECT_TRUE(parse_uri("unix.example/job.php"));
  EXPECT_EQ(reason("http+unix://%2Fa:80/"), "http+unix://%2Fa:80/\": a Unix socket has no port");
  EXPECT_EQ(reason("http+unix://%2Fa%00/"),
            "http+unix://%2Fa%00/\": the socket's path contains a control character");
  const std::string path = "http+unix://%2F" + std::string(107, 's');
  EXPECT_TRUE(reason(path).ends_with(": the socket's path has 108 bytes, the system allows 107"));
}

TEST(Uri, ATargetIsAPathAndAQuery) {
  EXPECT_EQ(path_of("/job.php?a=1?b"), "/job.php");
  EXPECT_EQ(query_of("/job.php?a=1?b"), "a=1?b");
  EXPECT_EQ(path_of("/job.php"), "/job.php");
  EXPECT_EQ(query_of("/job.php"), "");
  EXPECT_EQ(query_of("/job.php?"), "");
}

TEST(Uri, ErrorsShowNoPassword) {
  EXPECT_EQ(reason("ftp://u:secret@a/"), "ftp://***@a/\": the scheme \"ftp\" is not served");
  EXPECT_EQ(reason("http://u:secret@a:0/"),
            "http://***@a:0/\": the port must be a whole number from 1 to 65535");
  EXPECT_EQ(reason("http://u:se@cret@a/").substr(0, 14), "http://***@a/\"");
  EXPECT_EQ(reason("http://u:sec/ret@a/").substr(0, 14), "http://***@a/\"");
  EXPECT_EQ(reason("u:sec[ret@a/").substr(0, 7), "***@a/\"");
  EXPECT_EQ(reason("http://u%3A:secret@a/"),
            "http://***@a/\": Basic authorization allows no ':' in a user name");
  EXPECT_EQ(reason("http://u:secret%0a@a/"),
            "http://***@a/\": Basic authorization allows no control characters in user name and password");
}

}  // namespace
}  // namespace driveshaft::net
