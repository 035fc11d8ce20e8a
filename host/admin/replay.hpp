// POST /admin/replay/{plugin}/{topic}: clears what the plugin derived from the topic, and lets it read the topic again.
// Thread: any; the change works in the plugin's lane.
#pragma once

#include <string_view>

#include "admin/question.hpp"
#include "http/endpoint.hpp"
#include "lifecycle/plugin_set.hpp"
#include "runtime/instance.hpp"

namespace gantry::admin {

// Asked: from (earliest, an offset, or an RFC 3339 time), accept_gap=1. Answers
// {"plugin","topic","from","partitions":[{"partition", "next","replayEnd"}]} once the reading has begun anew. 409: the
// plugin has no on_replay for the topic, retention has taken a part of what was asked for, or events of the topic are
// parked.
void replay_topic(const lifecycle::plugin_set& set, std::string_view bus_id, const question& what,
                  http::responder&& out);

}  // namespace gantry::admin
