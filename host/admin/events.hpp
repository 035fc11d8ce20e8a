// GET /admin/topics, /admin/events and /admin/trace/{correlation id}: what the topology's topics hold.
// Thread: one at a time, for they share the log.
#pragma once

#include "admin/apart.hpp"
#include "admin/event_log.hpp"
#include "admin/question.hpp"
#include "http/endpoint.hpp"
#include "lifecycle/plugin_set.hpp"
#include "topology/topology.hpp"

namespace gantry::admin {

// {"topics":[{"name","partitions":[{"partition","start","end"}],"groups":[{"group","plugin","lag":[per partition]}]}]}
http::reply topics(event_log& log, const lifecycle::plugin_set& set, const topology::topology& model,
                   apart* others = nullptr);

// A line for each partition that this process's plugins read: topic/partition, a blank, the events not handled.
http::reply lags(const lifecycle::plugin_set& set);

// {"events":[...],"cursor":"...","more":bool}. Asked: topic, type, key, correlation (filters), from (start, end, or a
// cursor), limit (1 to 1000). `more`: asking again with the cursor answers at once with what is there.
http::reply events(event_log& log, const question& what);

// {"correlationId","events":[{"at","sinceStartMs","plugin","type","topic","key","eventId","causationId"}]}, by time.
http::reply trace(event_log& log, const question& what);

// The reply to a failure of the log.
http::reply log_problem(const error& why);

}  // namespace gantry::admin
