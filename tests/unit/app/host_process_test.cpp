// A host as one: how it starts when the one before has only just been killed.
#include "app/host_process.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

namespace gantry::app {
namespace {

class HostProcessTest : public ::testing::Test {
 protected:
  HostProcessTest() {
    std::string name = ::testing::TempDir() + "host-process-XXXXXX";
    folder = mkdtemp(name.data());
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(taken, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(listen(taken, 1), 0);
    EXPECT_EQ(getsockname(taken, reinterpret_cast<sockaddr*>(&at), &size), 0);
    address = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
    const auto path = folder.string();
    auto parsed = topology::parse_topology("version: 1\nname: shop\nstate: " + path +
                                               "/state\nbus: { driver: local, path: " + path +
                                               "/bus }\nhosts:\n  main: { http: \"" + address + "\" }\nplugins: {}\n",
                                           "shop.yaml", topology::process_env);
    model = std::move(parsed.model);
  }
  ~HostProcessTest() override {
    let_go();
    std::filesystem::remove_all(folder);
  }
  void let_go() {
    if (taken >= 0) close(taken);
    taken = -1;
  }

  std::filesystem::path folder;
  int taken = -1;  // by somebody else: the host's own port
  std::string address;
  topology::topology model;
  host_options options;
};

TEST_F(HostProcessTest, WhatAKilledProcessHadOpenIsAskedForAgain) {
  options.asked_to_end = [this] {
    let_go();
    return false;
  };
  auto host = host_process::start(model, options);
  ASSERT_TRUE(host.ok()) << host.failure().text;
  EXPECT_EQ((*host)->address(), address);
}

TEST_F(HostProcessTest, NotWhenItIsToEnd) {
  options.asked_to_end = [] { return true; };
  const auto host = host_process::start(model, options);
  ASSERT_FALSE(host.ok());
  EXPECT_EQ(host.failure().code, errc::conflict);
}

TEST_F(HostProcessTest, WhatSomebodyElseKeepsIsAnErrorInTheEnd) {
  const auto host = host_process::start(model, options);
  ASSERT_FALSE(host.ok());
  EXPECT_EQ(host.failure().code, errc::conflict);
}

}  // namespace
}  // namespace gantry::app
