// Lets exceptions out of a request handler, a write and an event handler; one of them is no std::exception.
#include <stdexcept>

#include "broken.h"

static gantry_status fail_request(void* user, const gantry_request* request, gantry_context* context) {
  auto* self = static_cast<broken*>(user);
  if (request->query_count == 0) throw std::runtime_error("thrown in a request");
  return self->http->write(
      context, [](void*, gantry_tx*) -> gantry_status { throw 42; }, self, nullptr);
}

static gantry_status fail_event(void*, const gantry_event*, gantry_tx*) { throw std::logic_error("thrown in an event"); }

#define BROKEN_HANDLER fail_request
#define BROKEN_SETUP return broken_subscribe(self, fail_event);
#define BROKEN_PLUGIN
#include "broken.h"
