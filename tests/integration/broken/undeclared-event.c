/* Emits an event that it has not declared. */
#include "broken.h"

static gantry_status emit(void* user, gantry_tx* tx) {
  broken* self = (broken*)user;
  gantry_emit event;
  memset(&event, 0, sizeof event);
  event.struct_size = sizeof event;
  event.topic = broken_text("order-events");
  event.type = broken_text("OrderConfirmed");
  event.key = broken_text("k");
  event.data = broken_text("{}");
  return self->bus->emit(tx, &event, NULL);
}

static gantry_status handle(void* user, const gantry_request* request, gantry_context* context) {
  (void)request;
  return ((broken*)user)->http->write(context, emit, user, NULL);
}

#define BROKEN_HANDLER handle
#define BROKEN_PLUGIN
#include "broken.h"
