// The notification plugin's class; apart from entry.cpp, so that tests can make one.
// Owned by the host. Members are written by start and stop; in between only the cache changes. Thread: any.
#pragma once

#include <optional>

#include <gantry/plugin.hpp>

#include "config/settings.hpp"
#include "events/notifier.hpp"
#include "jobs/delivery.hpp"
#include "store/templates.hpp"

namespace notification {

class notification_plugin final : public gantry::plugin {
 public:
  void setup(gantry::setup& s) override;
  void start(gantry::start_context& ctx) override;
  void stop() override;

 private:
  void declare_routes(gantry::setup& s);
  void declare_events(gantry::setup& s);
  void declare_jobs(gantry::setup& s);

  settings settings_;
  template_cache templates_;
  channel_set channels_;
  std::optional<notifier> notifier_;
  std::optional<delivery_job> job_;
};

}  // namespace notification
