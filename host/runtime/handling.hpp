// What a request from outside and a call from a plugin have in common: the handler, its write, its Idempotency-Key.
// Used by the dispatcher alone. Thread: the worker's; run_write and keyed_write: the lane's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gantry/abi/http.h"
#include "runtime/context.hpp"
#include "runtime/declarations.hpp"
#include "runtime/idempotency.hpp"
#include "runtime/instance.hpp"
#include "runtime/reply.hpp"

namespace gantry::runtime {

// Counts a request in and out, and refuses it when the plugin does not take any.
class visit {
 public:
  explicit visit(instance& to) : to_(to) { to.enter(); }
  ~visit() { to_.leave(); }
  visit(const visit&) = delete;
  visit& operator=(const visit&) = delete;
  bool welcome() const { return to_.state() == phase::running; }

 private:
  instance& to_;
};

// Runs the handler. Afterwards the context holds a reply, or a write to be done.
void handle(instance& owner, const route& r, const gantry_request& request, gantry_context& context);

// The answer to a request that has failed with this status. Where that is plugin code's failure (500) the text may be
// anything: it goes to the log, at most once a second, and the client gets the number by which it is found there.
reply failed_reply(instance& owner, const gantry_context& context, gantry_status status, std::string_view text);

// Runs the write that the handler left in `context`; `out` is what it answers.
gantry_status run_write(instance& owner, const gantry_context& context, gantry_tx& tx, reply& out);

// The same for a route that is idempotent: a reply that was stored under the key is repeated, another one is stored
// with this transaction. The handler may have refused already: then nothing is run, and its refusal is the answer when
// none is stored.
gantry_status run_keyed_write(instance& owner, const gantry_context& context, const idempotency_key& key, gantry_tx& tx,
                              reply& out);

// The key of a request to a route that is idempotent, marked as being worked on until it goes.
class held_key {
 public:
  explicit held_key(instance& of) : of_(of) {}
  ~held_key() { release(); }
  held_key(const held_key&) = delete;
  held_key& operator=(const held_key&) = delete;

  // Nothing: it is held. Else the refusal: no key or one that is too long, or a request with it is still running.
  std::optional<reply> take(std::string_view principal, std::string_view method, std::string_view path,
                            std::string_view key, std::string_view body);
  const std::optional<idempotency_key>& value() const noexcept { return key_; }
  void release();

 private:
  instance& of_;
  std::optional<idempotency_key> key_;
  bool marked_ = false;
};

}  // namespace gantry::runtime
