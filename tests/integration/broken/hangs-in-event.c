/* Does not come back from an event. */
#include "broken.h"

static gantry_status hang(void* user, const gantry_event* event, gantry_tx* tx) {
  (void)user;
  (void)event;
  (void)tx;
  broken_hang();
  return GANTRY_OK;
}

#define BROKEN_SETUP return broken_subscribe(self, hang);
#define BROKEN_PLUGIN
#include "broken.h"
