/* The smallest plugin in plain C: one route and one event handler.
 *
 *   GET /hello/{name}                 -> {"hello":"<name>"}
 *   order-events / OrderConfirmed     -> counts confirmed orders in its store
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gantry/abi/bus.h"
#include "gantry/abi/entry.h"
#include "gantry/abi/http.h"
#include "gantry/abi/store.h"

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

struct hello {
  gantry_instance table;
  const gantry_host* host;
  const gantry_http_1* http;
  const gantry_bus_1* bus;
  const gantry_store_1* store;
};

static const char count_orders_sql[] = "CREATE TABLE orders_seen (id TEXT PRIMARY KEY, at_us BIGINT NOT NULL)";

/* Whether JSON can carry the bytes in quotes as they are. */
static int is_plain(gantry_str text) {
  for (size_t i = 0; i < text.len; ++i) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < 0x20 || c > 0x7E || c == '"' || c == '\\') return 0;
  }
  return 1;
}

static gantry_status greet(void* user, const gantry_request* request, gantry_context* context) {
  static const gantry_field headers[] = {{TEXT("content-type"), TEXT("application/json")}};
  struct hello* self = user;
  gantry_str name = request->params[0].value;
  if (name.len > 80 || !is_plain(name)) {
    gantry_str why = TEXT("a name is up to 80 plain ASCII characters");
    return self->host->fail(self->host, GANTRY_INVALID, why);
  }
  char body[128];
  int size = snprintf(body, sizeof body, "{\"hello\":\"%.*s\"}", (int)name.len, name.ptr);
  gantry_str reply = {body, (size_t)size};
  return self->http->respond(context, 200, headers, 1, reply);
}

static gantry_status count_order(void* user, const gantry_event* event, gantry_tx* tx) {
  static const gantry_str sql = TEXT("INSERT INTO orders_seen (id, at_us) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING");
  struct hello* self = user;
  gantry_value parameters[2] = {{.type = GANTRY_TEXT, .as.s = event->key},
                                {.type = GANTRY_INT, .as.i = event->occurred_at_us}};
  return self->store->exec(self->store->of(tx), sql, parameters, 2, NULL);
}

static gantry_status setup(void* user) {
  struct hello* self = user;
  gantry_migration migration = {
      .struct_size = sizeof migration,
      .number = 1,
      .name = TEXT("orders_seen"),
      .sql = TEXT(count_orders_sql),
      .sha256 = TEXT("79da05131426d75125f928026b77dded821a434274a65a8c47fd6ff67d2a069f"),
  };
  gantry_route route = {.struct_size = sizeof route,
                        .method = TEXT("GET"),
                        .pattern = TEXT("/hello/{name}"),
                        .handler = greet,
                        .user = self};
  gantry_subscription subscription = {.struct_size = sizeof subscription,
                                      .start = GANTRY_START_EARLIEST,
                                      .topic = TEXT("order-events"),
                                      .type = TEXT("OrderConfirmed"),
                                      .min_version = 1,
                                      .max_version = 1,
                                      .on_event = count_order,
                                      .user = self};
  gantry_status status = self->store->migration(self->host, &migration);
  if (status == GANTRY_OK) status = self->http->route(self->host, &route);
  if (status == GANTRY_OK) status = self->bus->subscribe(self->host, &subscription);
  return status;
}

static gantry_status start(void* user) {
  (void)user;
  return GANTRY_OK;
}

static void stop(void* user) { (void)user; }

static void destroy(void* user) { free(user); }

static gantry_status create(const gantry_host* host, const gantry_instance** out) {
  struct hello* self = calloc(1, sizeof *self);
  if (self == NULL) return GANTRY_FAILED;
  self->host = host;
  self->http = host->capability(host, GANTRY_HTTP_1);
  self->bus = host->capability(host, GANTRY_BUS_1);
  self->store = host->capability(host, GANTRY_STORE_1);
  if (self->http == NULL || self->bus == NULL || self->store == NULL) {
    gantry_str why = TEXT("this host lacks gantry.http/1, gantry.bus/1 or gantry.store/1");
    free(self);
    return host->fail(host, GANTRY_UNSUPPORTED, why);
  }
  self->table = (gantry_instance){.struct_size = sizeof self->table,
                                  .self = self,
                                  .setup = setup,
                                  .start = start,
                                  .stop = stop,
                                  .destroy = destroy};
  *out = &self->table;
  return GANTRY_OK;
}

const gantry_entry gantry_plugin = {
    .struct_size = sizeof(gantry_entry),
    .abi_major = GANTRY_ABI_MAJOR,
    .abi_minor = GANTRY_ABI_MINOR,
    .id = GANTRY_PLUGIN_ID,
    .version = GANTRY_PLUGIN_VERSION,
    .sdk = "gantry-c " GANTRY_SDK_VERSION,
    .create = create,
};
