// What the tests of the endpoint's TLS share: certificates made for the run, an echo behind TLS, and clients of it.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "http/endpoint.hpp"
#include "tls_client.hpp"

namespace gantry::http {

class TlsFixture : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = (std::filesystem::temp_directory_path() / "gantry-tls-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    ASSERT_EQ(std::system((std::string("sh ") + CERTIFICATES + " " + folder).c_str()), 0);
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder); }

  static std::string pem(const std::string& name) { return folder + "/" + name + ".pem"; }
  static std::string key(const std::string& name) { return folder + "/" + name + ".key"; }

  // Shows this certificate and lets in clients of the authority "ours", or any.
  endpoint_options shows(const std::string& certificate = "good", bool clients_need_one = true) {
    endpoint_options o;
    o.tls = endpoint_tls{pem(certificate), key(certificate), clients_need_one ? pem("ours") : ""};
    o.tls->refused = [this](std::string_view, std::string_view why) {
      const std::lock_guard lock(mutex);
      refusals.emplace_back(why);
      happened.notify_all();
    };
    o.tls->warn = [this](std::string_view text) {
      const std::lock_guard lock(mutex);
      warnings.emplace_back(text);
      happened.notify_all();
    };
    return o;
  }

  // Echoes method, target, who asks, and body; requests for /later wait in `waiting` for their test.
  void open(const endpoint_options& options) {
    auto opened = open_endpoint(options, [this](request&& asked, responder&& to) {
      if (asked.target == "/large") return to.send({200, {}, std::string(8'000'000, 'x')});
      if (asked.target == "/later") {
        const std::lock_guard lock(mutex);
        waiting.push_back(std::move(to));
        happened.notify_all();
        return;
      }
      to.send({200, {}, asked.method + " " + asked.target + " " + asked.peer + " " + asked.body});
    });
    ASSERT_TRUE(opened.ok()) << opened.failure().text;
    server = std::move(*opened);
  }

  // A client that shows this certificate, or none.
  tls_client_options as(const std::string& certificate) const {
    tls_client_options o;
    if (!certificate.empty()) {
      o.cert = pem(certificate);
      o.key = key(certificate);
    }
    o.ca = pem("ours");
    return o;
  }
  tls_client connect(const tls_client_options& o) { return tls_client(server->port(), o); }

  static std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n"; }

  // Asks once as a client that is let in, so that whatever else goes on is known to hold up nobody.
  void expect_service() {
    auto one = connect(as("client"));
    ASSERT_TRUE(one.shake_hands()) << one.problem;
    one.send(get("/well"));
    EXPECT_TRUE(one.receive().ends_with("GET /well client "));
  }

  responder next_waiting() {
    std::unique_lock lock(mutex);
    happened.wait(lock, [this] { return !waiting.empty(); });
    auto one = std::move(waiting.front());
    waiting.erase(waiting.begin());
    return one;
  }
  // Waits for the next handshake that fails.
  std::string next_refusal() {
    std::unique_lock lock(mutex);
    happened.wait(lock, [this] { return !refusals.empty(); });
    auto one = std::move(refusals.front());
    refusals.erase(refusals.begin());
    return one;
  }
  std::string next_warning() {
    std::unique_lock lock(mutex);
    happened.wait(lock, [this] { return !warnings.empty(); });
    auto one = std::move(warnings.front());
    warnings.erase(warnings.begin());
    return one;
  }

  static inline std::string folder;
  std::mutex mutex;
  std::condition_variable happened;
  std::vector<responder> waiting;
  std::vector<std::string> refusals;
  std::vector<std::string> warnings;
  std::unique_ptr<endpoint> server;
};

}  // namespace gantry::http
