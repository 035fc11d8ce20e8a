// The operations API of a host: health, metrics, and /admin for the command line and dashboards. JSON in and out.
//
//   GET  /health/live, /health/ready             200 or 503 with the checks
//   GET  /metrics                                Prometheus text 0.0.4
//   GET  /admin/plugins                          states and counts
//   GET  /admin/topics                           partitions with their range and the lag of each group
//   GET  /admin/lags                             how far each partition has not been handled, as lines
//   GET  /admin/events?topic=&from=&limit=       events as they were stored, and a cursor to go on with
//   GET  /admin/trace/{correlation id}           every event of one request's way
//   GET  /admin/sagas/{key}                      as the plugin that owns it describes it
//   GET  /admin/dlq?plugin=                      parked events and jobs; "unanswered": plugins whose list is missing
//   GET  /admin/dlq/{plugin}/{id}                one, with its body
//   POST /admin/dlq/{plugin}/{id}/replay         handles the parked events of that one's key again, in order
//   POST /admin/dlq/{plugin}/{id}/discard        deletes it
//   POST /admin/swap/{plugin}?file=&force=&probation_ms=    puts that file's code in the plugin's place
//   GET  /admin/swap/{plugin}                    how far that is, or the last receipt
//   GET  /admin/quarantine                       plugins that run apart because the host died in their code
//   POST /admin/quarantine/{plugin}/release?now= ends that
//   GET  /admin/topology                         the topology that this host runs
//   GET  /admin/running                          which files and manifests run
//   POST /admin/plan?file=                       what another topology, in the body, would mean for it
//   POST /admin/step/{kind}/{subject}?file=&run=&applied=&digest=&force=&back=&probation_ms=   one step on the way
//                                                there; the kind adopt, without a subject (-), ends it
//   GET  /admin/step?id=                         how far that is, or how the last one ended
//   POST /admin/replay/{plugin}/{topic}?from=&accept_gap=   clears the projection and reads the topic again
//
// Plugins of this host that run in processes of their own are asked there, and answer as if they ran here.
//
// /admin answers only callers on this machine, unless the topology gives it a token; then whoever presents that.
// Owned by app. Thread: any; work that waits runs on a thread of its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "admin/apart.hpp"
#include "admin/changes.hpp"
#include "bus/bus.hpp"
#include "http/endpoint.hpp"
#include "lifecycle/plugin_set.hpp"
#include "observability/health.hpp"
#include "observability/metrics.hpp"
#include "topology/topology.hpp"

namespace gantry::admin {

class operations {
 public:
  // `host` is the name of this process, whose token counts; without it, that of any host of the topology. `others`: the
  // host's plugins that run in processes of their own; null: there are none. It outlives this object.
  operations(const topology::topology& model, lifecycle::plugin_set& plugins, bus::bus& bus,
             observability::registry& metrics, observability::health& checks, const std::string& host = {},
             apart* others = nullptr, change_parts changed_by = {});
  // Answers what waits with 503.
  ~operations();
  operations(const operations&) = delete;
  operations& operator=(const operations&) = delete;

  // Gives up a swap or another change under way, waits until each plugin is in one generation again, and takes no
  // further one.
  void end_swaps();

  // For changes that nobody asks for over HTTP: signals, and files that have changed.
  changes& own_changes() noexcept;

  bool serves(std::string_view path) const noexcept;
  void answer(http::request&& in, http::responder&& out);

 private:
  class service;
  std::unique_ptr<service> service_;
};

}  // namespace gantry::admin
