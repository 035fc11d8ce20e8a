// The address of a child that stays its own while the child is away.
#include "supervisor/reserved_port.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <vector>

namespace gantry::supervisor {
namespace {

sockaddr_in at(std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  out.sin_port = htons(port);
  return out;
}

// 0, or why a connection can't be made.
int connecting_to(std::uint16_t port) {
  const int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto where = at(port);
  const int why = connect(one, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 ? 0 : errno;
  close(one);
  return why;
}

// A listener as a child has it; -1: the port is another's.
int listening_at(std::uint16_t port, bool shares) {
  const int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(one, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shares) setsockopt(one, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  const auto where = at(port);
  if (bind(one, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 && listen(one, 8) == 0) return one;
  close(one);
  return -1;
}

TEST(ReservedPortTest, WhoeverConnectsBeforeTheChildIsThereIsRefusedAtOnce) {
  auto port = reserved_port::take();
  ASSERT_TRUE(port.ok()) << port.failure().text;
  EXPECT_EQ(connecting_to(port->number()), ECONNREFUSED);
  EXPECT_EQ(port->address(), "127.0.0.1:" + std::to_string(port->number()));
}

TEST(ReservedPortTest, TheChildGetsItAgainAndAgain) {
  auto port = reserved_port::take();
  ASSERT_TRUE(port.ok());
  for (int life = 0; life < 3; ++life) {
    const int child = listening_at(port->number(), true);
    ASSERT_GE(child, 0);
    EXPECT_EQ(connecting_to(port->number()), 0);
    close(child);
    EXPECT_EQ(connecting_to(port->number()), ECONNREFUSED);
  }
}

TEST(ReservedPortTest, NobodyElseGetsIt) {
  auto port = reserved_port::take();
  ASSERT_TRUE(port.ok());
  EXPECT_EQ(listening_at(port->number(), false), -1);
  auto other = reserved_port::take();
  ASSERT_TRUE(other.ok());
  EXPECT_NE(other->number(), port->number());
}

TEST(ReservedPortTest, WhatSomebodyElseIsToHaveIsNotTaken) {
  std::vector<std::uint16_t> offered;
  auto port = reserved_port::take([&](std::uint16_t number) {
    offered.push_back(number);
    return offered.size() == 3;
  });
  ASSERT_TRUE(port.ok());
  ASSERT_EQ(offered.size(), 3U);
  EXPECT_EQ(port->number(), offered[2]);
  EXPECT_NE(offered[0], offered[1]) << "the same is not offered again";
  for (const auto refused : {offered[0], offered[1]}) {
    const int other = listening_at(refused, false);
    EXPECT_GE(other, 0) << "it is free for whom it is meant";
    close(other);
  }
}

TEST(ReservedPortTest, ItIsFreeOnceItIsLetGo) {
  std::uint16_t number = 0;
  {
    auto port = reserved_port::take();
    ASSERT_TRUE(port.ok());
    number = port->number();
    const auto moved = std::move(*port);
    EXPECT_EQ(listening_at(number, false), -1) << "moving lets nothing go";
  }
  const int other = listening_at(number, false);
  EXPECT_GE(other, 0);
  close(other);
}

}  // namespace
}  // namespace gantry::supervisor
