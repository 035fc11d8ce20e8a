// How a store connects, what it says when it can't, and where snapshots come from.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "store/postgres/connect_failure.hpp"
#include "store_fixture.hpp"

namespace gantry::testing {
namespace {

class ConnectionTest : public StoreFixture {
 protected:
  // What is said of this url; and that the password is not.
  error failure_of(const std::string& url) {
    auto other = options_;
    other.url = url;
    other.connect_timeout = std::chrono::milliseconds(2000);
    auto opened = store::open_postgres_store(other);
    if (opened) return error{errc::internal, "connected"};
    EXPECT_EQ(opened.failure().text.find(place_.password()), std::string::npos) << opened.failure().text;
    return opened.failure();
  }

  std::string changed(std::string_view from, std::string_view to) const {
    auto url = place_.url;
    return url.replace(url.find(from), from.size(), to);
  }
};

TEST_F(ConnectionTest, EachReasonIsToldApart) {
  const auto wrong = failure_of(changed(place_.password(), "secret%20guess"));
  EXPECT_EQ(wrong.code, errc::invalid);
  expect_has(wrong.text, "wrong user or password");
  EXPECT_EQ(wrong.text.find("guess"), std::string::npos) << wrong.text;

  const auto nowhere = failure_of(place_.url + "_that_is_not_there");
  EXPECT_EQ(nowhere.code, errc::invalid);
  expect_has(nowhere.text, "no such database");

  const auto plain = failure_of(place_.url + "?sslmode=require");
  EXPECT_EQ(plain.code, errc::invalid);
  expect_has(plain.text, "does not speak TLS");

  const auto bare = failure_of(changed(":" + place_.password() + "@", "@"));
  EXPECT_EQ(bare.code, errc::invalid);
  expect_has(bare.text, "has none");

  const auto unnamed = failure_of(changed("127.0.0.1", "host.invalid"));
  EXPECT_EQ(unnamed.code, errc::unavailable);
  expect_has(unnamed.text, "name is not known");
}

TEST_F(ConnectionTest, APortThatNobodyListensOnIsNamed) {
  const int reserved = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  ASSERT_EQ(::bind(reserved, reinterpret_cast<const sockaddr*>(&here), size), 0);
  ASSERT_EQ(::getsockname(reserved, reinterpret_cast<sockaddr*>(&here), &size), 0);
  const auto refused = failure_of(place_.through(ntohs(here.sin_port)));  // bound, and not listening
  EXPECT_EQ(refused.code, errc::unavailable);
  expect_has(refused.text, "nobody listens there");
  expect_has(refused.text, std::to_string(ntohs(here.sin_port)));
  ::close(reserved);
}

TEST_F(ConnectionTest, AServerThatSaysNothingIsGivenUp) {
  const int silent = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  ASSERT_EQ(::bind(silent, reinterpret_cast<const sockaddr*>(&here), size), 0);
  ASSERT_EQ(::listen(silent, 4), 0);
  ASSERT_EQ(::getsockname(silent, reinterpret_cast<sockaddr*>(&here), &size), 0);
  auto other = options_;
  other.url = place_.through(ntohs(here.sin_port));
  other.connect_timeout = std::chrono::milliseconds(50);
  auto opened = store::open_postgres_store(other);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.failure().code, errc::unavailable);
  expect_has(opened.failure().text, "no answer in time");
  ::close(silent);
}

TEST_F(ConnectionTest, AUrlThatIsNoneIsNotRepeated) {
  const auto bad = failure_of("postgresql://user:geheim@host:port:5432/%zz");
  EXPECT_EQ(bad.code, errc::invalid);
  EXPECT_EQ(bad.text.find("geheim"), std::string::npos) << bad.text;
  expect_has(bad.text, "expected postgresql://");
}

TEST(ConnectFailureTest, CertificatesAreToldApart) {
  const auto says = [](std::string_view words) { return store::postgres::connect_failure("h:1/d", words, "pw").text; };
  EXPECT_EQ(says("SSL error: certificate verify failed\n"),
            "postgres h:1/d: the server's certificate is not trusted: SSL error: certificate verify failed");
  EXPECT_EQ(says("server certificate for \"a\" does not match host name \"b\""),
            "postgres h:1/d: the certificate is for another host: server certificate for \"a\" does not match host "
            "name \"b\"");
  EXPECT_EQ(
      says("FATAL:  57P03: the database system is starting up\nLOCATION:  ProcessStartupPacket, postmaster.c:2416\n"),
      "postgres h:1/d: the server is starting or stopping: FATAL:  57P03: the database system is starting up");
  EXPECT_EQ(says("FATAL:  53300: too many clients"),
            "postgres h:1/d: the server has no connection left (max_connections): FATAL:  53300: too many clients");
  EXPECT_EQ(says("odd pw words"), "postgres h:1/d can't be reached: odd ... words");
}

TEST_F(ConnectionTest, ThePromiseBecomesTheServersSetting) {
  open();
  EXPECT_EQ(rows("SHOW synchronous_commit"), "on");
  EXPECT_EQ(rows("SHOW default_transaction_isolation"), "serializable");
  EXPECT_EQ(store_->promise(), store::durability::power);
  close();
  options_.promise = store::durability::process;
  options_.isolation = store::postgres_options::isolation_level::read_committed;
  open();
  EXPECT_EQ(rows("SHOW synchronous_commit"), "off");
  EXPECT_EQ(rows("SHOW default_transaction_isolation"), "read committed");
  auto snapshot = reader();
  ASSERT_EQ(snapshot->begin_read(), GANTRY_OK);
  EXPECT_EQ(
      rows(*snapshot, "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"),
      "repeatable read,on");
}

TEST_F(ConnectionTest, DescribesItselfWithoutSecrets) {
  open_with("CREATE TABLE item (id bigint PRIMARY KEY)");
  EXPECT_EQ(store_->driver(), "postgres");
  EXPECT_EQ(store_->describe(),
            "postgres 127.0.0.1:" + std::to_string(place_.port()) + "/postgres schema " + options_.schema);
  EXPECT_GT(store_->size_bytes(), 0U);
}

TEST_F(ConnectionTest, SchemasKeepPluginsApart) {
  open_with("CREATE TABLE item (id bigint PRIMARY KEY)");
  auto other = options_;
  other.schema += "_\"odd\" name";
  auto second = store::open_postgres_store(other);
  ASSERT_TRUE(second) << second.failure().text;
  auto session = std::move((*second)->open_writer()).value();
  ASSERT_EQ(session->script("CREATE TABLE item (id bigint PRIMARY KEY); INSERT INTO item VALUES (7)"), GANTRY_OK);
  EXPECT_EQ(rows("SELECT count(*) FROM item"), "0");
  const auto dropped = session->exec(R"(DROP SCHEMA ")" + options_.schema + R"(_""odd"" name" CASCADE)", {}, nullptr);
  EXPECT_EQ(dropped, GANTRY_OK);
}

}  // namespace
}  // namespace gantry::testing
