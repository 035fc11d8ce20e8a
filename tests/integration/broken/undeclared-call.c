/* Calls a plugin that it has not declared. */
#include "broken.h"

static gantry_status handle(void* user, const gantry_request* request, gantry_context* context) {
  (void)request;
  broken* self = (broken*)user;
  gantry_call call;
  gantry_call_reply reply;
  memset(&call, 0, sizeof call);
  memset(&reply, 0, sizeof reply);
  call.struct_size = sizeof call;
  reply.struct_size = sizeof reply;
  call.plugin = broken_text("catalog");
  call.method = broken_text("GET");
  call.target = broken_text("/catalog/products/SKU-0001");
  gantry_status status = self->call->call(context, &call, &reply);
  if (status != GANTRY_OK) return status;
  self->call->release(&reply);
  return broken_say(self, context, broken_text("the call was let through"));
}

#define BROKEN_HANDLER handle
#define BROKEN_PLUGIN
#include "broken.h"
