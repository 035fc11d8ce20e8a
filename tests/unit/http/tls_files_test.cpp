// Certificate files of an endpoint: what is wrong with them is said when it opens, and new ones are taken up.
#include <sys/stat.h>

#include <chrono>
#include <ctime>
#include <fstream>

#include "tls_fixture.hpp"

namespace gantry::http {
namespace {

using namespace std::chrono_literals;

class TlsFilesTest : public TlsFixture {
 protected:
  void SetUp() override {
    // Files of this test's own, to be changed.
    place("good");
    ASSERT_EQ(::chmod(key_file().c_str(), 0600), 0);
  }
  static std::string cert_file() { return folder + "/served.pem"; }
  static std::string key_file() { return folder + "/served.key"; }
  static std::string own(const std::string& name) { return folder + "/" + name; }

  static void copy(const std::string& from, const std::string& to) {
    // At once, as a renewal should: nobody sees half a file.
    std::filesystem::copy_file(from, to + ".new");
    std::filesystem::rename(to + ".new", to);
  }
  static void place(const std::string& certificate) {
    copy(key(certificate), key_file());
    copy(pem(certificate), cert_file());
  }
  static void write(const std::string& file, const std::string& text) { std::ofstream(file) << text; }
  static std::string with_passphrase() {
    const auto file = own("locked.key");
    EXPECT_EQ(std::system(("openssl pkey -aes128 -passout pass:secret -in " + key("good") + " -out " + file).c_str()),
              0);
    return file;
  }

  endpoint_options shows_served() {
    auto o = shows();
    o.tls->cert = cert_file();
    o.tls->key = key_file();
    return o;
  }
  static error failure_of(const std::string& cert, const std::string& key, const std::string& ca) {
    endpoint_options o;
    o.tls = endpoint_tls{cert, key, ca};
    const auto opened = open_endpoint(o, [](request&&, responder&&) {});
    if (opened.ok()) return {errc::internal, "it opened"};
    return opened.failure();
  }
  // The name in the certificate that a new connection is shown.
  std::string served_serial() {
    auto one = connect(as("client"));
    EXPECT_TRUE(one.shake_hands()) << one.problem;
    return one.serial();
  }
};

TEST_F(TlsFilesTest, FilesThatCantBeUsedAreNamedWithTheReason) {
  write(own("empty.pem"), "");
  write(own("text.pem"), "not a certificate\n");
  write(own("broken.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  struct {
    std::string cert, key, ca;
    errc code;
    std::string words;
  } const cases[] = {
      {"/nowhere/c.pem", key("good"), "", errc::io, "tls.cert /nowhere/c.pem: No such file or directory"},
      {pem("good"), "/nowhere/c.key", "", errc::io, "tls.key /nowhere/c.key: No such file or directory"},
      {pem("good"), key("good"), "/nowhere/ca.pem", errc::io, "tls.ca /nowhere/ca.pem: No such file or directory"},
      {folder, key("good"), "", errc::invalid, "found no regular file"},
      {own("empty.pem"), key("good"), "", errc::invalid, own("empty.pem") + ": found no certificate in PEM"},
      {own("text.pem"), key("good"), "", errc::invalid, own("text.pem") + ": found no certificate in PEM"},
      {own("broken.pem"), key("good"), "", errc::invalid,
       own("broken.pem") + ": found a certificate that can't be read"},
      {pem("good"), own("text.pem"), "", errc::invalid, own("text.pem") + ": found no private key in PEM"},
      {pem("good"), pem("good"), "", errc::invalid, pem("good") + ": found no private key in PEM"},
      {pem("good"), with_passphrase(), "", errc::invalid, "found a key with a passphrase, expected one without"},
      {pem("good"), key("good"), own("text.pem"), errc::invalid,
       "tls.ca " + own("text.pem") + ": found no certificate"},
      {pem("good"), key("client"), "", errc::invalid,
       "tls.key " + key("client") + ": the key does not match the certificate in " + pem("good")},
      {pem("expired"), key("expired"), "", errc::invalid,
       "tls.cert " + pem("expired") + ": found a certificate that expired at 2021-01-01 00:00:00Z"},
      {pem("good"), key("good"), pem("expired"), errc::invalid, "found authorities that have all expired"},
  };
  for (const auto& one : cases) {
    const auto failure = failure_of(one.cert, one.key, one.ca);
    EXPECT_EQ(failure.code, one.code) << failure.text;
    EXPECT_NE(failure.text.find(one.words), std::string::npos) << failure.text << "\nexpected: " << one.words;
  }
}

TEST_F(TlsFilesTest, AKeyThatEverybodyCanReadIsWarnedOf) {
  ASSERT_EQ(::chmod(key_file().c_str(), 0644), 0);
  open(shows_served());
  EXPECT_NE(next_warning().find("everybody on this machine can read the key"), std::string::npos);
}

TEST_F(TlsFilesTest, NewFilesAreTakenUpOnDemand) {
  open(shows_served());
  auto before = connect(as("client"));
  ASSERT_TRUE(before.shake_hands()) << before.problem;
  place("numeric");
  const auto done = server->reload();
  ASSERT_TRUE(done.ok()) << done.failure().text;
  EXPECT_NE(served_serial(), before.serial());
  before.send(get("/"));
  EXPECT_TRUE(before.receive().ends_with("GET / client ")) << "a connection keeps what it began with";
}

TEST_F(TlsFilesTest, NewFilesAreTakenUpByThemselves) {
  auto o = shows_served();
  o.tls->check_every = 5ms;
  open(o);
  const auto before = served_serial();
  place("numeric");
  // The test's own time limit ends this when it never comes.
  while (served_serial() == before) {
  }
}

TEST_F(TlsFilesTest, BadNewFilesAreWarnedOfOnceAndTheOldOnesStay) {
  auto o = shows_served();
  o.tls->check_every = 5ms;
  open(o);
  const auto before = served_serial();
  // Half of a renewal: the certificate is new, its key has not come yet.
  copy(pem("numeric"), cert_file());
  EXPECT_NE(next_warning().find("the key does not match the certificate"), std::string::npos);
  EXPECT_EQ(served_serial(), before);
  const auto refused = server->reload();
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.failure().text.find(key_file()), std::string::npos);
  copy(key("numeric"), key_file());
  while (served_serial() == before) {
  }
  const std::lock_guard lock(mutex);
  EXPECT_TRUE(warnings.empty()) << warnings.front();
}

TEST_F(TlsFilesTest, SaysUntilWhenTheCertificateIsGood) {
  open(shows_served());
  EXPECT_GT(server->tls().certificate_until, std::time(nullptr));
}

TEST_F(TlsFilesTest, APlainEndpointHasNothingToRead) {
  open({});
  EXPECT_TRUE(server->reload().ok());
  EXPECT_EQ(server->tls().accepted, 0U);
}

}  // namespace
}  // namespace gantry::http
