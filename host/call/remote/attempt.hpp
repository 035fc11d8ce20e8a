// One attempt of a call: one request on one connection, and what came of it.
// Values of a call in progress. Thread: the caller's.
#pragma once

#include <string>

#include "call/remote/replicas.hpp"
#include "call/remote/request_head.hpp"

namespace gantry::call {

struct attempt {
  enum class ending {
    answered,
    unreached,  // certain: the other side has seen nothing of the request
    stale,      // the kept connection was closed over there; the same may be sent on a new one
    lost,       // sent and not answered; the request may be repeated
    final,      // it must not be repeated
    crowded,    // no connection was free: says nothing about the host
  };
  ending how;
  remote_outcome outcome;
};

struct call_in_progress {
  const remote_request& request;
  const request_head& head;
  const remote_options& options;
  const deadline& by;
};

// Sends the request to `to` and waits for the reply. `fresh`: on a new connection.
attempt try_once(const call_in_progress& call, replica& to, bool fresh);

}  // namespace gantry::call
