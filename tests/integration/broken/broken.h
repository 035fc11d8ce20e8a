/* What the broken plugins share: an instance that does everything right. Each of them includes this file and then does one
 * thing wrong, by defining one of the names below before the include. Compiles as C11 and as C++20.
 *
 *   BROKEN_CREATE  BROKEN_SETUP  BROKEN_START  BROKEN_STOP   statements; `self` is the instance
 *   BROKEN_HANDLER                     the handler of GET /broken/<id>, a function declared before
 *   BROKEN_ABI_MAJOR  BROKEN_SYMBOL    of the entry
 */
#ifndef GANTRY_BROKEN_H
#define GANTRY_BROKEN_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gantry/abi/bus.h"
#include "gantry/abi/call.h"
#include "gantry/abi/entry.h"
#include "gantry/abi/http.h"
#include "gantry/abi/store.h"

typedef struct broken {
  gantry_instance table;
  const gantry_host* host;
  const gantry_http_1* http;
  const gantry_bus_1* bus;
  const gantry_store_1* store;
  const gantry_call_1* call;
} broken;

static inline gantry_str broken_text(const char* text) {
  gantry_str out;
  out.ptr = text;
  out.len = strlen(text);
  return out;
}

/* Answers a request with 200 and a text. */
static inline gantry_status broken_say(broken* self, gantry_context* context, gantry_str text) {
  gantry_field type;
  type.name = broken_text("content-type");
  type.value = broken_text("text/plain");
  return self->http->respond(context, 200, &type, 1, text);
}

/* Comes back only when the process ends. */
static inline void broken_hang(void) {
  for (;;) pause();
}

static inline gantry_status broken_migrate(broken* self, const char* sql, const char* sha256) {
  gantry_migration migration;
  memset(&migration, 0, sizeof migration);
  migration.struct_size = sizeof migration;
  migration.number = 1;
  migration.name = broken_text("things");
  migration.sql = broken_text(sql);
  migration.sha256 = broken_text(sha256);
  return self->store->migration(self->host, &migration);
}

static inline gantry_status broken_route(broken* self, const char* method, const char* pattern,
                                         gantry_request_handler handler) {
  gantry_route route;
  memset(&route, 0, sizeof route);
  route.struct_size = sizeof route;
  route.method = broken_text(method);
  route.pattern = broken_text(pattern);
  route.handler = handler;
  route.user = self;
  return self->http->route(self->host, &route);
}

static inline gantry_status broken_subscribe(broken* self, gantry_event_handler handler) {
  gantry_subscription subscription;
  memset(&subscription, 0, sizeof subscription);
  subscription.struct_size = sizeof subscription;
  subscription.topic = broken_text("order-events");
  subscription.type = broken_text("OrderCreated");
  subscription.min_version = subscription.max_version = 1;
  subscription.on_event = handler;
  subscription.user = self;
  return self->bus->subscribe(self->host, &subscription);
}

#endif

/* The second part is for the plugin itself, after it has defined its handlers. */
#ifdef BROKEN_PLUGIN

#ifndef BROKEN_CREATE
#define BROKEN_CREATE
#endif
#ifndef BROKEN_START
#define BROKEN_START
#endif
#ifndef BROKEN_STOP
#define BROKEN_STOP
#endif
#ifndef BROKEN_SETUP
#define BROKEN_SETUP
#endif
#ifndef BROKEN_ABI_MAJOR
#define BROKEN_ABI_MAJOR GANTRY_ABI_MAJOR
#endif
#ifndef BROKEN_SYMBOL
#define BROKEN_SYMBOL gantry_plugin
#endif
#ifndef BROKEN_HANDLER
static gantry_status broken_hello(void* user, const gantry_request* request, gantry_context* context) {
  (void)request;
  return broken_say((broken*)user, context, broken_text("hello"));
}
#define BROKEN_HANDLER broken_hello
#endif

static gantry_status broken_setup(void* user) {
  broken* self = (broken*)user;
  gantry_status status = broken_route(self, "GET", "/broken/" GANTRY_PLUGIN_ID, BROKEN_HANDLER);
  if (status != GANTRY_OK) return status;
  BROKEN_SETUP
  return GANTRY_OK;
}

static gantry_status broken_start(void* user) {
  broken* self = (broken*)user;
  (void)self;
  BROKEN_START
  return GANTRY_OK;
}

static void broken_stop(void* user) {
  broken* self = (broken*)user;
  (void)self;
  BROKEN_STOP
}

static void broken_destroy(void* user) { free(user); }

static gantry_status broken_create(const gantry_host* host, const gantry_instance** out) {
  BROKEN_CREATE
  broken* self = (broken*)calloc(1, sizeof *self);
  if (self == NULL) return GANTRY_FAILED;
  self->host = host;
  self->http = (const gantry_http_1*)host->capability(host, GANTRY_HTTP_1);
  self->bus = (const gantry_bus_1*)host->capability(host, GANTRY_BUS_1);
  self->store = (const gantry_store_1*)host->capability(host, GANTRY_STORE_1);
  self->call = (const gantry_call_1*)host->capability(host, GANTRY_CALL_1);
  self->table.struct_size = sizeof self->table;
  self->table.self = self;
  self->table.setup = broken_setup;
  self->table.start = broken_start;
  self->table.stop = broken_stop;
  self->table.destroy = broken_destroy;
  *out = &self->table;
  return GANTRY_OK;
}

#ifdef __cplusplus
extern "C" {
#endif
extern GANTRY_EXPORT const gantry_entry BROKEN_SYMBOL;
const gantry_entry BROKEN_SYMBOL = {
    sizeof(gantry_entry),  BROKEN_ABI_MAJOR, 0,           GANTRY_PLUGIN_ID,
    GANTRY_PLUGIN_VERSION, "gantry-c 0.1.0", broken_create,
};
#ifdef __cplusplus
}
#endif

#endif
