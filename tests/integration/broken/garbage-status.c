/* Answers requests, writes and events with statuses that do not exist. */
#include "broken.h"

static gantry_status spoil(void* user, gantry_tx* tx) {
  broken* self = (broken*)user;
  self->http->respond_in(tx, 200, NULL, 0, broken_text("all is well"));
  return -7;
}

static gantry_status event(void* user, const gantry_event* event, gantry_tx* tx) {
  (void)user;
  (void)event;
  (void)tx;
  return INT32_MIN;
}

static gantry_status handle(void* user, const gantry_request* request, gantry_context* context) {
  broken* self = (broken*)user;
  if (request->query_count == 0) return 4711;
  if (request->query[0].name.len == 1) return self->http->write(context, spoil, user, NULL);
  return self->http->respond(context, 99, NULL, 0, broken_text("no such status"));
}

#define BROKEN_HANDLER handle
#define BROKEN_SETUP return broken_subscribe(self, event);
#define BROKEN_PLUGIN
#include "broken.h"
