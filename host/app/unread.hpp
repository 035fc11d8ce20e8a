// Which events of a bus that is to be left have not been handled by everybody: a position means something on its own
// bus alone, so what is unread there would be lost. Used by store_copy. Thread: main.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "store/store.hpp"
#include "topology/topology.hpp"
#include "topology/validate.hpp"

namespace gantry::app {

// A sentence each: "order lags by 12 events in payment-events", "an outbox: ...". Empty: everybody has read all.
// `stores`: a snapshot of each plugin's. `to`: where events go on; what an outbox still holds must find its topic
// there.
result<std::vector<std::string>> unread_events(const topology::topology& from, const topology::topology& to,
                                               bus::bus& events, const topology::manifest_map& manifests,
                                               const std::map<std::string, store::session*>& stores);

}  // namespace gantry::app
