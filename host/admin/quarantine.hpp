// Plugins that run apart from their host because its process died in their code: who they are, and the end of that.
// Thread: any.
#pragma once

#include <functional>
#include <string>

#include "admin/question.hpp"
#include "http/endpoint.hpp"
#include "topology/topology.hpp"

namespace gantry::admin {

// GET /admin/quarantine: {"plugins":[{"plugin","generation","why","since"}],"deaths":[{"plugin","what","deaths",..}]}
http::reply quarantine(const topology::topology& model, const std::string& host);

// POST /admin/quarantine/{plugin}/release?now=: forgets it. It runs in the host's own process again from that one's
// next start on, which is at once with `now`; `restart` is empty when nobody would start the host again.
http::reply release(const topology::topology& model, const std::string& host, const question& q,
                    const std::function<void()>& restart);

}  // namespace gantry::admin
