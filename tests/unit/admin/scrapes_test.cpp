// What a scrape gives while the bus keeps whoever asks it for lags waiting.
#include "admin/scrapes.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <future>
#include <string>
#include <thread>
#include <vector>

#include "http/exchange.hpp"

namespace gantry::admin {
namespace {

using namespace std::chrono_literals;

class ScrapesTest : public testing::Test {
 protected:
  ScrapesTest() {
    (*metrics.get_counter("requests_total", "Requests."))->add(7);
    lag = *metrics.get_gauge("consumer_lag", "Lag.");
  }
  ~ScrapesTest() override {
    box->close();
    close(wakeup);
  }

  // Waits for the answer.
  http::reply scrape(scrapes& from) {
    from.answer(http::responder(std::make_shared<http::exchange>(box, 1)));
    std::vector<http::letter> got;
    while (got.empty()) {
      pollfd news{wakeup, POLLIN, 0};
      poll(&news, 1, -1);
      eventfd_t ignored = 0;
      eventfd_read(wakeup, &ignored);
      box->collect(got);
    }
    return std::move(got.front().answer);
  }

  static bool has(const http::reply& answer, const std::string& line) {
    return answer.body.find("\n" + line + "\n") != std::string::npos;
  }

  observability::registry metrics;
  observability::gauge* lag = nullptr;
  int wakeup = eventfd(0, EFD_CLOEXEC);
  std::shared_ptr<http::mailbox> box = std::make_shared<http::mailbox>(wakeup);
};

TEST_F(ScrapesTest, ShowWhatWasMeasuredForThem) {
  std::int64_t behind = 0;
  scrapes all(
      metrics, [&] { lag->set(++behind); }, 1h);
  const auto answer = scrape(all);
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(has(answer, "requests_total 7"));
  EXPECT_TRUE(has(answer, "consumer_lag 1"));
  EXPECT_TRUE(has(scrape(all), "consumer_lag 2"));
}

TEST_F(ScrapesTest, ABusThatDoesNotAnswerHoldsUpNothingElse) {
  std::promise<void> answers;
  auto bus = answers.get_future().share();
  scrapes all(
      metrics,
      [this, bus] {
        bus.wait();
        lag->set(std::int64_t{5});
      },
      1ms);
  for (int i = 0; i < 100; ++i) {
    const auto answer = scrape(all);
    EXPECT_TRUE(has(answer, "requests_total 7"));
    EXPECT_TRUE(has(answer, "consumer_lag 0"));
  }
  answers.set_value();
  while (!has(scrape(all), "consumer_lag 5")) std::this_thread::yield();
}

TEST_F(ScrapesTest, WaitForAMeasurementOnceAndNotEveryTimeAgain) {
  std::promise<void> answers;
  auto bus = answers.get_future().share();
  scrapes all(
      metrics, [bus] { bus.wait(); }, 100ms);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(scrape(all).status, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1000 * 100ms);
  answers.set_value();
}

TEST_F(ScrapesTest, AMeasurementThatFailsIsMadeAgain) {
  int made = 0;
  scrapes all(
      metrics,
      [&] {
        lag->set(std::int64_t{++made});
        throw std::runtime_error("the bus is on fire");
      },
      1h);
  EXPECT_TRUE(has(scrape(all), "consumer_lag 1"));
  EXPECT_TRUE(has(scrape(all), "consumer_lag 2"));
}

}  // namespace
}  // namespace gantry::admin
