// A plugin whose handlers are what a test says they are.
#pragma once

#include <gantry/testing/fake_host.hpp>

#include <functional>
#include <gantry/plugin.hpp>
#include <utility>

class workshop : public gantry::plugin {
 public:
  static inline std::function<void(gantry::setup&)> declare;
  static inline std::function<void(gantry::start_context&)> begin;
  static inline std::function<void()> feel;

  void setup(gantry::setup& s) override {
    if (declare) declare(s);
  }
  void start(gantry::start_context& c) override {
    if (begin) begin(c);
  }
  void health() override {
    if (feel) feel();
  }
  using gantry::plugin::host;
};

class WorkshopTest : public ::testing::Test {
 protected:
  void TearDown() override {
    workshop::declare = nullptr;
    workshop::begin = nullptr;
    workshop::feel = nullptr;
  }

  workshop& open(std::function<void(gantry::setup&)> declare, std::string_view config = "{}") {
    workshop::declare = std::move(declare);
    return host_.load<workshop>("workshop", config);
  }

  gantry::testing::fake_host host_;
};
