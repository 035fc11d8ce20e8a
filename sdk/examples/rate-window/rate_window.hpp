// How many requests each client has made in the last minute: state in memory alone, handed over when the plugin is
// replaced. Handlers run on request workers, several at once.
#pragma once

#include <gantry/plugin.hpp>

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

class rate_window : public gantry::plugin, public gantry::handover {
 public:
  void setup(gantry::setup& s) override;

  // POST /rate/{client} -> {"client","count","allowed"}: counts one more.
  gantry::reply count(const gantry::request& q, gantry::context& ctx);
  // GET /rate/{client} -> {"client","count"}, and {"clients"} for all of them below GET /rates.
  gantry::reply look(const gantry::request& q, gantry::context& ctx);
  gantry::reply total(const gantry::request& q, gantry::context& ctx);

  std::size_t state_size() override;
  // Format 1: a line for each client, "<count> <start in seconds> <client>".
  std::string export_state(std::uint32_t format) override;
  void import_state(std::uint32_t format, std::string_view state) override;

 private:
  static constexpr std::int64_t window_s = 60;
  static constexpr std::uint64_t most = 1000;  // of one client in a window

  struct window {
    std::uint64_t count = 0;
    std::int64_t start_s = 0;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, window> clients_;  // guarded by mutex_
};
