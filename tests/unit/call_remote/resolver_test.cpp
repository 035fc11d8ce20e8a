#include "call/remote/resolver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "caller.hpp"

namespace gantry::call {
namespace {

TEST(HostPortTest, SplitsWhatATopologySays) {
  EXPECT_EQ(split_host_port("order:8080")->host, "order");
  EXPECT_EQ(split_host_port("127.0.0.1:80")->port, "80");
  EXPECT_EQ(split_host_port("[::1]:80")->host, "::1");
  for (const auto* text : {"", "order", ":80", "order:", "order:0", "order:65536", "order:x", "::1:80", "order:80x"})
    EXPECT_EQ(split_host_port(text).failure().code, errc::invalid) << text;
}

TEST(ResolverTest, ReadsNumericAddressesWithoutALookup) {
  resolver names(system_clock(), [](const host_port&) -> result<addresses> { return error{errc::internal, "asked"}; });
  const deadline by(system_clock(), system_clock().steady_us());
  EXPECT_EQ(names.find({"127.0.0.1", "80"}, by)->front().bytes.ss_family, AF_INET);
  EXPECT_EQ(names.find({"::1", "80"}, by)->front().bytes.ss_family, AF_INET6);
}

TEST(ResolverTest, KeepsANameForAWhile) {
  manual_clock time;
  std::atomic<int> asked{0};
  resolver names(time, [&](const host_port&) -> result<addresses> {
    ++asked;
    return addresses(1);
  });
  const auto find = [&] { return names.find({"order", "80"}, deadline(time, time.now_us + 60'000'000)).ok(); };
  EXPECT_TRUE(find() && find());
  EXPECT_EQ(asked, 1);
  time.now_us += resolver::keep_us;
  EXPECT_TRUE(find());
  EXPECT_EQ(asked, 2);
}

TEST(ResolverTest, DoesNotWaitForANameServerBeyondTheDeadline) {
  std::promise<void> go;
  auto gate = go.get_future().share();
  resolver names(system_clock(), [gate](const host_port&) -> result<addresses> {
    gate.wait();
    return addresses(1);
  });
  const auto& now = system_clock();
  EXPECT_EQ(names.find({"order", "80"}, deadline(now, now.steady_us() + 1000)).failure().code, errc::timeout);
  go.set_value();
  EXPECT_TRUE(names.find({"order", "80"}, deadline(now, now.steady_us() + 60'000'000)).ok());
}

TEST(ResolverTest, AsksAgainAfterAFailure) {
  std::atomic<int> asked{0};
  resolver names(system_clock(), [&](const host_port&) -> result<addresses> {
    if (++asked == 1) return error{errc::unavailable, "no such name"};
    return addresses(1);
  });
  const deadline by(system_clock(), system_clock().steady_us() + 60'000'000);
  EXPECT_EQ(names.find({"order", "80"}, by).failure().text, "no such name");
  EXPECT_TRUE(names.find({"order", "80"}, by).ok());
}

}  // namespace
}  // namespace gantry::call
