// What a local call costs: from the caller's gantry_call_1::call to the reply in its hands, with route look-up, deadline,
// trace, breaker and metrics on. Beside it, as the ceiling: the same handler called directly.
//
//   call_bench [--calls N]      prints one JSON object, nanoseconds
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
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

namespace {

using namespace gantry;
using steady = std::chrono::steady_clock;

gantry_str text(const char* s) { return {s, std::strlen(s)}; }

constexpr const char* body = R"({"sku":"SKU-0001","price":{"amount":1999,"currency":"EUR"}})";
const gantry_http_1* http = nullptr;

gantry_status price(void*, const gantry_request*, gantry_context* context) {
  return http->respond(context, 200, nullptr, 0, text(body));
}

gantry_status declare_callee(const gantry_host* host) {
  http = static_cast<const gantry_http_1*>(host->capability(host, GANTRY_HTTP_1));
  gantry_route route{};
  route.struct_size = sizeof route;
  route.method = text("GET");
  route.pattern = text("/catalog/products/{id}");
  route.handler = price;
  return http->route(host, &route);
}

gantry_status declare_caller(const gantry_host* host) {
  const auto* call = static_cast<const gantry_call_1*>(host->capability(host, GANTRY_CALL_1));
  return call->calls(host, text("catalog"));
}

struct made {
  gantry_instance table{};
  const gantry_host* host = nullptr;
  gantry_status (*declare)(const gantry_host*) = nullptr;
};

template <gantry_status (*Declare)(const gantry_host*)>
gantry_status create(const gantry_host* host, const gantry_instance** out) {
  static made one;
  one.host = host;
  one.declare = Declare;
  one.table.struct_size = sizeof one.table;
  one.table.self = &one;
  one.table.setup = [](void* self) { return static_cast<made*>(self)->declare(static_cast<made*>(self)->host); };
  one.table.start = [](void*) -> gantry_status { return GANTRY_OK; };
  one.table.stop = [](void*) {};
  one.table.destroy = [](void*) {};
  *out = &one.table;
  return GANTRY_OK;
}

std::shared_ptr<runtime::instance> load(const char* id, gantry_status (*maker)(const gantry_host*, const gantry_instance**),
                                        const runtime::surroundings& around) {
  auto i = std::make_shared<runtime::instance>(id, "1.0.0", 1, around);
  const gantry_entry entry = {sizeof(gantry_entry), GANTRY_ABI_MAJOR, GANTRY_ABI_MINOR, id, "1.0.0", "bench", maker};
  if (const auto done = i->create(entry); !done) {
    std::fprintf(stderr, "%s\n", done.failure().text.c_str());
    std::exit(1);
  }
  i->state(runtime::phase::running);
  return i;
}

double at(std::vector<std::int64_t>& v, double q) {
  const auto n = static_cast<std::ptrdiff_t>(q * static_cast<double>(v.size() - 1));
  std::nth_element(v.begin(), v.begin() + n, v.end());
  return static_cast<double>(v[static_cast<std::size_t>(n)]);
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t calls = 1'000'000;
  if (argc == 3 && std::string(argv[1]) == "--calls") calls = std::stoul(argv[2]);
  observability::registry metrics;
  runtime::request_pool workers(1, 16, "request");
  runtime::dispatcher router(workers, workers, system_clock());
  runtime::topic_directory topics;
  runtime::surroundings around;
  around.time = &system_clock();
  around.metrics = &metrics;
  around.calls = &router;
  around.topics = &topics;
  auto callee = load("catalog", create<declare_callee>, around);
  auto caller = load("order", create<declare_caller>, around);
  auto table = std::make_shared<runtime::route_table>();
  if (!table->add(callee) || !table->add(caller)) return 1;
  router.routes(table);

  const auto* call = static_cast<const gantry_call_1*>(caller->host()->capability(caller->host(), GANTRY_CALL_1));
  gantry_context context(*caller);
  context.deadline_us = INT64_MAX / 2;
  context.why = {"01890a5d-ac96-774b-bcce-b302099a8057", {}, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
  gantry_call request{};
  request.struct_size = sizeof request;
  request.plugin = text("catalog");
  request.method = text("GET");
  request.target = text("/catalog/products/SKU-0001");

  std::vector<std::int64_t> took;
  took.reserve(calls);
  std::size_t bytes = 0;
  const auto begun = steady::now();
  for (std::size_t i = 0; i < calls; ++i) {
    const auto from = steady::now();
    gantry_call_reply reply{};
    reply.struct_size = sizeof reply;
    if (call->call(&context, &request, &reply) != GANTRY_OK) return 1;
    bytes += reply.body.len;
    call->release(&reply);
    took.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(steady::now() - from).count());
  }
  const double mean = std::chrono::duration<double, std::nano>(steady::now() - begun).count() / static_cast<double>(calls);

  gantry_context direct(*callee);
  const auto direct_begun = steady::now();
  for (std::size_t i = 0; i < calls; ++i) {
    direct.reply.reset();
    if (price(nullptr, nullptr, &direct) != GANTRY_OK) return 1;
    bytes += direct.reply->body.size();
  }
  const double bare =
      std::chrono::duration<double, std::nano>(steady::now() - direct_begun).count() / static_cast<double>(calls);
  std::printf("{\"bench\":\"call\",\"calls\":%zu,\"p50_ns\":%.0f,\"p99_ns\":%.0f,\"mean_ns\":%.0f,\"handler_alone_ns\":%.0f,\"bytes\":%zu}\n",
              calls, at(took, 0.5), at(took, 0.99), mean, bare, bytes);
  workers.stop();
  return 0;
}
