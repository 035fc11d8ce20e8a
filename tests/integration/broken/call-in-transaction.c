/* Calls another plugin inside a transaction, where it may not wait. */
#include "broken.h"

static gantry_context* current; /* of the only request that the test makes */

static gantry_status call_inside(void* user, gantry_tx* tx) {
  broken* self = (broken*)user;
  gantry_call call;
  gantry_call_reply reply;
  (void)tx;
  memset(&call, 0, sizeof call);
  memset(&reply, 0, sizeof reply);
  call.struct_size = sizeof call;
  reply.struct_size = sizeof reply;
  call.plugin = broken_text("catalog");
  call.method = broken_text("GET");
  call.target = broken_text("/catalog/products/SKU-0001");
  gantry_status status = self->call->call(current, &call, &reply);
  if (status != GANTRY_OK) return status;
  self->call->release(&reply);
  return self->http->respond_in(tx, 200, NULL, 0, broken_text("the call was let through"));
}

static gantry_status handle(void* user, const gantry_request* request, gantry_context* context) {
  (void)request;
  current = context;
  return ((broken*)user)->http->write(context, call_inside, user, NULL);
}

#define BROKEN_HANDLER handle
#define BROKEN_SETUP return self->call->calls(self->host, broken_text("catalog"));
#define BROKEN_PLUGIN
#include "broken.h"
