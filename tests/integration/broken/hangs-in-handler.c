/* Does not come back from a request. */
#include "broken.h"

static gantry_status hang(void* user, const gantry_request* request, gantry_context* context) {
  (void)user;
  (void)request;
  (void)context;
  broken_hang();
  return GANTRY_OK;
}

#define BROKEN_HANDLER hang
#define BROKEN_PLUGIN
#include "broken.h"
