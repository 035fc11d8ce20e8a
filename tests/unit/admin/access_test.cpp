// Who may use /admin.
#include "admin/access.hpp"

#include <gtest/gtest.h>

namespace gantry::admin {
namespace {

http::request from(const std::string& remote, std::vector<http::header> headers = {{"host", "127.0.0.1:8080"}}) {
  http::request out;
  out.method = "GET";
  out.target = "/admin/plugins";
  out.remote = remote;
  out.headers = std::move(headers);
  return out;
}

int status(const access& gate, const http::request& in) {
  const auto refusal = gate.refuse(in);
  return refusal ? refusal->status : 200;
}

TEST(AccessTest, WithoutATokenProgramsOnThisMachineGetIn) {
  const access gate({});
  EXPECT_EQ(status(gate, from("127.0.0.1")), 200);
  EXPECT_EQ(status(gate, from("127.8.8.8")), 200);
  EXPECT_EQ(status(gate, from("::1", {{"host", "[::1]:8080"}})), 200);
  EXPECT_EQ(status(gate, from("::ffff:127.0.0.1", {{"host", "localhost"}})), 200);
}

TEST(AccessTest, WithoutATokenOtherMachinesDoNot) {
  const access gate({});
  EXPECT_EQ(status(gate, from("10.0.0.7")), 403);
  EXPECT_EQ(status(gate, from("::ffff:10.0.0.7")), 403);
  EXPECT_EQ(status(gate, from("")), 403);
}

TEST(AccessTest, APageInABrowserOnThisMachineDoesNotGetIn) {
  const access gate({});
  EXPECT_EQ(status(gate, from("127.0.0.1", {{"host", "127.0.0.1:8080"}, {"origin", "https://page.example"}})), 403);
  EXPECT_EQ(status(gate, from("127.0.0.1", {{"host", "page.example:8080"}})), 403);
  EXPECT_EQ(status(gate, from("127.0.0.1", {{"host", "localhost.page.example"}})), 403);
}

// Its own name may look like an address of this machine, and point to one.
TEST(AccessTest, OnlyAnExactNameOfThisMachineIsOne) {
  const access gate({});
  for (const char* host : {"127.0.0.1", "127.9.8.7:80", "[::1]", "[::1]:8080", "localhost", "localhost:8080"})
    EXPECT_EQ(status(gate, from("127.0.0.1", {{"host", host}})), 200) << host;
  for (const char* host : {"127.page.example",
                           "127.page.example:8080",
                           "127.0.0.1.page.example",
                           "127.0.0",
                           "127.0.0.1.",
                           "127.0.0.256",
                           "128.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:80x",
                           "127.0.0.1:@page.example",
                           "[::1]x",
                           "[::1].page.example",
                           "[::1]:80:80",
                           "::1",
                           "localhost:",
                           "localhost:@page.example",
                           "localhost:80@page.example",
                           "localhost.",
                           "localhostx",
                           " localhost",
                           ":8080"})
    EXPECT_EQ(status(gate, from("127.0.0.1", {{"host", host}})), 403) << host;
  EXPECT_EQ(status(gate, from("127.page.example")), 403);
}

TEST(AccessTest, WhatAProxyPassesOnDoesNotGetIn) {
  const access gate({});
  EXPECT_EQ(status(gate, from("127.0.0.1", {{"host", "localhost"}, {"x-forwarded-for", "10.0.0.7"}})), 403);
}

TEST(AccessTest, WithATokenWhoeverPresentsItGetsIn) {
  const access gate({"s3cret"});
  EXPECT_EQ(status(gate, from("10.0.0.7", {{"authorization", "Bearer s3cret"}})), 200);
  EXPECT_EQ(status(gate, from("127.0.0.1")), 401);
  EXPECT_EQ(status(gate, from("127.0.0.1", {{"authorization", "Bearer s3cre"}})), 401);
  EXPECT_EQ(status(gate, from("127.0.0.1", {{"authorization", "Bearer s3crets3cret"}})), 401);
  EXPECT_EQ(status(gate, from("127.0.0.1", {{"authorization", "Bearer "}})), 401);
  EXPECT_EQ(status(gate, from("127.0.0.1", {{"authorization", "Basic s3cret"}})), 401);
}

TEST(AccessTest, TextsAreTheSameOnlyInFull) {
  EXPECT_TRUE(same_text("abc", "abc"));
  EXPECT_FALSE(same_text("abcabc", "abc"));
  EXPECT_FALSE(same_text("ab", "abc"));
  EXPECT_FALSE(same_text("", "abc"));
  EXPECT_FALSE(same_text("abc", ""));
}

}  // namespace
}  // namespace gantry::admin
