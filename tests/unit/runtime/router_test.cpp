#include "runtime/router.hpp"

#include <gtest/gtest.h>

#include "runtime/dispatcher.hpp"
#include "runtime/instance.hpp"

namespace gantry::runtime {
namespace {

class router : public ::testing::Test {
 protected:
  std::shared_ptr<instance> plugin(const std::string& id, std::vector<std::pair<std::string, std::string>> routes) {
    surroundings around;
    around.metrics = &metrics_;
    auto made = std::make_shared<instance>(id, "1.0.0", 1, around);
    for (auto& [method, pattern] : routes)
      made->declared.routes.push_back({method, pattern, false, nullptr, nullptr, nullptr});
    return made;
  }
  std::string answer(std::string_view method, std::string_view path) const {
    const auto m = table_.find(method, path);
    return m.owner == nullptr ? "-" + m.allowed : m.owner->id() + " " + m.found->pattern;
  }
  observability::registry metrics_;
  route_table table_;
};

TEST_F(router, literal_segments_come_before_placeholders) {
  ASSERT_TRUE(
      table_.add(plugin("a", {{"GET", "/orders/{id}"}, {"GET", "/orders/open"}, {"GET", "/orders/{id}/history"}})));
  EXPECT_EQ(answer("GET", "/orders/open"), "a /orders/open");
  EXPECT_EQ(answer("GET", "/orders/7"), "a /orders/{id}");
  EXPECT_EQ(answer("GET", "/orders/open/history"), "a /orders/{id}/history");
  EXPECT_EQ(answer("GET", "/orders"), "-");
  EXPECT_EQ(answer("GET", "/orders/"), "-");
  EXPECT_EQ(answer("GET", "orders/7"), "-");
}

TEST_F(router, placeholders_give_their_names_and_values) {
  ASSERT_TRUE(table_.add(plugin("a", {{"GET", "/x/{one}/y/{two}"}})));
  const auto m = table_.find("GET", "/x/1%20/y/2");
  ASSERT_NE(m.owner, nullptr);
  EXPECT_EQ(*m.names, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(m.values[0], "1%20");
  EXPECT_EQ(m.values[1], "2");
}

TEST_F(router, a_placeholder_answers_the_method_that_the_literal_lacks) {
  ASSERT_TRUE(table_.add(plugin("a", {{"PUT", "/orders/open"}, {"GET", "/orders/{id}"}})));
  EXPECT_EQ(answer("GET", "/orders/open"), "a /orders/{id}");
}

TEST_F(router, a_wrong_method_names_all_that_the_path_takes) {
  ASSERT_TRUE(table_.add(plugin("a", {{"PUT", "/orders/open"}, {"GET", "/orders/{id}"}})));
  EXPECT_EQ(answer("DELETE", "/orders/open"), "-PUT, GET");
  EXPECT_EQ(answer("DELETE", "/orders/7"), "-GET");
}

TEST_F(router, a_conflict_leaves_nothing_of_the_second_plugin_behind) {
  ASSERT_TRUE(table_.add(plugin("a", {{"GET", "/orders/{id}"}})));
  const auto done = table_.add(plugin("b", {{"GET", "/other"}, {"GET", "/orders/{number}"}}));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.failure().code, errc::conflict);
  EXPECT_EQ(answer("GET", "/other"), "-");
  EXPECT_EQ(answer("GET", "/orders/1"), "a /orders/{id}");
}

TEST_F(router, a_call_looks_among_the_routes_of_one_plugin) {
  ASSERT_TRUE(table_.add(plugin("a", {{"GET", "/x/{id}"}})));
  ASSERT_TRUE(table_.add(plugin("b", {{"GET", "/x/new"}})));
  EXPECT_EQ(answer("GET", "/x/new"), "b /x/new");
  const auto m = table_.find_of("a", "GET", "/x/new");
  ASSERT_NE(m.owner, nullptr);
  EXPECT_EQ(m.owner->id(), "a");
  EXPECT_EQ(table_.find_of("b", "GET", "/x/7").owner, nullptr);
}

TEST_F(router, more_segments_than_fit_are_no_route) {
  ASSERT_TRUE(table_.add(plugin("a", {{"GET", "/x"}})));
  std::string path;
  for (std::size_t i = 0; i <= max_path_segments; ++i) path += "/x";
  EXPECT_EQ(answer("GET", path), "-");
  EXPECT_FALSE(table_.add(plugin("b", {{"GET", path}})));
}

class in_another_process final : public plugin_apart {
 public:
  explicit in_another_process(std::string id) : id_(std::move(id)) {}
  const std::string& id() const noexcept override { return id_; }
  void pass_on(inbound&&, std::unique_ptr<reply_sink>) override {}

 private:
  const std::string id_;
};

TEST_F(router, routes_of_a_plugin_apart_are_found_beside_the_others) {
  ASSERT_TRUE(table_.add(plugin("a", {{"GET", "/orders/{id}"}, {"GET", "/x"}})));
  const auto apart = std::make_shared<in_another_process>("b");
  ASSERT_TRUE(table_.add(apart, {{"POST", "/orders/{id}"}, {"GET", "/orders/open"}}));
  EXPECT_EQ(table_.find("POST", "/orders/7").apart, apart.get());
  EXPECT_EQ(table_.find("GET", "/orders/open").apart, apart.get());
  EXPECT_EQ(table_.find("GET", "/orders/open").owner, nullptr);
  EXPECT_EQ(answer("GET", "/orders/7"), "a /orders/{id}");
  EXPECT_EQ(table_.find("PUT", "/orders/7").allowed, "GET, POST");
  EXPECT_EQ(table_.find_of("b", "GET", "/orders/open").owner, nullptr) << "a call to it leaves this process";
  EXPECT_EQ(table_.find_of("b", "GET", "/orders/open").apart, nullptr);
}

TEST_F(router, a_plugin_apart_takes_no_route_of_another) {
  ASSERT_TRUE(table_.add(plugin("a", {{"GET", "/x"}})));
  const auto apart = std::make_shared<in_another_process>("b");
  const auto done = table_.add(apart, {{"GET", "/y"}, {"GET", "/x"}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.failure().text, "GET /x is declared by a and by b");
  EXPECT_EQ(table_.find("GET", "/y").apart, nullptr) << "none of its routes stays";
  EXPECT_EQ(answer("GET", "/x"), "a /x");
}

TEST_F(router, the_table_keeps_what_is_apart_alive) {
  auto apart = std::make_shared<in_another_process>("b");
  const std::weak_ptr<plugin_apart> seen = apart;
  ASSERT_TRUE(table_.add(std::move(apart), {{"GET", "/y"}}));
  EXPECT_FALSE(seen.expired());
  table_ = {};
  EXPECT_TRUE(seen.expired());
}

}  // namespace
}  // namespace gantry::runtime
