// Plugins made of functions, in hosts made of a dispatcher and its workers.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gantry/abi/call.h"
#include "gantry/abi/entry.h"
#include "gantry/abi/http.h"
#include "observability/metrics.hpp"
#include "runtime/context.hpp"
#include "runtime/dispatcher.hpp"
#include "runtime/instance.hpp"
#include "runtime/request_pool.hpp"
#include "runtime/router.hpp"
#include "runtime/text.hpp"

namespace gantry::testing {

// What a handler answers with.
struct answer {
  int status = 200;
  std::string body;
};

// The reply of a call, or why there is none.
struct called {
  gantry_status status = GANTRY_OK;
  int code = 0;
  std::string body;
};

// Answers ANY /<id>/{x}, as `handler` says.
struct scripted_plugin {
  std::string id;
  std::vector<std::string> calls;
  std::function<answer(const gantry_request&, gantry_context*)> handler;

  // The tables that plugin code uses.
  const gantry_http_1* http = nullptr;
  const gantry_call_1* call = nullptr;
  const gantry_host* host = nullptr;
  gantry_instance table{};

  called ask(gantry_context* context, const std::string& plugin, const std::string& target,
             const std::string& method = "GET", std::vector<gantry_field> headers = {},
             std::uint64_t timeout_us = 0) const {
    gantry_call request{};
    request.struct_size = sizeof request;
    request.plugin = runtime::str(plugin);
    request.method = runtime::str(method);
    request.target = runtime::str(target);
    request.headers = headers.data();
    request.header_count = headers.size();
    request.timeout_us = timeout_us;
    gantry_call_reply reply{};
    reply.struct_size = sizeof reply;
    called out;
    out.status = call->call(context, &request, &reply);
    if (out.status == GANTRY_OK) {
      out.code = reply.status;
      out.body = runtime::view(reply.body);
    }
    call->release(&reply);
    return out;
  }
};

// The dispatcher of one host with its workers and its metrics.
class small_host {
 public:
  explicit small_host(std::size_t workers, const clock& time = system_clock())
      : workers_(workers, 1024, "request"),
        callbacks_(1, 16, "callback"),
        time_(time),
        router(workers_, callbacks_, time) {}
  ~small_host() { stop(); }

  // The script outlives the host.
  runtime::instance& add(scripted_plugin& script) {
    runtime::surroundings around;
    around.time = &time_;
    around.metrics = &metrics;
    around.calls = &router;
    around.topics = &topics_;
    auto i = std::make_shared<runtime::instance>(script.id, "1.0.0", 1, around);
    const gantry_entry entry = {
        sizeof(gantry_entry), GANTRY_ABI_MAJOR, GANTRY_ABI_MINOR, script.id.c_str(), "1.0.0", "test", create};
    making = &script;
    const auto made = i->create(entry);
    EXPECT_TRUE(made) << made.failure().text;
    i->state(runtime::phase::running);
    instances_.push_back(i);
    auto table = std::make_shared<runtime::route_table>();
    for (const auto& one : instances_) EXPECT_TRUE(table->add(one));
    router.routes(table);
    return *i;
  }

  void stop() {
    workers_.stop();
    callbacks_.stop();
  }

  // Of a series with these labels, in the order in which the registry keeps them; -1: there is none.
  double value_of(const std::string& name, const observability::labels& with) const {
    for (const auto& one : metrics.snapshot())
      if (one.name == name && one.with == with) return one.value;
    return -1;
  }

  observability::registry metrics;

 private:
  inline static scripted_plugin* making = nullptr;

  static gantry_status create(const gantry_host* host, const gantry_instance** out) {
    auto& script = *making;
    script.host = host;
    script.table.struct_size = sizeof script.table;
    script.table.self = &script;
    script.table.setup = [](void* self) { return declare(*static_cast<scripted_plugin*>(self)); };
    script.table.start = [](void*) -> gantry_status { return GANTRY_OK; };
    script.table.stop = [](void*) {};
    script.table.destroy = [](void*) {};
    *out = &script.table;
    return GANTRY_OK;
  }

  static gantry_status declare(scripted_plugin& script) {
    script.http = static_cast<const gantry_http_1*>(script.host->capability(script.host, GANTRY_HTTP_1));
    script.call = static_cast<const gantry_call_1*>(script.host->capability(script.host, GANTRY_CALL_1));
    for (const auto& callee : script.calls)
      if (script.call->calls(script.host, runtime::str(callee)) != GANTRY_OK) return GANTRY_FAILED;
    const std::string pattern = "/" + script.id + "/{x}";
    for (const char* method : {"GET", "POST"}) {
      gantry_route route{};
      route.struct_size = sizeof route;
      route.method = runtime::str(method);
      route.pattern = runtime::str(pattern);
      route.handler = [](void* user, const gantry_request* request, gantry_context* context) {
        const auto& self = *static_cast<scripted_plugin*>(user);
        const auto said = self.handler(*request, context);
        return self.http->respond(context, said.status, nullptr, 0, runtime::str(said.body));
      };
      route.user = &script;
      if (script.http->route(script.host, &route) != GANTRY_OK) return GANTRY_FAILED;
    }
    return GANTRY_OK;
  }

  runtime::request_pool workers_;
  runtime::request_pool callbacks_;
  const clock& time_;
  runtime::topic_directory topics_;
  std::vector<std::shared_ptr<runtime::instance>> instances_;

 public:
  runtime::dispatcher router;
};

}  // namespace gantry::testing
