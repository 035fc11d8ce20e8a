#include "admin/operations.hpp"

#include "http/problem.hpp"
#include "runtime/text.hpp"

namespace gantry::admin {

class operations::service {
 public:
  service(const topology::topology& model, lifecycle::plugin_set& plugins, bus::bus& bus,
          observability::registry& metrics, observability::health& checks)
      : model_(model), plugins_(plugins), bus_(bus), metrics_(metrics), checks_(checks) {}

  http::reply answer(const http::request& in) {
    if (in.target == "/health/live") return health(observability::health_kind::live);
    if (in.target == "/health/ready") return health(observability::health_kind::ready);
    if (in.target == "/metrics")
      return {200, {{"content-type", std::string(observability::exposition_type)}}, metrics_.exposition()};
    return http::problem(404, "no such operation: " + in.target);
  }

 private:
  http::reply health(observability::health_kind kind) const {
    auto report = checks_.report(kind);
    return {report.ok ? 200 : 503, {{"content-type", "application/json"}}, std::move(report.body)};
  }

  const topology::topology& model_;
  lifecycle::plugin_set& plugins_;
  bus::bus& bus_;
  observability::registry& metrics_;
  observability::health& checks_;
};

operations::operations(const topology::topology& model, lifecycle::plugin_set& plugins, bus::bus& bus,
                       observability::registry& metrics, observability::health& checks)
    : service_(std::make_unique<service>(model, plugins, bus, metrics, checks)) {}

operations::~operations() = default;

bool operations::serves(std::string_view path) const noexcept {
  return path.starts_with("/health/") || path == "/metrics" || path == "/admin" || path.starts_with("/admin/");
}

void operations::answer(http::request&& in, http::responder&& out) { out.send(service_->answer(in)); }

}  // namespace gantry::admin
