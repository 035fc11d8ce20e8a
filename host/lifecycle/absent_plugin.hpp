// A plugin of this host that can't answer now: it has failed, or is on its way to another host. Its routes stay in the
// table and say that they are unavailable: a caller that meets 404 takes that for an answer.
// Owned by plugin_set and by the tables that it is in. Thread: any.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/apart.hpp"

namespace gantry::lifecycle {

class absent_plugin final : public runtime::plugin_apart {
 public:
  absent_plugin(std::string id, std::vector<runtime::apart_route> routes)
      : id_(std::move(id)), routes_(std::move(routes)) {}

  const std::string& id() const noexcept override { return id_; }
  const std::vector<runtime::apart_route>& routes() const noexcept { return routes_; }

  // 503, with Retry-After.
  void pass_on(runtime::inbound&& in, std::unique_ptr<runtime::reply_sink> sink) override;

 private:
  const std::string id_;
  const std::vector<runtime::apart_route> routes_;
};

}  // namespace gantry::lifecycle
